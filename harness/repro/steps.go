package repro

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Span is when an operation ran, since the case began.
type Span struct {
	Op         int
	Start, End time.Duration
}

// Spans returns when the operations of a free-running program ran: nothing else tells which of them
// overlapped. Programs of other modes go the same way again and have none.
func Spans(p model.Program, h history.History) []Span {
	if p.Mode != model.Free {
		return nil
	}
	var spans []Span
	for _, e := range h.Entries {
		if !e.Audit {
			spans = append(spans, Span{e.Op.ID, e.Start, e.End})
		}
	}
	return spans
}

// literal is a string in a statement. Labels are cut off, so the last one may have no end.
var literal = regexp.MustCompile(`'(?:[^'\\]|\\.|'')*'?|\$([A-Za-z_][A-Za-z_0-9]*)?\$.*`)

// Statement returns the label of a step without the strings that stand in it, which may be anybody's.
func Statement(label string) string { return Redact(literal.ReplaceAllString(label, "'…'")) }

// What stands in the part of the steps beside steps.
const (
	background = "background"
	waitsLock  = " waits for a lock"
	waits      = " waits"
	waitsEnd   = " waits no more"
)

// formatSteps writes the steps, and between them who begins and ceases to wait.
func formatSteps(steps []history.Step, stretches []history.Wait) []string {
	var lines []string
	for i := range len(steps) + 1 {
		for _, w := range stretches {
			if w.To == i && w.From < i {
				lines = append(lines, fmt.Sprintf("#%d%s", w.Op, waitsEnd))
			}
		}
		for _, w := range stretches {
			switch {
			case w.From == i && w.Lock:
				lines = append(lines, fmt.Sprintf("#%d%s", w.Op, waitsLock))
			case w.From == i:
				lines = append(lines, fmt.Sprintf("#%d%s", w.Op, waits))
			}
		}
		if i < len(steps) {
			lines = append(lines, stepLine(steps[i]))
		}
	}
	return lines
}

func stepLine(s history.Step) string {
	text := s.Point.String()
	if s.Point.Op == 0 {
		text = background + strings.TrimPrefix(text, "#0")
	}
	if s.Label == "" {
		return text
	}
	return text + ": " + s.Label
}

// parseStep reads a line of the steps.
func (r *Repro) parseStep(text string) error {
	for _, w := range []struct {
		suffix    string
		lock, end bool
	}{{waitsLock, true, false}, {waitsEnd, false, true}, {waits, false, false}} {
		id, ok := strings.CutSuffix(text, w.suffix)
		if !ok {
			continue
		}
		at, err := model.ParsePoint(id + " at start")
		switch {
		case err != nil:
			return fmt.Errorf("%q: an operation's id expected, as in #1%s", clip(text), w.suffix)
		case !w.end:
			r.Waits = append(r.Waits, history.Wait{Op: at.Op, Lock: w.lock, From: len(r.Steps), To: -1})
			return nil
		}
		i := slices.IndexFunc(r.Waits, func(v history.Wait) bool { return v.Op == at.Op && v.To < 0 })
		if i < 0 {
			return fmt.Errorf("%q: #%d does not wait", clip(text), at.Op)
		}
		if r.Waits[i].To = len(r.Steps); r.Waits[i].To == r.Waits[i].From {
			r.Waits = slices.Delete(r.Waits, i, i+1) // no step passed
		}
		return nil
	}
	place, label, _ := strings.Cut(text, ": ")
	id := ""
	if rest, ok := strings.CutPrefix(place, background); ok {
		place, id = "#1"+rest, background
	}
	at, err := model.ParsePoint(place)
	if err != nil {
		return fmt.Errorf("%q: a step such as \"#1 at message 2: SELECT 1\" expected", clip(text))
	}
	if id == background {
		at.Op = 0
	}
	r.Steps = append(r.Steps, history.Step{Point: at, Label: label})
	return nil
}

// endWaits lets what still waits have waited to the end.
func (r *Repro) endWaits() {
	for i := range r.Waits {
		if r.Waits[i].To < 0 {
			r.Waits[i].To = len(r.Steps)
		}
	}
	slices.SortStableFunc(r.Waits, func(a, b history.Wait) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Op, b.Op))
	})
}

func formatSpans(spans []Span) []string {
	lines := make([]string, len(spans))
	for i, s := range spans {
		lines[i] = fmt.Sprintf("#%d %s %s", s.Op, s.Start, s.End)
	}
	return lines
}

// parseSpan reads a line of the times.
func (r *Repro) parseSpan(text string) error {
	words := strings.Fields(text)
	if len(words) == 3 {
		at, noID := model.ParsePoint(words[0] + " at start")
		start, noStart := time.ParseDuration(words[1])
		end, noEnd := time.ParseDuration(words[2])
		if noID == nil && noStart == nil && noEnd == nil && start >= 0 && end >= start {
			r.Spans = append(r.Spans, Span{at.Op, start, end})
			return nil
		}
	}
	return fmt.Errorf("%q: an operation and when it began and ended expected, as in #1 2ms 3.5ms", clip(text))
}
