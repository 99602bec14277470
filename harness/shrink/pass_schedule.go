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
	for i := range s.current.Schedule {
		s.earlier(i)
	}
}

// earlier moves the ith intervention to the earliest message of its operation that does.
func (s *shrinker) earlier(i int) {
	for m := 1; m < s.current.Schedule[i].Message; m++ {
		schedule := slices.Clone(s.current.Schedule)
		schedule[i].Message = m
		if s.try(withSchedule(s.current, schedule)) {
			return
		}
	}
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
// what comes before it in its session, and without the interventions that were anchored at them.
func passSetup(s *shrinker) {
	if len(s.current.Race) == 0 {
		return
	}
	if s.try(moved(s.current, ids(s.current.Race))) {
		return
	}
	for i := 0; i < len(s.current.Race); {
		var with []int
		for _, o := range s.current.Race[:i+1] {
			if o.Session == s.current.Race[i].Session {
				with = append(with, o.ID)
			}
		}
		if n := len(s.current.Race); !s.try(moved(s.current, with)) || len(s.current.Race) >= n {
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
	q.Schedule = slices.DeleteFunc(q.Schedule, func(in model.Intervention) bool {
		return slices.Contains(opIDs, in.Op) || in.Kind == model.Preempt && slices.Contains(opIDs, in.To)
	})
	return q
}
