package report

import (
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// Timeline draws a repro's course as a picture: a lane for each session, for what the service does in the
// background and for what is asked at the end. h is what the repro was made of; of it the evictions are
// taken. The picture is readable by itself, on light and dark ground.
func Timeline(r repro.Repro, h history.History) []byte {
	return draw(layOut(newChart(r, h)))
}

// Measures, in pixels. Letters are all as wide as one another, so that how long a text is can be told.
const (
	letter     = 6.7 // of the texts in bars and below
	smallWide  = 5.8 // of the numbers of ticks
	margin     = 12
	gutter     = 104 // for the names of lanes
	step       = 11  // between two moments, at least
	padding    = 6   // within a bar
	leastWidth = 780
	titleLine  = 20 // height of a line of the title
	textLine   = 16
	markRow    = 18
	laneHeight = 64
	barHeight  = 50
	bandTop    = 30 // of what shows how it went, within a bar
	markRadius = 8
)

// layout is a chart with a place for everything.
type layout struct {
	*chart
	x             []float64 // of each moment
	rows          []int     // of each mark: its row above the lanes
	wrongRow      int
	titles        []string // in lines
	texts         []string // below, in lines
	top           float64  // of the first lane
	width, height float64
}

// layOut gives everything a place. Moments are so far apart that every bar holds its label.
func layOut(c *chart) *layout {
	l := &layout{chart: c, x: make([]float64, c.moments)}
	ends := make([][]bar, c.moments)
	for _, lane := range c.lanes {
		for _, b := range lane.bars {
			ends[b.to] = append(ends[b.to], b)
		}
	}
	at := float64(margin + gutter)
	for m := range l.x {
		l.x[m] = at
		for _, b := range ends[m] {
			l.x[m] = max(l.x[m], l.x[b.from]+needs(b))
		}
		at = l.x[m] + step
	}
	l.width = max(leastWidth, at+margin)
	l.explain()
	rows := l.placeMarks()
	l.top = margin + titleLine*float64(len(l.titles)) + markRow*float64(rows) + markRow/2
	l.height = l.top + laneHeight*float64(len(c.lanes)) + textLine*float64(len(l.texts)+2) + margin
	return l
}

// needs is how wide a bar has to be.
func needs(b bar) float64 {
	return 2*padding + letter*float64(max(runes(b.label), runes(b.answer)))
}

func runes(s string) int { return len([]rune(s)) }

// placeMarks gives each mark a row above the lanes, in which it touches no other, and returns how many rows
// there are.
func (l *layout) placeMarks() int {
	var until []float64
	row := func(from, to float64) int {
		for i := range until {
			if until[i] < from {
				until[i] = to
				return i
			}
		}
		until = append(until, to)
		return len(until) - 1
	}
	order := make([]int, len(l.marks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return l.marks[a].at - l.marks[b].at })
	l.rows = make([]int, len(l.marks))
	for _, i := range order {
		x := l.x[l.marks[i].at]
		l.rows[i] = row(x-markRadius-1, x+markRadius+1)
	}
	l.wrongRow = len(until) // a row of its own: it is what one looks for
	return len(until) + 1
}

const wrongLabel = "wrong here"

// wrongText is where the label of the violation begins and ends.
func (l *layout) wrongText() (from, to float64) {
	wide := letter * float64(runes(wrongLabel))
	from = min(l.x[l.wrong]-wide/2, l.width-margin-wide)
	return from, from + wide
}

// explain breaks what is said above and below into lines.
func (l *layout) explain() {
	most := int((l.width - 2*margin) / letter)
	if l.title != "" {
		l.titles = append(wrap(l.title, most), wrap(l.verdict, most)...)
	}
	for i, m := range l.marks {
		for j, line := range wrap(m.text, most-4) {
			number := "   "
			if j == 0 {
				number = pad(i + 1)
			}
			l.texts = append(l.texts, number+" "+line)
		}
	}
}

// wrap breaks a text into lines of at most so many letters, between words where it can.
func wrap(text string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for runes(word) > most {
			r := []rune(word)
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(r[:most])), string(r[most:])
		}
		switch {
		case line == "":
			line = word
		case runes(line)+1+runes(word) <= most:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
