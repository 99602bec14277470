package model

// How a schedule is drawn, in twentieths, the simplest first.
const (
	scheduleDefault  = 1                    // run to block
	scheduleExplicit = scheduleDefault + 5  // a few preemptions
	scheduleRandom   = scheduleExplicit + 4 // a random walk
	schedulePCT2     = scheduleRandom + 7   // PCT for faults of depth 2
	scheduleTwenty   = 20                   // the rest: PCT of depth 3
	scheduleFaults   = 8                    // of so many schedules one has one fault, and one has two
	drawnPreemptions = 3                    // most explicit preemptions
	drawnSeed        = 1<<30 - 1            // greatest seed of a strategy
	drawnFaultNth    = 6                    // cancelled is at the point with this number, at the latest
)

// anchors are the kinds of point at which a preemption is drawn, with how often of all, and the greatest
// number that is drawn. Before a message is where most races are.
var anchors = []struct {
	kind        PointKind
	weight, nth int
}{
	{AtStart, 1, 1}, {AtMessage, 6, 8}, {AtConnect, 2, 3}, {AtAcquire, 1, 3}, {AtRelease, 1, 3},
}

// faultKinds are the kinds of point at which an operation is cancelled, each as often as it stands here: in
// the middle of a statement mostly, but also while it waits for a connection.
var faultKinds = []PointKind{AtMessage, AtMessage, AtMessage, AtAcquire, AtAcquire, AtConnect}

// schedule draws the schedule of a gated program: a strategy or preemptions and, for every fourth, one or
// two cancellations.
func (d *drawer) schedule() {
	p := &d.prog
	switch n := d.src.Int("schedule", 0, scheduleTwenty-1); {
	case n < scheduleDefault:
	case n < scheduleExplicit:
		for range d.src.Int("preemptions", 1, drawnPreemptions) {
			d.preemption()
		}
	case n < scheduleRandom:
		p.Strategy = Strategy{Kind: RandomWalk, Seed: d.seed()}
	case n < schedulePCT2:
		p.Strategy = Strategy{Kind: PCT, Depth: 2, Steps: EstimatePoints(*p), Seed: d.seed()}
	default:
		p.Strategy = Strategy{Kind: PCT, Depth: 3, Steps: EstimatePoints(*p), Seed: d.seed()}
	}
	if len(p.Race) == 0 {
		return
	}
	for range max(0, d.src.Int("faults", 0, scheduleFaults-1)-scheduleFaults+3) {
		kind := faultKinds[d.src.Int("at", 0, len(faultKinds)-1)]
		at := Point{Op: d.raceOp().ID, Kind: kind, Nth: d.src.Int("nth", 1, d.src.Int("up to", 1, drawnFaultNth))} // the early ones more often
		p.Schedule = append(p.Schedule, Intervention{Kind: Fault, At: at, Fault: "cancel"})
	}
}

func (d *drawer) seed() uint64 { return uint64(d.src.Int("seed", 0, drawnSeed)) }

func (d *drawer) raceOp() Op { return d.prog.Race[d.src.Int("of the race", 0, len(d.prog.Race)-1)] }

// preemption draws a preemption of any operation of the race in favour of one of another session. In a
// race of one session there is none.
func (d *drawer) preemption() {
	if len(d.prog.Race) == 0 {
		return
	}
	from := d.raceOp()
	var others []int
	for _, o := range d.prog.Race {
		if o.Session != from.Session {
			others = append(others, o.ID)
		}
	}
	if len(others) == 0 {
		return
	}
	in := Intervention{Kind: Preempt, At: d.point(from.ID), To: others[d.src.Int("in favour of", 0, len(others)-1)]}
	d.prog.Schedule = append(d.prog.Schedule, in)
}

func (d *drawer) point(op int) Point {
	sum := 0
	for _, a := range anchors {
		sum += a.weight
	}
	n := d.src.Int("point", 0, sum-1)
	for _, a := range anchors {
		if n >= a.weight {
			n -= a.weight
			continue
		}
		return Point{Op: op, Kind: a.kind, Nth: d.src.Int("nth", 1, a.nth)}
	}
	panic("the weights of the kinds of point do not add up")
}

// pointsOf is about how many points an operation of each kind comes to.
var pointsOf = [kindEnd]int{
	KindIndex: 9, KindSearch: 4, KindHold: 4, KindRelease: 3, KindDrop: 8, KindStats: 1, KindSwitch: 1, KindCancel: 1,
}

// EstimatePoints returns about how many points the race of a program comes to, at least 1: among so many
// PCT should spread its priority changes.
func EstimatePoints(p Program) int {
	n := 0
	for _, o := range p.Race {
		if o.Kind < kindEnd {
			n += pointsOf[o.Kind]
		}
	}
	return max(1, min(n, maxSteps))
}
