package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// chart is what a timeline shows, before anything has a place: moments are numbered from 0, in order. How
// long what is between two of them took is not shown: under the gate it means nothing.
type chart struct {
	lanes   []lane
	marks   []mark
	moments int
	wrong   int    // the moment at which the violation shows; -1: there is none
	title   string // the fingerprint
	verdict string // what is wrong
}

// lane is what happens to one session, in the background, or at the end.
type lane struct {
	name string
	bars []bar
}

// bar is an operation.
type bar struct {
	op            int // its ID; 0: of the audit, or of nobody
	from, to      int // moments
	label, answer string
	ticks         []tick
	waits         []stretch
	wrong         bool // it shows the violation
	never         bool // it did not run
}

// tick is a step of an operation.
type tick struct {
	at    int
	kind  model.PointKind
	nth   int
	title string
}

// stretch is a time during which an operation could not go on.
type stretch struct {
	from, to int
	lock     bool
}

// mark is something that is pointed out, and explained below.
type mark struct {
	at       int
	kind     markKind
	from, to int // lanes; the same where it concerns one
	text     string
}

type markKind string

const (
	preemption markKind = "preemption"
	fault      markKind = "fault"
	eviction   markKind = "eviction"
)

const (
	backgroundLane = "background"
	endLane        = "at the end"
)

// newChart places a repro's operations on moments. Under the gate these are steps; where operations ran
// free, their beginnings and ends.
func newChart(r repro.Repro, h history.History) *chart {
	b := &charting{
		chart: &chart{title: visible(r.Fingerprint()), verdict: visible(r.Violation.Sentence), wrong: -1}, r: r, answers: answers(r),
		bars: map[int]*bar{}, lanes: map[int]int{},
	}
	b.place()
	b.audit()
	b.rest()
	b.assemble()
	b.interventions()
	b.evictions(h)
	return b.chart
}

type charting struct {
	*chart
	r       repro.Repro
	answers map[int]string
	bars    map[int]*bar // by operation
	lanes   map[int]int  // by operation: its lane
	audited []bar
	nobody  []bar
	order   []int // operations as they began
	base    int   // the moment of the first step
}

// begin adds a bar for an operation.
func (b *charting) begin(op, from int) *bar {
	bar := &bar{op: op, from: from, answer: clip(visible(b.answers[op]), mostOfAnswer)}
	b.bars[op] = bar
	b.order = append(b.order, op)
	return bar
}

func (b *charting) moment() int {
	b.moments++
	return b.moments - 1
}

const mostOfAnswer = 30

// place gives every operation that ran its moments.
func (b *charting) place() {
	stepped := map[int]bool{}
	for _, s := range b.r.Steps {
		stepped[s.Point.Op] = true
	}
	spans := map[int]repro.Span{}
	for _, s := range b.r.Spans {
		spans[s.Op] = s
	}
	var overlapping []repro.Span
	for _, e := range entries(b.r) {
		switch span, ok := spans[e.op]; {
		case e.op == 0 || b.bars[e.op] != nil || stepped[e.op]:
		case ok:
			overlapping = append(overlapping, span)
		default:
			b.begin(e.op, b.moment()).to = b.moment()
		}
	}
	b.overlap(overlapping)
	b.steps()
}

// overlap places operations by when they began and ended.
func (b *charting) overlap(spans []repro.Span) {
	type edge struct {
		span repro.Span
		end  bool
	}
	var edges []edge
	for _, s := range spans {
		edges = append(edges, edge{s, false}, edge{s, true})
	}
	when := func(e edge) int64 {
		if e.end {
			return int64(e.span.End)
		}
		return int64(e.span.Start)
	}
	slices.SortStableFunc(edges, func(x, y edge) int { return cmp.Compare(when(x), when(y)) })
	for _, e := range edges {
		if e.end {
			b.bars[e.span.Op].to = b.moment()
		} else if b.bars[e.span.Op] == nil {
			b.begin(e.span.Op, b.moment())
		}
	}
}

// steps places what ran under the gate. Each step takes two moments: itself, and what comes of it.
func (b *charting) steps() {
	base := b.moments
	b.base = base
	b.moments += 2 * len(b.r.Steps)
	for i, s := range b.r.Steps {
		at := base + 2*i
		bar := b.bars[s.Point.Op]
		if bar == nil {
			bar = b.begin(s.Point.Op, at)
		}
		bar.to = at + 1
		if s.Point.Kind != model.AtStart {
			bar.ticks = append(bar.ticks, tick{at: at, kind: s.Point.Kind, nth: s.Point.Nth, title: tickTitle(s)})
		}
	}
	for _, w := range b.r.Waits {
		bar := b.bars[w.Op]
		if bar == nil {
			continue
		}
		s := stretch{from: max(base+2*w.From-1, bar.from), to: max(base+2*w.To-1, base+2*w.From), lock: w.Lock}
		b.moments = max(b.moments, s.to+1)
		bar.waits = append(bar.waits, s)
		bar.to = max(bar.to, s.to)
	}
	if nobody := b.bars[0]; nobody != nil {
		delete(b.bars, 0)
		b.order = slices.DeleteFunc(b.order, func(op int) bool { return op == 0 })
		b.nobody = append(b.nobody, *nobody)
	}
}

func tickTitle(s history.Step) string {
	text := s.Point.Kind.String()
	if s.Point.Kind == model.AtCode {
		text = s.Point.Site
	}
	text = fmt.Sprintf("%s %d", text, s.Point.Nth)
	if s.Label != "" {
		text += ": " + s.Label
	}
	return visible(text)
}

// audit places what was asked at the end.
func (b *charting) audit() {
	for i, e := range entries(b.r) {
		asked, isAsked := strings.CutPrefix(e.asked, endLane+": ")
		wrong := i == b.r.Violation.Position && b.r.Violation.Sentence != ""
		switch {
		case e.op != 0 && wrong:
			b.bars[e.op].wrong = true
			b.wrong = b.bars[e.op].to
		case e.op == 0 && isAsked && e.answer != "":
			bar := bar{from: b.moment(), to: b.moment(), label: clip(visible(asked), mostOfAnswer), answer: clip(visible(e.answer), mostOfAnswer), wrong: wrong}
			b.audited = append(b.audited, bar)
			if wrong {
				b.wrong = bar.to
			}
		}
	}
	if b.wrong < 0 && b.r.Violation.Sentence != "" {
		b.wrong = b.moment()
	}
}

// rest places what never ran, so that nothing of the program is missing.
func (b *charting) rest() {
	for _, o := range b.r.Program.Ops() {
		if b.bars[o.ID] == nil {
			bar := b.begin(o.ID, b.moment())
			bar.to, bar.answer, bar.never = b.moment(), "did not run", true
		}
	}
}

// assemble makes lanes of the bars.
func (b *charting) assemble() {
	ops := map[int]model.Op{}
	for _, o := range b.r.Program.Ops() {
		ops[o.ID] = o
	}
	for s := range b.r.Program.Sessions {
		l := lane{name: fmt.Sprintf("session %d", s)}
		for _, id := range b.order {
			if o, ok := ops[id]; ok && o.Session == s {
				bar := b.bars[id]
				bar.label = fmt.Sprintf("#%d %s", id, bare(o.String()))
				l.bars = append(l.bars, *bar)
				b.lanes[id] = len(b.chart.lanes)
			}
		}
		b.chart.lanes = append(b.chart.lanes, l)
	}
	for _, more := range []lane{{backgroundLane, b.nobody}, {endLane, b.audited}} {
		if len(more.bars) > 0 {
			b.chart.lanes = append(b.chart.lanes, more)
		}
	}
	if len(b.nobody) > 0 {
		b.lanes[0] = b.r.Program.Sessions
	}
}

// interventions marks where the schedule had its way.
func (b *charting) interventions() {
	t := &teller{r: b.r}
	for _, h := range happenings(b.r) {
		m := mark{at: max(b.base+2*h.step-1, 0), kind: preemption, from: b.lanes[h.in.At.Op], to: b.lanes[h.in.To]}
		if h.in.Kind == model.Fault {
			m.kind, m.to = fault, m.from
			m.text = fmt.Sprintf("#%d is about to %s: %s", h.in.At.Op, t.about(h.in.At), h.in.Fault)
		} else {
			m.text = fmt.Sprintf("#%d is about to %s: #%d goes on instead", h.in.At.Op, t.about(h.in.At), h.in.To)
		}
		b.marks = append(b.marks, m)
	}
}

// evictions marks where statistics show that pools have left for others.
func (b *charting) evictions(h history.History) {
	audited := 0
	known := int64(0)
	for _, e := range h.Entries {
		lane, bar := len(b.chart.lanes)-1, b.bars[e.Op.ID]
		if e.Audit {
			if audited == len(b.audited) {
				return
			}
			bar = &b.audited[audited]
			audited++
		} else {
			lane = b.lanes[e.Op.ID]
		}
		if e.Op.Kind == model.KindRestart {
			known = 0 // the counters begin anew
		}
		if e.Response.Stats == nil || bar == nil {
			continue
		}
		if more := e.Response.Stats.Evictions - known; more > 0 {
			b.marks = append(b.marks, mark{at: bar.to, kind: eviction, from: lane, to: lane,
				text: fmt.Sprintf("the statistics show %d more evicted than before", more)})
		}
		known = e.Response.Stats.Evictions
	}
}
