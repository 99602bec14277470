package gate

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// waits notes, for people, which operations cannot go on, and how long. Everything rests when it is asked,
// so that two executions that go the same way give the same.
type waits struct {
	begun map[int]bool
	under map[int]int // by operation: index in noted of the wait under way
	noted []history.Wait
}

func newWaits() *waits { return &waits{begun: map[int]bool{}, under: map[int]int{}} }

// took notes a step.
func (w *waits) took(at model.Point) {
	if at.Op != 0 {
		w.begun[at.Op] = true
	}
}

// look notes what every operation does after so many steps. What stands at a point waits for nobody but us.
func (w *waits) look(steps int, units []*unit, left, locked map[int]bool) {
	for op := range w.begun {
		parked := slices.ContainsFunc(units, func(u *unit) bool { return u.point.Op == op })
		i, waited := w.under[op]
		switch {
		case !left[op] || parked:
			if waited {
				w.noted[i].To = steps
				delete(w.under, op)
			}
		case !waited || w.noted[i].Lock != locked[op]:
			if waited {
				w.noted[i].To = steps
			}
			w.under[op] = len(w.noted)
			w.noted = append(w.noted, history.Wait{Op: op, Lock: locked[op], From: steps})
		}
	}
}

// end returns what was noted. What went by between two steps is left out; what still waits never ended.
func (w *waits) end(steps int) []history.Wait {
	ever := map[int]bool{}
	for op, i := range w.under {
		w.noted[i].To = steps
		ever[op] = true
	}
	w.noted = slices.DeleteFunc(w.noted, func(v history.Wait) bool { return v.From == v.To && !(ever[v.Op] && v.To == steps) })
	slices.SortFunc(w.noted, func(a, b history.Wait) int {
		if a.From != b.From {
			return a.From - b.From
		}
		return a.Op - b.Op
	})
	return w.noted
}

// note notes who waits, now that everything rests.
func (r *run) note(units []*unit) {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	locked := map[int]bool{}
	for l, is := range g.states {
		if is == waiting {
			locked[g.owners[l]] = true
		}
	}
	r.waits.look(len(r.out.Steps), units, r.left, locked)
}
