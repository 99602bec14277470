package gate

import "github.com/tenantstorm/tenantstorm/model"

// Strategy chooses which thread goes on.
type Strategy interface {
	// Begin is told of a run: how many sessions race.
	Begin(sessions int)
	// Next returns the index, in Ready, of the thread that goes on.
	Next(c Choice) int
	// End is told that the run is over, and returns what the strategy had in mind and could not do.
	End() []string
}

// Choice is what a strategy chooses from.
type Choice struct {
	Step    int      // how many choices were made before
	Ready   []Thread // what can go on, by operation; at least one
	Default int      // index of what goes on by default
}

// Thread is an operation that is stopped at a point.
type Thread struct {
	At      model.Point
	Session int // place of its session among those that race
}

// NewStrategy returns the strategy that a program names.
func NewStrategy(s model.Strategy) Strategy {
	switch s.Kind {
	case model.RandomWalk:
		return &random{src: model.NewSource(s.Seed), points: s.Points}
	case model.POS:
		return newPOS(s)
	case model.PCT:
		return &pct{src: model.NewSource(s.Seed), depth: s.Depth, steps: s.Steps, points: s.Points}
	}
	return runToBlock{}
}

// runToBlock is the default: one thread goes on until it blocks or ends, then the lowest-numbered.
type runToBlock struct{}

func (runToBlock) Begin(int)         {}
func (runToBlock) Next(c Choice) int { return c.Default }
func (runToBlock) End() []string     { return nil }

// random lets any thread go on, each as likely as the others.
type random struct {
	src    model.Source
	points model.Points
	oneIn  int // at how many points in the code it chooses once; 0 until it is drawn
}

func (*random) Begin(int)           {}
func (r *random) Next(c Choice) int { return r.src.Int("thread", 0, len(c.Ready)-1) }
func (*random) End() []string       { return nil }

// oneIn are at how many points in the code a random walk chooses once. Where it does at every one, it finds most of
// what goes wrong between neighbouring ones; where it seldom does, an operation comes far while another stands.
var oneIn = []int{1, 1, 1, 2, 2, 4, 8}

// Stop stops at one point in the code of so many.
func (r *random) Stop(_ model.Point, set model.Points) bool {
	if set > r.points {
		return false
	}
	if r.oneIn == 0 {
		r.oneIn = oneIn[r.src.Int("one in", 0, len(oneIn)-1)]
	}
	return r.src.Int("stop", 0, r.oneIn-1) == 0
}
