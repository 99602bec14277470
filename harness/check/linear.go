package check

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tenantstorm/tenantstorm/model"
)

// linearTime is how long the linearizability of one project's history may take to decide. The problem
// is NP-complete; what is not decided by then is inconclusive, never a failure.
const linearTime = 2 * time.Second

// event is one operation of a concurrent history as a linearizability checker sees it: it took effect
// at one moment between call and end. Operation and response are the history's own wherever they can be:
// there may be a million.
type event struct {
	entry     int // index in the history
	op        *model.Op
	response  *model.Response
	call, end int64
}

// never is when an operation ends whose outcome is unknown: it may take effect at any time, or not at all.
const never = math.MaxInt64

var unanswered = &model.Response{Status: model.StatusUnknown}

// pending returns the event as it was before it was answered.
func (e event) pending() event {
	e.response, e.end = unanswered, never
	return e
}

// spec is a sequential specification: a state, what an event makes of it, and whether that is possible.
type spec[S any] struct {
	family   string // of a mismatch that no single answer shows
	init     S
	step     func(S, event) (S, *model.Mismatch)
	equal    func(a, b S) bool
	describe func(S) string
}

func (s spec[S]) porcupine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return s.init },
		Step: func(state, input, _ any) (bool, any) {
			next, m := s.step(state.(S), input.(event))
			return m == nil, next
		},
		Equal:         func(a, b any) bool { return s.equal(a.(S), b.(S)) },
		DescribeState: func(state any) string { return s.describe(state.(S)) },
	}
}

func (s spec[S]) check(events []event, within time.Duration) porcupine.CheckResult {
	ops := make([]porcupine.Operation, len(events))
	for i, e := range events {
		ops[i] = porcupine.Operation{ClientId: e.op.Session, Input: e, Call: e.call, Return: e.end}
	}
	return porcupine.CheckOperationsTimeout(s.porcupine(), ops, within)
}

// judge decides whether the events are linearizable. Where they are not, it names the event at whose
// end that became certain, and how its answer differs from what the events before it, taken in the
// order of their ends, would have given.
func (s spec[S]) judge(events []event) (porcupine.CheckResult, event, *model.Mismatch) {
	began := time.Now()
	result := s.check(events, linearTime)
	if result != porcupine.Illegal {
		return result, event{}, nil
	}
	byEnd := slices.Clone(events)
	slices.SortStableFunc(byEnd, func(a, b event) int { return cmp.Compare(a.end, b.end) })
	// A longer prefix of an impossible history is impossible, too, so the shortest is found by bisection.
	// What cannot be decided in time counts as possible: the culprit is then a later one.
	at, _ := slices.BinarySearchFunc(byEnd, porcupine.Illegal, func(e event, want porcupine.CheckResult) int {
		if s.check(prefix(events, e.end), max(linearTime-time.Since(began), linearTime/10)) == want {
			return 0
		}
		return -1
	})
	at = min(at, len(byEnd)-1)
	culprit := byEnd[at]
	state := s.init
	for _, e := range byEnd[:at] {
		if e.end != never {
			state, _ = s.step(state, e)
		}
	}
	_, m := s.step(state, culprit)
	if m == nil {
		m = &model.Mismatch{Invariant: s.family, Kind: "not-linearizable", Want: "an order of the operations that explains every answer", Got: "none"}
	}
	return result, culprit, m
}

// prefix returns the history as it was when an event ended: what began later is gone, what was under
// way is pending.
func prefix(events []event, end int64) []event {
	var kept []event
	for _, e := range events {
		switch {
		case e.call > end:
		case e.end > end:
			kept = append(kept, e.pending())
		default:
			kept = append(kept, e)
		}
	}
	return kept
}
