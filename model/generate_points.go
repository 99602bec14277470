package model

// codePoints are about how many points in the code an operation of each kind comes to, by the set that is
// drawn from. The service that was counted is the reference service; another's are of that order.
var codePoints = [pointsEnd][kindEnd]int{
	Locks:     {KindIndex: 7, KindSearch: 5, KindHold: 5, KindRelease: 6, KindDrop: 8, KindSwitch: 1, KindStats: 1},
	AllPoints: {KindIndex: 20, KindSearch: 14, KindHold: 14, KindRelease: 16, KindDrop: 24, KindSwitch: 2, KindStats: 2},
}

// How a strategy among points in the code is drawn, in tenths. There are many of them, and what goes wrong
// between two goes wrong, mostly, at one: so there are few changes.
const (
	codePCT2   = 6            // PCT for faults of depth 2
	codePCT3   = codePCT2 + 2 // of depth 3
	codeTenths = 10           // the rest: a random walk
)

// inCode draws, for every second program where the code of the service has points, a strategy that chooses
// among them; before locks, more often than not: what is between an unlock and the next lock is the same to
// whoever waits for either.
func (d *drawer) inCode(most Points) bool {
	if most == Messages || d.src.Int("points in the code", 0, 1) == 0 {
		return false
	}
	s := &d.prog.Strategy
	s.Points = Locks
	if most > Locks && d.src.Int("all points", 0, 2) == 2 {
		s.Points = AllPoints
	}
	switch n := d.src.Int("schedule in the code", 0, codeTenths-1); {
	case n < codePCT2:
		s.Kind, s.Depth = PCT, 2
	case n < codePCT3:
		s.Kind, s.Depth = PCT, 3
	default:
		s.Kind = RandomWalk
	}
	if s.Kind == PCT {
		of := pointsOf
		for kind, n := range codePoints[s.Points] {
			of[kind] += n
		}
		s.Steps = estimate(d.prog, of)
	}
	s.Seed = d.seed()
	return true
}
