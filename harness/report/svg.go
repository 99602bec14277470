package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/tenantstorm/tenantstorm/model"
)

// style gives light and dark ground their colours. Viewers that know of no preference show the light one.
const style = `
text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.title { font-weight: bold }
.small { font-size: 9.5px }
.ground { fill: #ffffff }
.lane { stroke: #d0d7de; stroke-width: 1 }
.bar { fill: #ddf4ff; stroke: #0969da; stroke-width: 1 }
.setup .bar { fill: #f6f8fa; stroke: #8c959f }
.never .bar { fill: none; stroke: #8c959f; stroke-dasharray: 3 3 }
.wrong .bar { stroke: #cf222e; stroke-width: 2.5 }
.answer { fill: #57606a }
.wait { fill: #8c959f; fill-opacity: 0.45 }
.lock { fill: #d4a72c; fill-opacity: 0.6 }
.tick { stroke: #0969da; stroke-width: 1.5; fill: none }
.line { stroke: #8250df; stroke-width: 1.5; fill: none }
.dot { fill: #8250df }
.fault .dot { fill: #bc4c00 } .fault .line { stroke: #bc4c00 }
.eviction .dot { fill: #1a7f37 } .eviction .line { stroke: #1a7f37 }
.number { fill: #ffffff; text-anchor: middle; font-weight: bold; font-size: 9.5px }
.moment { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 4 }
.verdict { fill: #cf222e; font-weight: bold }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117 }
.lane { stroke: #30363d }
.bar { fill: #0c2d4d; stroke: #4493f8 }
.setup .bar { fill: #161b22; stroke: #6e7681 }
.never .bar { stroke: #6e7681 }
.wrong .bar { stroke: #f85149 }
.answer { fill: #9198a1 }
.wait { fill: #6e7681 }
.lock { fill: #9e6a03; fill-opacity: 0.8 }
.tick { stroke: #4493f8 }
.line { stroke: #ab7df8 }
.dot { fill: #ab7df8 }
.fault .dot { fill: #db6d28 } .fault .line { stroke: #db6d28 }
.eviction .dot { fill: #3fb950 } .eviction .line { stroke: #3fb950 }
.number { fill: #0d1117 }
.moment { stroke: #f85149 }
.verdict { fill: #f85149 }
}
`

// canvas writes SVG.
type canvas struct{ bytes.Buffer }

func (c *canvas) put(format string, v ...any) { fmt.Fprintf(&c.Buffer, format+"\n", v...) }

func (c *canvas) text(x, y float64, class, s string) {
	c.put(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, escaped(s))
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// draw writes a layout as SVG.
func draw(l *layout) []byte {
	c := &canvas{}
	c.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`, l.width, l.height, l.width, l.height)
	c.put(`<title>%s</title>`, escaped(l.title+": "+l.verdict))
	c.put(`<style>%s</style>`, escaped(style))
	c.put(`<rect class="ground" width="100%%" height="100%%"/>`)
	y := float64(margin)
	for i, line := range l.titles {
		class := "verdict"
		if i == 0 {
			class = "title"
		}
		c.text(margin, y+titleLine-6, class, line)
		y += titleLine
	}
	for i := range l.marks {
		c.line(l, i) // beneath the operations, whose texts are to be read
	}
	c.wrong(l)
	for i := range l.lanes {
		c.lane(l, i)
	}
	for i := range l.marks {
		c.mark(l, i)
	}
	c.below(l)
	c.put(`</svg>`)
	return c.Bytes()
}

// laneTop is the upper edge of a lane.
func (l *layout) laneTop(i int) float64 { return l.top + laneHeight*float64(i) }

// rowMiddle is the middle of a row of marks.
func (l *layout) rowMiddle(i int) float64 {
	return margin + titleLine*float64(len(l.titles)) + markRow*(float64(i)+0.5)
}

func (c *canvas) lane(l *layout, i int) {
	top := l.laneTop(i)
	c.put(`<line class="lane" x1="%d" y1="%.1f" x2="%.1f" y2="%.1f"/>`, margin, top, l.width-margin, top)
	c.text(margin, top+laneHeight/2+4, "name", l.lanes[i].name)
	for _, b := range l.lanes[i].bars {
		c.bar(l, b, top+(laneHeight-barHeight)/2)
	}
}

// bar draws an operation: what it is, what came of it, and below where it stopped.
func (c *canvas) bar(l *layout, b bar, top float64) {
	class := "operation"
	switch {
	case b.never:
		class += " never"
	case len(b.ticks) == 0:
		class += " setup"
	}
	if b.wrong {
		class += " wrong"
	}
	from, to := l.x[b.from], l.x[b.to]
	c.put(`<g class="%s" data-operation="%d">`, class, b.op)
	c.put(`<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="3"/>`, from, top, to-from, barHeight)
	for _, w := range b.waits {
		kind, why := "wait", "waits for something inside the service"
		if w.lock {
			kind, why = "lock", "waits for a lock in PostgreSQL"
		}
		c.put(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d"><title>#%d %s</title></rect>`,
			kind, l.x[w.from], top+bandTop, max(l.x[w.to]-l.x[w.from], 2), barHeight-bandTop-1, b.op, why)
	}
	c.text(from+padding, top+13, "label", b.label)
	c.text(from+padding, top+26, "answer", b.answer)
	for _, t := range b.ticks {
		c.tick(max(l.x[t.at], from+padding), top+bandTop, t)
	}
	c.put(`</g>`)
}

// tick draws where an operation stopped: a message as a line with its number, anything else without one.
func (c *canvas) tick(x, top float64, t tick) {
	c.put(`<g><title>%s</title>`, escaped(t.title))
	switch t.kind {
	case model.AtMessage:
		c.put(`<line class="tick" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x, top, x, top+8)
		c.put(`<text x="%.1f" y="%.1f" class="small" text-anchor="middle">%d</text>`, x, top+17, t.nth)
	case model.AtConnect:
		c.put(`<circle class="tick" cx="%.1f" cy="%.1f" r="3"/>`, x, top+4)
	case model.AtCancel:
		c.put(`<path class="tick" d="M%.1f %.1f l6 6 m0 -6 l-6 6"/>`, x-3, top+1)
	default:
		c.put(`<circle class="tick" cx="%.1f" cy="%.1f" r="1"/>`, x, top+4)
	}
	c.put(`</g>`)
}

// ends are where a mark's line leaves the numbers, and where it ends in the lanes.
func (l *layout) ends(i int) (x, top, from, to float64) {
	band := float64(laneHeight-barHeight)/2 + bandTop + 4
	m := l.marks[i]
	return l.x[m.at], l.rowMiddle(l.rows[i]), l.laneTop(m.from) + band, l.laneTop(m.to) + band
}

// line draws the line from a mark's number down to the lanes that it concerns.
func (c *canvas) line(l *layout, i int) {
	x, top, from, to := l.ends(i)
	c.put(`<g class="%s"><path class="line" d="M%.1f %.1f V%.1f"/></g>`, l.marks[i].kind, x, top, max(from, to))
}

// mark draws a mark's number, where it strikes and, of a preemption, who goes on.
func (c *canvas) mark(l *layout, i int) {
	m := l.marks[i]
	x, top, from, to := l.ends(i)
	c.put(`<g class="%s"><title>%s</title>`, m.kind, escaped(m.text))
	c.put(`<circle class="dot" cx="%.1f" cy="%.1f" r="3"/>`, x, from)
	if m.from != m.to {
		c.put(`<path class="line" d="M%.1f %.1f l7 0 m-3 -3 l3 3 l-3 3"/>`, x, to)
	}
	c.put(`<circle class="dot" cx="%.1f" cy="%.1f" r="%d"/>`, x, top, markRadius)
	c.put(`<text x="%.1f" y="%.1f" class="number">%d</text>`, x, top+3.5, i+1)
	c.put(`</g>`)
}

// wrong draws the moment at which the violation shows.
func (c *canvas) wrong(l *layout) {
	if l.wrong < 0 {
		return
	}
	x, y := l.x[l.wrong], l.rowMiddle(l.wrongRow)
	from, _ := l.wrongText()
	c.put(`<line class="moment" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x, y+6, x, l.laneTop(len(l.lanes)))
	c.text(from, y+4, "verdict", wrongLabel)
}

// keys explain the shapes, each with its width in letters.
var keys = []struct{ shape, text string }{
	{`<line class="tick" x1="3" y1="-8" x2="3" y2="0"/>`, "message"},
	{`<circle class="tick" cx="3" cy="-4" r="3"/>`, "connection opened"},
	{`<rect class="lock" x="-3" y="-9" width="12" height="10"/>`, "waits for a lock"},
	{`<rect class="wait" x="-3" y="-9" width="12" height="10"/>`, "waits in the service"},
	{`<g class="preemption"><circle class="dot" cx="3" cy="-4" r="5"/></g>`, "preempted"},
	{`<g class="fault"><circle class="dot" cx="3" cy="-4" r="5"/></g>`, "fault"},
	{`<g class="eviction"><circle class="dot" cx="3" cy="-4" r="5"/></g>`, "evictions seen"},
}

// below writes what the marks mean, and the shapes.
func (c *canvas) below(l *layout) {
	y := l.laneTop(len(l.lanes)) + textLine
	c.put(`<line class="lane" x1="%d" y1="%.1f" x2="%.1f" y2="%.1f"/>`, margin, y-textLine, l.width-margin, y-textLine)
	for _, line := range l.texts {
		c.text(margin, y, "note", line)
		y += textLine
	}
	x := float64(margin)
	for _, k := range keys {
		c.put(`<g transform="translate(%.1f %.1f)">%s</g>`, x, y, k.shape)
		c.text(x+14, y, "answer", k.text)
		x += 14 + letter*float64(runes(k.text)+2)
	}
}

// pad is a number in two letters at least, and a dot.
func pad(n int) string { return fmt.Sprintf("%2d.", n) }
