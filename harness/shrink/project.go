package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// realised returns the schedule that does again what p did under its strategy: what was realised, and
// the faults of p's own schedule that are not among it.
func realised(p model.Program, out Outcome) []model.Intervention {
	schedule := slices.Clone(out.Realised)
	for _, in := range p.Schedule {
		if in.Kind == model.Fault && !slices.Contains(schedule, in) {
			schedule = append(schedule, in)
		}
	}
	return schedule
}

// drop tries the current program without these operations.
func (s *shrinker) drop(opIDs ...int) bool {
	return s.tryProjected(s.current, s.current.Without(opIDs...))
}

// tryProjected tries q, made from p by taking operations out of it, with p's schedule carried over in each way
// there is. p is the current program.
func (s *shrinker) tryProjected(p, q model.Program) bool {
	for _, to := range []projection{toStart, dropped, toSamePoint, through} {
		if s.try(withSchedule(q, projected(p, q, to))) {
			return true
		}
	}
	return s.tryShifted(withSchedule(q, projected(p, q, toSamePoint)))
}

// tryShifted tries q, which was run, with its interventions at points that are as far from the last of their
// operation as they were in the current program. Where an operation is gone another one may find a pool that it had to
// make before: it comes to the same place by a smaller number.
func (s *shrinker) tryShifted(q model.Program) bool {
	points, known := s.points[keyOf(q.Renumber())]
	if !known {
		return false
	}
	shifted := slices.Clone(q.Schedule)
	for i, in := range shifted {
		renumbered := in.At
		renumbered.Op = 1 + indexOf(q.Ops(), in.At.Op)
		if was, is := last(s.last.Points, in.At), last(points, renumbered); was > 0 && is > 0 {
			shifted[i].At.Nth = max(1, in.At.Nth+is-was)
		}
	}
	return !slices.Equal(shifted, q.Schedule) && s.try(withSchedule(q, shifted))
}

// last returns the greatest number of a point of at's operation and kind and, in the code, site; 0 if there is none.
func last(points []model.Point, at model.Point) int {
	n := 0
	for _, p := range points {
		if p.Op == at.Op && p.Kind == at.Kind && p.Site == at.Site {
			n = max(n, p.Nth)
		}
	}
	return n
}

// projection says what becomes of an intervention at an operation that is gone.
type projection int

const (
	toStart     projection = iota // it happens at the start of its session's next operation
	dropped                       // it goes, too
	toSamePoint                   // it happens at the point of the same name of its session's next operation
	through                       // it goes, too; what let the operation go on lets go on whom that one would have
)

// projected carries p's schedule over to q, which has some operations of p's race.
func projected(p, q model.Program, how projection) []model.Intervention {
	// heir returns the operation itself or the next of its session that is left.
	heir := func(id int) (int, bool) {
		i := indexOf(p.Race, id)
		if i < 0 {
			return id, indexOf(q.Setup, id) >= 0
		}
		for _, o := range p.Race[i:] {
			if o.Session == p.Race[i].Session && indexOf(q.Race, o.ID) >= 0 {
				return o.ID, true
			}
		}
		return 0, false
	}
	var schedule []model.Intervention
	for i, in := range p.Schedule {
		at, ok := heir(in.At.Op)
		if !ok {
			continue
		}
		if at != in.At.Op {
			switch {
			case how == dropped, how == through, how == toStart && in.Kind == model.Fault:
				continue
			case how == toStart:
				in.At.Kind, in.At.Nth = model.AtStart, 1
			}
			in.At.Op = at
		}
		if in.Kind == model.Preempt {
			to, ok := heir(in.To)
			if how == through {
				to, ok = beyond(p.Schedule[i:], heir)
				in.To = to
			}
			if !ok || to != in.To && how == dropped || to == in.At.Op {
				continue
			}
			in.To = to
		}
		schedule = append(schedule, in)
	}
	return merged(schedule)
}

// beyond returns whom the first of these preemptions lets go on or, if that operation is gone, whom the next one at that
// operation does, and so on.
func beyond(schedule []model.Intervention, heir func(int) (int, bool)) (int, bool) {
	to := schedule[0].To
	for _, in := range schedule[1:] {
		if id, ok := heir(to); ok && id == to {
			return to, true
		}
		if in.Kind == model.Preempt && in.At.Op == to {
			to = in.To
		}
	}
	id, ok := heir(to)
	return to, ok && id == to
}

// merged joins a preemption with the next where the operation it lets go on would be preempted at once,
// at the point where it is parked already: it goes straight to whom the next lets go on. Operations of
// another session than expected, or none, change nothing.
func merged(schedule []model.Intervention) []model.Intervention {
	for again := true; again; {
		again = false
		parked := map[int]model.Point{} // where each operation was stopped last
		for i := 0; i+1 < len(schedule) && !again; i++ {
			u, v := schedule[i], schedule[i+1]
			if u.Kind != model.Preempt || v.Kind != model.Preempt {
				continue
			}
			parked[u.At.Op] = u.At
			at, was := parked[v.At.Op]
			if u.To != v.At.Op || was && at != v.At || !was && v.At.Kind != model.AtStart {
				continue
			}
			again = true
			schedule = slices.Delete(slices.Clone(schedule), i+1, i+2)
			if schedule[i].To = v.To; v.To == u.At.Op {
				schedule = slices.Delete(schedule, i, i+1)
			}
		}
	}
	return schedule
}
