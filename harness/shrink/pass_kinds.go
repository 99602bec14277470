package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passKinds takes operations to verbs that come earlier in the canonical order.
func passKinds(s *shrinker) {
	for i := s.current.Len() - 1; i >= 0; i-- {
		ops := s.current.Ops()
		if i >= len(ops) {
			continue
		}
		o := ops[i]
		for _, n := range otherKinds(s.current, o, func(k model.Kind) bool { return k < o.Kind }) {
			if s.try(replaced(s.current, n)) {
				break
			}
		}
	}
}
