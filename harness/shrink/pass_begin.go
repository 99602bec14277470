package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passBegin lets the session begin the race that a preemption at the start of an operation lets go first: without
// that preemption it comes to the same.
func passBegin(s *shrinker) {
	for i := 0; i < len(s.current.Schedule); i++ {
		in := s.current.Schedule[i]
		to := indexOf(s.current.Race, in.To)
		if in.Kind != model.Preempt || in.At.Kind != model.AtStart || to < 0 {
			continue
		}
		q := begunBy(withoutInterventions(s.current, i, i), s.current.Race[to].Session)
		if s.try(fewerSessions(tight(q))) || s.try(q) {
			i = -1
		}
	}
}
