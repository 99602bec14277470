package shrink

// passChunks drops runs of operations, long ones first, from the end: what stands late is the less
// likely to be needed by the rest.
func passChunks(s *shrinker) {
	for size := max(s.current.Len()/2, 1); size >= 1; size /= 2 {
		for lo := s.current.Len() - size; lo > -size; lo -= size {
			lo = min(lo, s.current.Len()) // whatever referred to the dropped went along
			ops := s.current.Ops()
			hi := min(lo+size, len(ops))
			if from := max(lo, 0); from < hi && s.drop(ids(ops[from:hi])...) {
				passCut(s)
			}
		}
	}
}
