package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// sample holds the rounds of one figure.
type sample []float64

func (s *sample) add(x float64) { *s = append(*s, x) }

func (s *sample) took(d time.Duration) { s.add(float64(d) / float64(time.Millisecond)) }

// median returns the middle value, or the mean of the two in the middle; NaN of none.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// span gives the smallest and the largest value.
func (s sample) span() string {
	if len(s) == 0 {
		return "–"
	}
	return number(slices.Min(s)) + " – " + number(slices.Max(s))
}

// over returns the quotients of what was measured side by side.
func (s sample) over(t sample) sample {
	var q sample
	for i := range min(len(s), len(t)) {
		q.add(s[i] / t[i])
	}
	return q
}

// number gives three significant digits, and all digits before the point.
func number(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.3f", x)
	}
}

// whole is a whole number with its thousands apart.
func whole(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// table is a Markdown table; the first row is its head.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) String() string {
	var b strings.Builder
	for i, r := range t {
		b.WriteString("| " + strings.Join(r, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(r)) + "\n")
		}
	}
	return b.String()
}

// section is one part of the document.
type section struct {
	title         string
	text          string // before the table
	table         table
	verdicts      []string // the bars, met or missed
	missed        []string // those that were missed
	before, after string   // load averages
}

// bar compares a figure with what it has to be.
func (s *section) bar(what string, met bool) {
	word := "met"
	if !met {
		word = "MISSED"
		s.missed = append(s.missed, s.title+": missed: "+what)
	}
	s.verdicts = append(s.verdicts, fmt.Sprintf("Bar: %s: **%s**.", what, word))
}

// document is the whole file.
type document struct {
	file     string
	title    string
	machine  string
	rounds   int
	sections []section
}

func (d *document) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# %s

Written by `+"`make performance`"+`; every figure below was measured by that run, none was typed. Figures are
medians of %d rounds unless it says otherwise; what is compared was measured by turns. Load is the average
number of running processes over the last minute, the measurement's own included: above the number of
cores, something else had its share.

%s
`, d.title, d.rounds, d.machine)
	for _, s := range d.sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s\n", s.title, strings.TrimSpace(s.text), s.table)
		for _, v := range s.verdicts {
			fmt.Fprintf(&b, "%s\n", v)
		}
		fmt.Fprintf(&b, "Load %s before, %s after.\n", s.before, s.after)
	}
	return b.String()
}
