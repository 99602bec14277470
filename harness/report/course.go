package report

import (
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// entry is a line of the history: an operation and what came of it.
type entry struct {
	op     int    // its ID; 0: asked by the audit, or no operation
	asked  string // without ID and session
	answer string
}

// entries reads the history of a repro back. What was found at rest is at its end and no operation.
func entries(r repro.Repro) []entry {
	var es []entry
	for _, line := range r.History {
		asked, answer, _ := strings.Cut(line, " → ")
		e := entry{asked: asked, answer: answer}
		if id, _, ok := strings.Cut(asked, " "); ok && strings.HasPrefix(id, "#") {
			if at, err := model.ParsePoint(id + " at start"); err == nil {
				e.op = at.Op
				e.asked = bare(asked)
			}
		}
		es = append(es, e)
	}
	return es
}

// bare is an operation's line without its ID and session.
func bare(line string) string {
	words := strings.SplitN(line, " ", 3)
	return words[len(words)-1]
}

// answers returns, by operation, what came of it.
func answers(r repro.Repro) map[int]string {
	found := map[int]string{}
	for _, e := range entries(r) {
		if e.op != 0 {
			found[e.op] = e.answer
		}
	}
	return found
}

// happening is an intervention and the step that it happened before.
type happening struct {
	step int
	in   model.Intervention
}

// happenings tells before which step each intervention of the schedule happened. Those of which the steps
// do not tell are left out.
func happenings(r repro.Repro) []happening {
	var found []happening
	cursor := 0
	for _, in := range r.Program.Schedule {
		step, ok := before(r, in, cursor)
		if !ok {
			continue
		}
		found = append(found, happening{step, in})
		if in.Kind == model.Preempt {
			cursor = step + 1
		}
	}
	return found
}

// before looks, from a step on, for the one that an intervention happened before. A preemption comes before
// the first step of who goes on instead, while the one who was stopped stood at the point.
func before(r repro.Repro, in model.Intervention, from int) (step int, ok bool) {
	if in.Pauses() {
		step = slices.IndexFunc(r.Steps, func(s history.Step) bool { return s.Point == in.At })
		return step, step >= 0
	}
	at, last := len(r.Steps), -1 // the step from the point, and the one before it
	for i, s := range r.Steps {
		if s.Point == in.At {
			at = i
			break
		}
		if s.Point.Op == in.At.Op {
			last = i
		}
	}
	if in.Kind == model.Fault {
		if at == len(r.Steps) {
			at = last + 1 // what was about to happen there never did
		}
		return at, true
	}
	turn := 0
	for i, s := range r.Steps[:at] {
		if s.Point.Op == 0 {
			continue // what is nobody's takes nobody's turn
		}
		if i >= from && i > last && s.Point.Op == in.To && turn != in.To {
			return i, true
		}
		turn = s.Point.Op
	}
	return 0, false
}
