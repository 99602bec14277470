package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passNames takes the simplest family of names that does.
func passNames(s *shrinker) {
	for _, f := range model.NameFamilies() {
		q := s.current.Clone()
		q.Names = f
		if s.try(q) {
			return
		}
	}
}
