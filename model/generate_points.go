package model

// codePoints are about how many points in the code an operation of each kind comes to, by the set that is
// drawn from. The service that was counted is the reference service; another's are of that order.
var codePoints = [pointsEnd][kindEnd]int{
	Locks:     {KindIndex: 7, KindSearch: 5, KindHold: 5, KindRelease: 6, KindDrop: 8, KindSwitch: 1, KindStats: 1},
	AllPoints: {KindIndex: 20, KindSearch: 14, KindHold: 14, KindRelease: 16, KindDrop: 24, KindSwitch: 2, KindStats: 2},
}

// How a strategy among points in the code is drawn, in tenths: mostly a random walk, which reaches faults between
// messages, too.
const (
	codeRandom = 6              // a random walk
	codePCT2   = codeRandom + 2 // PCT for faults of depth 2
	codePCT3   = codePCT2 + 1   // of depth 3
	codeTenths = 10             // the rest: partial order sampling
)

// inCode draws, for two programs of three where the code of the service has points, a strategy that chooses
// among them; among those before locks only, in one of five of these: what is between an unlock and the next lock is
// the same to whoever waits for either.
func (d *drawer) inCode(most Points) bool {
	if most == Messages || d.src.Int("points in the code", 0, 2) == 0 {
		return false
	}
	s := &d.prog.Strategy
	s.Points = most
	if d.src.Int("locks", 0, 4) == 0 {
		s.Points = Locks
	}
	switch n := d.src.Int("schedule in the code", 0, codeTenths-1); {
	case n < codeRandom:
		s.Kind = RandomWalk
	case n < codePCT2:
		s.Kind, s.Depth = PCT, 2
	case n < codePCT3:
		s.Kind, s.Depth = PCT, 3
	default:
		s.Kind = POS
	}
	if s.Kind == PCT {
		of := pointsOf
		for kind, n := range codePoints[s.Points] {
			of[kind] += n
		}
		s.Steps = d.early(estimate(d.prog, of))
	}
	s.Seed = d.seed()
	return true
}

// early draws among how many steps PCT changes its priorities: all, or the first half or quarter. An operation
// that is stopped late has mostly done by then what another could spoil.
func (d *drawer) early(steps int) int { return max(1, steps>>d.src.Int("early", 0, 2)) }
