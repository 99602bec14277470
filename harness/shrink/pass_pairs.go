package shrink

// passPairs drops two operations that need not stand together: each may be needed by the other only.
func passPairs(s *shrinker) {
	ops := s.current.Ops()
	for i := len(ops) - 1; i > 0; i-- {
		for j := i - 1; j >= 0; j-- {
			if s.drop(ops[i].ID, ops[j].ID) {
				return
			}
		}
	}
}
