package gate

import (
	"math"

	"github.com/tenantstorm/tenantstorm/model"
)

// pct is probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): of
// the threads that can go on it is always the one of highest priority. Priorities are drawn at the
// beginning; at each of depth-1 points, drawn among the first steps, the thread that would go on gets a
// priority below all others. With n threads and k steps a fault of depth d shows with a probability of at
// least 1/(n·k^(d-1)), see [PCTBound].
type pct struct {
	src          model.Source
	depth, steps int
	points       model.Points

	priority []int // by session
	changes  []int // the step of each change
	code     int   // points in the code that were steps
	last     int   // how many choices were made before the last one
}

// Begin draws the priorities and the points of change.
func (p *pct) Begin(sessions int) {
	p.priority = make([]int, sessions)
	for i := range p.priority {
		j := p.src.Int("place", 0, i)
		p.priority[i] = p.priority[j]
		p.priority[j] = p.depth + i
	}
	p.changes = make([]int, p.depth-1)
	for i := range p.changes {
		p.changes[i] = p.src.Int("change", 0, p.steps-1)
	}
}

// Next returns the thread of highest priority.
func (p *pct) Next(c Choice) int {
	p.last = c.Step
	best := p.best(c)
	for i, step := range p.changes {
		if step >= 0 && step <= c.Step+p.code { // once: what has no choice counts as a step, too
			p.changes[i] = -1
			p.priority[c.Ready[best].Session] = p.depth - 1 - i
			best = p.best(c)
		}
	}
	return best
}

// Stop counts a point in the code as a step, and stops there for a change.
func (p *pct) Stop(_ model.Point, set model.Points) bool {
	if set > p.points {
		return false
	}
	p.code++
	for _, step := range p.changes {
		if step >= 0 && step <= p.last+p.code {
			return true
		}
	}
	return false
}

// best prefers, within one session, what comes first.
func (p *pct) best(c Choice) int {
	best := 0
	for i, t := range c.Ready {
		if p.priority[t.Session] > p.priority[c.Ready[best].Session] {
			best = i
		}
	}
	return best
}

// End has nothing to say.
func (*pct) End() []string { return nil }

// PCTBound returns the least probability with which PCT of a depth shows a fault of that depth, in one run
// of so many threads and steps, and how many runs show it with a probability of 99 %.
func PCTBound(threads, steps, depth int) (probability float64, runs int) {
	probability = 1 / (float64(threads) * math.Pow(float64(steps), float64(depth-1)))
	if probability >= 1 {
		return 1, 1
	}
	return probability, int(math.Ceil(math.Log(0.01) / math.Log1p(-probability)))
}
