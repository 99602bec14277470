package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passMode runs the operations one after the other: what does not need a race fails without one.
func passMode(s *shrinker) {
	if s.current.Mode == model.Sequential {
		return
	}
	q := moved(s.current, ids(s.current.Race))
	q.Mode, q.Schedule, q.Strategy = model.Sequential, nil, model.Strategy{}
	s.try(q)
}

// passRealised takes what really deviated from the default schedule for the schedule: all interventions
// that did not happen go at once.
func passRealised(s *shrinker) {
	if s.last.Gated && s.current.Strategy == (model.Strategy{}) {
		s.try(withSchedule(s.current, s.last.Realised))
	}
}
