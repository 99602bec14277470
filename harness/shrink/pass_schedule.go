package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passInterventions drops interventions, all, singly and in pairs (a preemption and the one back), and
// moves the rest to earlier messages.
func passInterventions(s *shrinker) {
	if len(s.current.Schedule) == 0 {
		return
	}
	if s.try(withSchedule(s.current, nil)) {
		return
	}
	for i := len(s.current.Schedule) - 1; i >= 0; i-- {
		s.try(withoutInterventions(s.current, i, i))
	}
	for i := len(s.current.Schedule) - 1; i > 0; i-- {
		for j := i - 1; j >= 0; j-- {
			if s.try(withoutInterventions(s.current, j, i)) {
				i = len(s.current.Schedule)
				break
			}
		}
	}
	for i := 0; i < len(s.current.Schedule); i++ {
		s.simplerPoint(i)
	}
}

// simplerPoint moves the ith intervention to the simplest point of its operation that does. Where the
// points of the execution are known no other is tried.
func (s *shrinker) simplerPoint(i int) {
	at := s.current.Schedule[i].At
	for _, point := range s.simplerPoints(at) {
		if s.current.Schedule[i].Kind == model.Fault && point.Kind != at.Kind && point.Kind != model.AtMessage {
			continue // harm is done to what is on its way
		}
		schedule := slices.Clone(s.current.Schedule)
		schedule[i].At = point
		if s.try(withSchedule(s.current, schedule)) {
			return
		}
		if moved := schedule[i]; moved.Kind == model.Fault {
			// At one point the order counts: a preemption there first, and the harm when it is come back to.
			if s.try(withSchedule(s.current, append(slices.Delete(schedule, i, i+1), moved))) {
				return
			}
		}
	}
}

// simplerPoints returns the points of at's operation that come before it in the canonical order.
func (s *shrinker) simplerPoints(at model.Point) []model.Point {
	var out []model.Point
	if s.last.Gated {
		for _, p := range s.last.Points {
			if p.Op == at.Op && comparePoints(p, at) < 0 && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
		slices.SortFunc(out, comparePoints)
		return out
	}
	for _, kind := range model.PointKinds() {
		if pointRank(kind) < pointRank(at.Kind) {
			out = append(out, model.Point{Op: at.Op, Kind: kind, Nth: 1})
		}
	}
	slices.SortFunc(out, comparePoints)
	for nth := 1; nth < at.Nth; nth++ {
		out = append(out, model.Point{Op: at.Op, Kind: at.Kind, Nth: nth})
	}
	return out
}

func withSchedule(p model.Program, schedule []model.Intervention) model.Program {
	q := p.Clone()
	q.Schedule = schedule
	return q
}

// withoutInterventions returns the program without its ith and jth intervention.
func withoutInterventions(p model.Program, i, j int) model.Program {
	var rest []model.Intervention
	for n, in := range p.Schedule {
		if n != i && n != j {
			rest = append(rest, in)
		}
	}
	return withSchedule(p, rest)
}

// passSetup moves operations from the race into the setup, all at once and then one by one, each with
// what comes before it in its session.
func passSetup(s *shrinker) {
	if len(s.current.Race) == 0 {
		return
	}
	if s.tryProjected(s.current, moved(s.current, ids(s.current.Race))) {
		return
	}
	for i := 0; i < len(s.current.Race); {
		var with []int
		for _, o := range s.current.Race[:i+1] {
			if o.Session == s.current.Race[i].Session {
				with = append(with, o.ID)
			}
		}
		if n := len(s.current.Race); !s.tryProjected(s.current, moved(s.current, with)) || len(s.current.Race) >= n {
			i++
		}
	}
}

// moved returns the program with these operations of the race at the end of the setup.
func moved(p model.Program, opIDs []int) model.Program {
	q := p.Clone()
	q.Race = nil
	for _, o := range p.Race {
		if slices.Contains(opIDs, o.ID) {
			q.Setup = append(q.Setup, o)
		} else {
			q.Race = append(q.Race, o)
		}
	}
	return q
}
