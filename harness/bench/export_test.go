package bench

// Slowest is what diagnoses read off a log.
func Slowest(s *ServerLog) []Logged { return s.slowest(0) }

// Advise is what diagnoses make of what they found.
func Advise(e *Evidence) []string {
	e.advise()
	return e.Advice
}
