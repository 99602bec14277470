package gate

import "github.com/tenantstorm/tenantstorm/model"

// pos is basic partial order sampling (Yuan, Yang, Gu, CAV 2018): every point that an operation comes to gets
// a priority of its own, and of the points at which operations stand the one of highest priority goes
// on. An operation that stands at a point of low priority stays there while another one goes through
// many: the chance that it comes through m of them is 1/(m+1), where a random walk has 1/2^m. PCT does
// better where one change is all it takes, and worse where it takes several.
//
// What the paper adds for points that do not conflict is left out: which do is not known, of messages least of all.
type pos struct {
	src      model.Source
	points   model.Points
	standing map[int]standing // by operation
	highest  int              // priority of the highest point at which another operation stood at the last choice
}

// standing is the priority of the point at which an operation stands.
type standing struct {
	at       model.Point
	priority int
}

// mostPriority is high enough that two priorities are hardly ever the same.
const mostPriority = 1<<30 - 1

func newPOS(s model.Strategy) *pos {
	return &pos{src: model.NewSource(s.Seed), points: s.Points, standing: map[int]standing{}}
}

// Begin has nothing to draw yet.
func (*pos) Begin(int) {}

// Next returns the thread whose point has the highest priority.
func (p *pos) Next(c Choice) int {
	best, second := -1, -1
	chosen := 0
	for i, t := range c.Ready {
		switch n := p.priority(t.At); {
		case n > best:
			best, second, chosen = n, best, i
		case n > second:
			second = n
		}
	}
	p.highest = second
	return chosen
}

// priority returns the priority of a point, which is drawn when an operation has come to it.
func (p *pos) priority(at model.Point) int {
	s, known := p.standing[at.Op]
	if !known || s.at != at {
		s = standing{at, p.src.Int("priority", 0, mostPriority)}
		p.standing[at.Op] = s
	}
	return s.priority
}

// Stop stops at a point in the code if another operation would go on.
func (p *pos) Stop(at model.Point, set model.Points) bool {
	return set <= p.points && p.priority(at) < p.highest
}

// End has nothing to say.
func (*pos) End() []string { return nil }
