package check

import (
	"cmp"
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// intervals judges a long history of one project in time linear but for the sorting: an answer is
// possible if some write that it may have seen explains it. A write is out of sight when it began after
// the answer, or when another write began after it had ended and ended before the question. That is
// necessary for linearizability, not sufficient: two searches that disagree on the order of two
// overlapping writes are not noticed.
func (r *race) intervals(project int, events []event) {
	w := &writes{start: r.state.Tenant(project), newest: -1}
	var reads []*event
	for i := range events {
		if e := &events[i]; !w.add(e) {
			reads = append(reads, e)
		}
	}
	w.sort()
	slices.SortStableFunc(reads, func(a, b *event) int { return cmp.Compare(a.call, b.call) })
	for _, read := range reads {
		if m := w.explain(read); m != nil {
			r.report(read.entry, m)
			return
		}
	}
}

// writes are what one project's history wrote, ready to be asked in the order of the questions.
type writes struct {
	start    model.Tenant // before any of them
	byEnd    []*event     // those that were answered, by end
	sessions [][]*event   // the same by session, where one follows the other
	unknown  []*event     // those that were not: each may take effect at any time after it began

	ended  int      // byEnd[:ended] ended before the question
	newest int64    // the latest beginning among them: what ended before it is out of sight
	live   []*event // those of them that are not
}

func (w *writes) add(e *event) bool {
	if e.op.Kind != model.KindIndex && e.op.Kind != model.KindDrop {
		return false
	}
	switch e.response.Status {
	case model.StatusUnknown:
		w.unknown = append(w.unknown, e)
	case model.StatusOK:
		w.byEnd = append(w.byEnd, e)
		for len(w.sessions) <= e.op.Session {
			w.sessions = append(w.sessions, nil)
		}
		w.sessions[e.op.Session] = append(w.sessions[e.op.Session], e)
	default:
		// Refused: its error has to be explained like an answer. Leases are not followed here.
		return e.response.Error == model.ErrInUse
	}
	return true
}

func (w *writes) sort() {
	slices.SortStableFunc(w.byEnd, func(a, b *event) int { return cmp.Compare(a.end, b.end) })
	for _, s := range w.sessions {
		slices.SortStableFunc(s, func(a, b *event) int { return cmp.Compare(a.call, b.call) })
	}
}

// explain says how the answer is impossible after every write it may have seen, or nil. Questions come
// in the order of their beginnings.
func (w *writes) explain(read *event) *model.Mismatch {
	for ; w.ended < len(w.byEnd) && w.byEnd[w.ended].end < read.call; w.ended++ {
		w.newest = max(w.newest, w.byEnd[w.ended].call)
		w.live = append(w.live, w.byEnd[w.ended])
	}
	w.live = slices.DeleteFunc(w.live, func(e *event) bool { return e.end < w.newest })
	var why *model.Mismatch
	explains := func(t model.Tenant) bool {
		_, m := t.Step(*read.op, *read.response)
		if why == nil {
			why = m
		}
		return m == nil
	}
	for _, e := range w.live {
		if explains(w.start.After(*e.op, *e.response)) {
			return nil
		}
	}
	if w.newest < 0 && explains(w.start) {
		return nil
	}
	for _, s := range w.sessions {
		at, _ := slices.BinarySearchFunc(s, read.call, func(e *event, call int64) int { return cmp.Compare(e.end, call) })
		for _, e := range s[at:] {
			if e.call > read.end {
				break
			}
			if explains(w.start.After(*e.op, *e.response)) {
				return nil
			}
		}
	}
	for _, e := range w.unknown {
		if e.call <= read.end && explains(w.start.After(*e.op, *e.response)) {
			return nil
		}
	}
	return why
}
