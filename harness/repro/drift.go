package repro

import (
	"fmt"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Divergence is a point of a schedule that is no more what it was when the repro was made.
type Divergence struct {
	At       model.Point
	Expected string // the statement that stood there
	Got      string // the one that stands there now; "": the operation does not come there
}

func (d Divergence) String() string {
	got := d.Got
	if got == "" {
		got = "nothing"
	}
	return fmt.Sprintf("diverged at #%d %s %d: expected %s, got %s", d.At.Op, d.At.Kind, d.At.Nth, d.Expected, got)
}

// Drift compares what a schedule's messages were with what they are now. A service that has changed counts
// other messages, and stopping it at one that only has the number of the right one shows nothing. What the
// steps do not tell of is passed over.
func Drift(schedule []model.Intervention, was, now []history.Step) []Divergence {
	var found []Divergence
	for _, in := range schedule {
		if in.At.Kind != model.AtMessage || slices.ContainsFunc(found, func(d Divergence) bool { return d.At == in.At }) {
			continue
		}
		before, ok := stepAt(was, in.At)
		if !ok || before.Label == "" {
			continue
		}
		d := Divergence{At: in.At, Expected: Statement(before.Label)}
		after, ok := stepAt(now, in.At)
		if ok {
			d.Got = Statement(after.Label)
		}
		if !ok || d.Got != d.Expected {
			found = append(found, d)
		}
	}
	return found
}

func stepAt(steps []history.Step, at model.Point) (history.Step, bool) {
	i := slices.IndexFunc(steps, func(s history.Step) bool { return s.Point == at })
	if i < 0 {
		return history.Step{}, false
	}
	return steps[i], true
}
