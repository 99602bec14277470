package model

// A restart releases every lease, closes the service and opens it anew on the same databases.
var verbRestart = verb{
	kind: KindRestart, name: "restart", weight: 2,
	format: func(Op) string { return "" },
	parse:  func(*args, *Op) error { return nil },
	draw:   func(*drawer, *Op) bool { return true },
	step: func(s *State, _ Op, r Response) *Mismatch {
		if r.Status == StatusUnknown {
			s.lost = true
			return nil
		}
		s.forgetService()
		return expectOK(r)
	},
}
