package model

import "slices"

// How a schedule at messages is drawn, in twentieths, the simplest first.
const (
	scheduleDefault  = 1                    // run to block
	scheduleExplicit = scheduleDefault + 5  // a few preemptions
	scheduleRandom   = scheduleExplicit + 7 // a random walk
	schedulePCT2     = scheduleRandom + 2   // PCT for faults of depth 2
	schedulePCT3     = schedulePCT2 + 2     // of depth 3
	scheduleTwenty   = 20                   // the rest: partial order sampling
	lateCleanups     = 2                    // one cancellation in so many is cleaned up late
	drawnSeed        = 1<<30 - 1            // greatest seed of a strategy
)

// Interventions, in tenths: how many preemptions an explicit schedule has, and how many cancellations any has.
var (
	drawnPreemptions = []int{1, 1, 1, 1, 1, 1, 1, 2, 2, 3}
	drawnFaults      = []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}
)

// reach is about how many points of each kind an operation comes to that finds its project's pool, that has to
// make it, and that finds the project unknown: among so many its interventions are drawn.
var reach = [...][kindEnd][pointKindEnd]int{
	{
		KindIndex:   {AtStart: 1, AtMessage: 4, AtAcquire: 1, AtRelease: 1},
		KindSearch:  {AtStart: 1, AtMessage: 1, AtAcquire: 1, AtRelease: 1},
		KindHold:    {AtStart: 1, AtAcquire: 1},
		KindRelease: {AtStart: 1, AtMessage: 1, AtRelease: 1},
		KindDrop:    {AtStart: 1, AtMessage: 4, AtConnect: 1},
		KindStats:   {AtStart: 1},
		KindSwitch:  {AtStart: 1},
	},
	{
		KindIndex:   {AtStart: 1, AtMessage: 5, AtConnect: 1, AtAcquire: 3, AtRelease: 3},
		KindSearch:  {AtStart: 1, AtMessage: 2, AtConnect: 1, AtAcquire: 3, AtRelease: 3},
		KindHold:    {AtStart: 1, AtMessage: 1, AtConnect: 1, AtAcquire: 3, AtRelease: 2},
		KindRelease: {AtStart: 1, AtMessage: 1, AtRelease: 1},
		KindDrop:    {AtStart: 1, AtMessage: 4, AtConnect: 1, AtAcquire: 1, AtRelease: 1},
		KindStats:   {AtStart: 1},
		KindSwitch:  {AtStart: 1},
	},
	{
		KindIndex:   {AtStart: 1, AtMessage: 6, AtConnect: 1, AtAcquire: 4, AtRelease: 4},
		KindSearch:  {AtStart: 1, AtMessage: 1, AtAcquire: 1, AtRelease: 1},
		KindHold:    {AtStart: 1, AtMessage: 1, AtAcquire: 1, AtRelease: 1},
		KindRelease: {AtStart: 1, AtMessage: 1, AtRelease: 1},
		KindDrop:    {AtStart: 1, AtMessage: 1, AtAcquire: 1, AtRelease: 1},
		KindStats:   {AtStart: 1},
		KindSwitch:  {AtStart: 1},
	},
}

// preemptedAt and cancelledAt are how likely each kind of point is to be drawn, of those that the operation comes
// to. Before a message is where most races are; a cancellation is of what is on its way or waited for.
var (
	preemptedAt = [pointKindEnd]int{AtMessage: 4, AtConnect: 2, AtAcquire: 2, AtStart: 1, AtRelease: 1}
	cancelledAt = [pointKindEnd]int{AtMessage: 3, AtConnect: 1, AtAcquire: 2}
)

// schedule draws the schedule of a gated program: a strategy or preemptions and, for four of ten, one or
// two cancellations. Strategies choose among no more points than most.
func (d *drawer) schedule(most Points) {
	if !d.inCode(most) {
		d.atMessages()
	}
	if len(d.prog.Race) == 0 {
		return
	}
	for range d.tenths("faults", drawnFaults) {
		if at, ok := d.point(d.raceOp(), cancelledAt); ok {
			d.prog.Schedule = append(d.prog.Schedule, Intervention{Kind: Fault, At: at, Fault: "cancel"})
			if !d.late {
				d.late = d.src.Int("late", 0, lateCleanups-1) == lateCleanups-1 && d.cleanedUpLate(at)
			}
		}
	}
}

// cleanedUpLate has what a cancelled operation still has to do happen in the middle of another one: what goes
// on on its behalf when its caller has long left meets whoever came after it. It takes two preemptions at the right
// places, which no strategy makes often; so they replace it. It reports whether another one comes after it.
func (d *drawer) cleanedUpLate(cancelled Point) bool {
	var from Op
	var others, same []Op // same: on the same project
	for _, o := range d.prog.Race {
		switch {
		case o.ID == cancelled.Op:
			from = o
		case from.ID != 0 && o.Session != from.Session:
			others = append(others, o)
			if o.TakesProject() && o.Project == from.Project {
				same = append(same, o)
			}
		}
	}
	if len(others) == 0 {
		return false
	}
	if len(same) > 0 {
		others = same
	}
	late := Point{Op: from.ID, Kind: AtMessage, Nth: 1}
	if cancelled.Kind == AtMessage {
		late.Nth = cancelled.Nth + 1
	}
	to := others[d.src.Int("in favour of", 0, len(others)-1)]
	back, ok := d.point(to, preemptedAt)
	if !ok {
		return false
	}
	if messages := reach[d.state(to)][to.Kind][AtMessage]; messages > 1 {
		back = Point{Op: to.ID, Kind: AtMessage, Nth: d.src.Int("nth", 2, messages)} // it has begun something by then
	}
	d.prog.Strategy = Strategy{}
	d.prog.Schedule = append(slices.DeleteFunc(d.prog.Schedule, func(in Intervention) bool { return in.Kind == Preempt }),
		Intervention{At: late, To: to.ID}, Intervention{At: back, To: from.ID})
	return true
}

// atMessages draws a strategy, or preemptions, at messages and the like.
func (d *drawer) atMessages() {
	p := &d.prog
	switch n := d.src.Int("schedule", 0, scheduleTwenty-1); {
	case n < scheduleDefault:
	case n < scheduleExplicit:
		d.preemptions(d.tenths("preemptions", drawnPreemptions))
	case n < scheduleRandom:
		p.Strategy = Strategy{Kind: RandomWalk, Seed: d.seed()}
	case n < schedulePCT2:
		p.Strategy = Strategy{Kind: PCT, Depth: 2, Steps: d.early(EstimatePoints(*p)), Seed: d.seed()}
	case n < schedulePCT3:
		p.Strategy = Strategy{Kind: PCT, Depth: 3, Steps: d.early(EstimatePoints(*p)), Seed: d.seed()}
	default:
		p.Strategy = Strategy{Kind: POS, Seed: d.seed()}
	}
}

func (d *drawer) seed() uint64 { return uint64(d.src.Int("seed", 0, drawnSeed)) }

// raceOp draws an operation of the race, the first one as often as all others: the rest is mostly there to
// see what becomes of it.
func (d *drawer) raceOp() Op {
	if d.src.Int("not the first", 0, 1) == 0 {
		return d.prog.Race[0]
	}
	return d.prog.Race[d.src.Int("of the race", 0, len(d.prog.Race)-1)]
}

// preemptions draws preemptions, each in favour of an operation of another session, and each after the first of
// the operation that the one before let go on. In a race of one session there is none.
func (d *drawer) preemptions(n int) {
	if len(d.prog.Race) == 0 {
		return
	}
	from := d.raceOp()
	for range n {
		var others []Op
		for _, o := range d.prog.Race {
			if o.Session != from.Session {
				others = append(others, o)
			}
		}
		at, ok := d.point(from, preemptedAt)
		if len(others) == 0 || !ok {
			return
		}
		to := others[d.src.Int("in favour of", 0, len(others)-1)]
		d.prog.Schedule = append(d.prog.Schedule, Intervention{Kind: Preempt, At: at, To: to.ID})
		from = to
	}
}

// point draws a point of an operation, of a kind that has a weight; false where the operation comes to none.
func (d *drawer) point(o Op, weights [pointKindEnd]int) (Point, bool) {
	reach := reach[d.state(o)][o.Kind]
	sum := 0
	for k, n := range reach {
		if n == 0 {
			weights[k] = 0
		}
		sum += weights[k]
	}
	if sum == 0 {
		return Point{}, false
	}
	n := d.src.Int("point", 0, sum-1)
	k := PointKind(0)
	for ; n >= weights[k]; k++ {
		n -= weights[k]
	}
	return Point{Op: o.ID, Kind: k, Nth: d.src.Int("nth", 1, reach[k])}, true
}

// state says what an operation of the race finds, by the setup, as an index of reach. What the rest of the race has
// done until then may change that: where there are more projects than pools, a pool may be gone.
func (d *drawer) state(o Op) int {
	if !o.TakesProject() || o.Project == Active {
		return 1
	}
	known := false
	for _, s := range d.prog.Setup {
		if s.Project == o.Project {
			known = s.Kind != KindDrop && (known || s.Kind == KindIndex)
		}
	}
	switch warm := slices.Contains(d.resident(), o.Project); {
	case !known:
		return 2
	case warm && (d.prog.Projects <= d.prog.MaxProjects || o.ID == d.prog.Race[0].ID || d.src.Int("evicted", 0, 1) == 0):
		return 0
	}
	return 1
}

// resident returns the projects that have a pool after the setup, the least recently used first.
func (d *drawer) resident() []int {
	var resident []int
	active := map[int]int{} // by session
	for _, s := range d.prog.Setup {
		project := s.Project
		if known, ok := active[s.Session]; ok && project == Active {
			project = known
		}
		switch {
		case s.Kind == KindRestart:
			resident = nil
		case s.Kind == KindSwitch:
			active[s.Session] = project
			fallthrough
		case s.Kind != KindDrop && s.TakesProject() && project != Active:
			resident = append(slices.DeleteFunc(resident, func(p int) bool { return p == project }), project)
		}
	}
	return resident[max(0, len(resident)-d.prog.MaxProjects):]
}

// pointsOf is about how many points an operation of each kind comes to.
var pointsOf = [kindEnd]int{
	KindIndex: 9, KindSearch: 4, KindHold: 4, KindRelease: 3, KindDrop: 8, KindStats: 1, KindSwitch: 1, KindCancel: 1,
}

// EstimatePoints returns about how many points the race of a program comes to while several sessions are at it,
// at least 1: among so many PCT should spread its priority changes. One that comes when a single session is left
// changes nothing, so those of the session that comes to the fewest are not counted.
func EstimatePoints(p Program) int { return estimate(p, pointsOf) }

func estimate(p Program, of [kindEnd]int) int {
	sessions := map[int]int{}
	for _, o := range p.Race {
		if o.Kind < kindEnd {
			sessions[o.Session] += of[o.Kind]
		}
	}
	sum, least := 0, maxSteps
	for _, n := range sessions {
		sum += n
		least = min(least, n)
	}
	if len(sessions) > 1 {
		sum -= least
	}
	return max(1, min(sum, maxSteps))
}
