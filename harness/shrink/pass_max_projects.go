package shrink

// passMaxProjects lowers the limit: most faults of a full set of pools show at one or two.
func passMaxProjects(s *shrinker) {
	for _, n := range []int{1, 2, 3} {
		if s.maxProjects(n) {
			return
		}
	}
	for s.maxProjects(s.current.MaxProjects/2) || s.maxProjects(s.current.MaxProjects-1) {
		continue
	}
}

func (s *shrinker) maxProjects(n int) bool {
	q := s.current.Clone()
	q.MaxProjects = n
	return s.try(q)
}
