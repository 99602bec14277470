package hunt

import (
	"cmp"
	"slices"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// mostWindows is how many sets of operations are tried. Those near the violation come first.
const mostWindows = 24

// windows returns gated programs made of one that ran free, each with some of the operations that overlapped
// as its race. spans tell when they ran, and suffered which of them it showed in; 0: at the end.
func windows(p model.Program, spans []repro.Span, suffered int) []model.Program {
	ran := map[int]repro.Span{}
	for _, s := range spans {
		ran[s.Op] = s
	}
	race := slices.DeleteFunc(slices.Clone(p.Race), func(o model.Op) bool { _, ok := ran[o.ID]; return !ok })
	slices.SortStableFunc(race, func(a, b model.Op) int { return cmp.Compare(ran[a.ID].Start, ran[b.ID].Start) })
	w := &windowing{p: p, race: race, ran: ran, seen: map[string]bool{}}
	centres := spread(race)
	if i := slices.IndexFunc(race, func(o model.Op) bool { return o.ID == suffered }); i >= 0 {
		centres = race[:i+1] // what began later cannot have done it
	}
	for _, near := range []int{1, 2} {
		for i := len(centres) - 1; i >= 0; i-- {
			set := w.around(centres[i], near)
			w.add(w.related(set, centres[i]))
			w.add(set)
		}
	}
	w.add(race)
	if len(spans) == 0 {
		w.add(p.Race)
	}
	return w.made
}

// mostCentres is how many operations are tried as the centre of a window where none is known to have suffered.
const mostCentres = 8

// spread picks a few operations, evenly.
func spread(ops []model.Op) []model.Op {
	var some []model.Op
	for i := range min(len(ops), mostCentres) {
		some = append(some, ops[i*len(ops)/min(len(ops), mostCentres)])
	}
	return some
}

type windowing struct {
	p    model.Program
	race []model.Op // in the order in which they began
	ran  map[int]repro.Span
	seen map[string]bool
	made []model.Program
}

// around returns the operations that overlapped one of the race and, for each further step, those that
// overlapped them.
func (w *windowing) around(centre model.Op, near int) []model.Op {
	set := []model.Op{centre}
	for range near {
		next := slices.Clone(set)
		for _, o := range w.race {
			touches := func(s model.Op) bool { return w.overlap(o, s) }
			if !slices.ContainsFunc(next, func(s model.Op) bool { return s.ID == o.ID }) && slices.ContainsFunc(set, touches) {
				next = append(next, o)
			}
		}
		set = next
	}
	return set
}

func (w *windowing) overlap(a, b model.Op) bool {
	x, y := w.ran[a.ID], w.ran[b.ID]
	return x.Start <= y.End && y.Start <= x.End
}

// related keeps what has to do with the project of one operation, as far as the operations tell.
func (w *windowing) related(set []model.Op, centre model.Op) []model.Op {
	return slices.DeleteFunc(slices.Clone(set), func(o model.Op) bool {
		return o.TakesProject() && centre.TakesProject() && o.Project != centre.Project && o.Project != model.Active
	})
}

// add makes a program of the operations that are to race, unless one session has them all.
func (w *windowing) add(set []model.Op) {
	in, sessions := map[int]bool{}, map[int]bool{}
	var end time.Duration
	for _, o := range set {
		in[o.ID], sessions[o.Session] = true, true
		end = max(end, w.ran[o.ID].End)
	}
	if len(sessions) < 2 || len(w.made) == mostWindows {
		return
	}
	q := w.p.Clone()
	q.Mode, q.Race, q.Schedule = model.Gated, nil, nil
	for _, o := range w.race {
		switch {
		case in[o.ID]:
			q.Race = append(q.Race, o)
		case w.ran[o.ID].Start <= end: // it may matter what it left; later ones cannot
			q.Setup = append(q.Setup, o)
		}
	}
	if len(w.race) == 0 {
		q.Race = slices.Clone(set)
	}
	// Where nothing is said the lowest-numbered goes first, so that numbers that changed later, as shrinking
	// changes them, would make another schedule of it.
	q = q.Without().Renumber()
	if text := q.String(); q.Validate() == nil && !w.seen[text] {
		w.seen[text] = true
		w.made = append(w.made, q)
	}
}
