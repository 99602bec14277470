package shrink_test

import (
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

// race is a mistake of the fake service that shows only under certain schedules.
type race string

const (
	dupCreate        race = "dup-create"         // two concurrent misses make two pools; one is never closed
	deleteThenInsert race = "delete-then-insert" // an index commits its delete before its insert
	stagedRead       race = "staged-read"        // a search follows a pointer that an index takes back meanwhile
	leaderCancel     race = "leader-cancel"      // whoever waits for another's new pool shares its cancellation
)

// gate runs the race of a program one thread at a time, as a schedule says. Its service keeps, for each
// project, how many files it holds, and as many pools as it may.
type gate struct {
	program model.Program
	races   []race
	files   map[int]int
	known   map[int]bool
	staged  map[int]bool
	pools   []int // the projects with one, the one made last at the end
	leaked  bool
	making  map[int]*creation
	out     shrink.Outcome

	threads []*thread // in the order of their operations
	fired   []bool    // by intervention
	rng     *rand.Rand
	rank    map[*thread]int // pct: priorities by session
	lower   []int           // pct: at which choices that of the one at work falls
}

// creation is a pool being made.
type creation struct{ over, cancelled bool }

// thread is an operation of the race.
type thread struct {
	op        model.Op
	seen      map[model.PointKind]int
	at        model.Point
	next      func() (stop, bool)
	end       func()
	waits     func() bool // until this holds
	over      bool
	cancelled bool
}

// stop is where an operation stops: at a point, or until something holds.
type stop struct {
	kind  model.PointKind
	until func() bool
}

// runGated runs a program on the fake service with these races.
func runGated(races ...race) shrink.Run {
	return func(_ context.Context, p model.Program) (shrink.Outcome, error) { return judgeGated(p, races...), nil }
}

func judgeGated(p model.Program, races ...race) shrink.Outcome {
	g := &gate{
		program: p, races: races, files: map[int]int{}, known: map[int]bool{}, staged: map[int]bool{},
		making: map[int]*creation{}, fired: make([]bool, len(p.Schedule)), rank: map[*thread]int{},
		rng: rand.New(rand.NewPCG(p.Strategy.Seed, 1)),
	}
	for _, o := range p.Setup {
		g.alone(o)
	}
	if p.Mode == model.Gated {
		g.race()
	} else {
		for _, o := range p.Race {
			g.alone(o)
		}
	}
	if g.leaked {
		g.fail("leak/pools/audit", 0)
	}
	return g.out
}

func (g *gate) has(r race) bool { return slices.Contains(g.races, r) }

func (g *gate) fail(fingerprint string, op int) {
	if g.out.Fingerprint == "" {
		g.out.Fingerprint, g.out.LastOp = fingerprint, op
	}
}

// alone runs an operation without stopping.
func (g *gate) alone(o model.Op) {
	t := &thread{op: o}
	g.steps(t)(func(stop) bool { return true })
}

// steps is what an operation does, a stop before each step.
func (g *gate) steps(t *thread) iter.Seq[stop] {
	o := t.op
	return func(yield func(stop) bool) {
		at := func(k model.PointKind) bool { return yield(stop{kind: k}) }
		if !at(model.AtStart) || o.Project == model.Active {
			return
		}
		switch o.Kind {
		case model.KindStats:
			at(model.AtMessage)
		case model.KindIndex:
			if !g.acquire(t, yield) {
				return
			}
			g.staged[o.Project] = true
			if !at(model.AtMessage) {
				return
			}
			if g.has(deleteThenInsert) && g.known[o.Project] {
				g.files[o.Project] = 0
				if !at(model.AtMessage) {
					return
				}
			}
			g.files[o.Project], g.known[o.Project], g.staged[o.Project] = 1, true, false
			at(model.AtRelease)
		case model.KindSearch:
			if !at(model.AtMessage) || !g.known[o.Project] || !g.acquire(t, yield) || !at(model.AtMessage) {
				return
			}
			staged := g.staged[o.Project]
			if !at(model.AtMessage) {
				return
			}
			switch {
			case t.cancelled:
			case g.has(stagedRead) && staged && !g.staged[o.Project]:
				g.fail("search/torn/search", o.ID)
			case g.files[o.Project] == 0:
				g.fail("search/missing/search", o.ID)
			}
			at(model.AtRelease)
		}
	}
}

// acquire makes the project's pool or waits for who does; false: the operation fails.
func (g *gate) acquire(t *thread, yield func(stop) bool) bool {
	p := t.op.Project
	if !yield(stop{kind: model.AtAcquire}) {
		return false
	}
	if slices.Contains(g.pools, p) {
		return true
	}
	if c := g.making[p]; c != nil && !g.has(dupCreate) {
		if !yield(stop{until: func() bool { return c.over }}) {
			return false
		}
		if c.cancelled && g.has(leaderCancel) && !t.cancelled {
			g.fail("errors/unexplained-cancelled/"+t.op.Kind.String(), t.op.ID)
			return false
		}
		return !c.cancelled || g.acquire(t, yield)
	}
	c := &creation{}
	g.making[p] = c
	if !yield(stop{kind: model.AtConnect}) || !yield(stop{kind: model.AtMessage}) {
		return false
	}
	c.over, c.cancelled = true, t.cancelled
	delete(g.making, p)
	if t.cancelled {
		return false
	}
	g.leaked = g.leaked || slices.Contains(g.pools, p)
	g.pools = append(g.pools, p)
	g.pools = g.pools[max(0, len(g.pools)-g.program.MaxProjects):]
	return true
}

// race runs the race section.
func (g *gate) race() {
	g.out.Gated = true
	for _, o := range g.program.Race {
		t := &thread{op: o, seen: map[model.PointKind]int{}}
		t.next, t.end = iter.Pull(g.steps(t))
		defer t.end()
		g.step(t) // to its start
		g.threads = append(g.threads, t)
	}
	slices.SortFunc(g.threads, func(a, b *thread) int { return cmp.Compare(a.op.ID, b.op.ID) })
	for _, i := range g.rng.Perm(len(g.threads)) {
		g.rank[g.threads[i]] = len(g.rank) + 1
	}
	for range max(0, g.program.Strategy.Depth-1) {
		g.lower = append(g.lower, g.rng.IntN(g.program.Strategy.Steps))
	}
	var current *thread
	for {
		ready := g.ready()
		if len(ready) == 0 {
			return
		}
		if !slices.Contains(ready, current) {
			current = ready[0]
		}
		byDefault := current
		current = g.choose(byDefault, ready)
		g.out.Points = append(g.out.Points, current.at)
		g.step(current)
	}
}

// ready returns the operations that can go on: of each session the first one that is not over.
func (g *gate) ready() []*thread {
	var ready []*thread
	busy := map[int]bool{}
	for _, op := range g.program.Race {
		t := g.threads[slices.IndexFunc(g.threads, func(t *thread) bool { return t.op.ID == op.ID })]
		if t.over || busy[op.Session] {
			continue
		}
		busy[op.Session] = true
		for t.waits != nil && t.waits() && !t.over {
			t.waits = nil
			g.step(t)
		}
		if !t.over && t.waits == nil {
			ready = append(ready, t)
		}
		if t.over {
			return g.ready() // the next of its session may be ready now
		}
	}
	slices.SortFunc(ready, func(a, b *thread) int { return cmp.Compare(a.op.ID, b.op.ID) })
	return ready
}

// choose applies the first intervention at the default's point that has not happened, or the strategy.
func (g *gate) choose(t *thread, ready []*thread) *thread {
	for i, in := range g.program.Schedule {
		if g.fired[i] || in.At != t.at {
			continue
		}
		g.fired[i] = true
		if in.Kind == model.Fault {
			t.cancelled = true
			g.out.Realised = append(g.out.Realised, in)
			return t
		}
		j := slices.IndexFunc(ready, func(r *thread) bool { return r.op.ID == in.To && r != t })
		if j < 0 {
			return t // diverged
		}
		g.out.Realised = append(g.out.Realised, in)
		return ready[j]
	}
	chosen := t
	switch g.program.Strategy.Kind {
	case model.RandomWalk:
		chosen = ready[g.rng.IntN(len(ready))]
	case model.PCT:
		highest := func() *thread {
			return slices.MaxFunc(ready, func(a, b *thread) int { return cmp.Compare(g.rank[a], g.rank[b]) })
		}
		for _, at := range g.lower {
			if at == len(g.out.Points) {
				g.rank[highest()] = -len(g.out.Points)
			}
		}
		chosen = highest()
	}
	if chosen != t {
		g.out.Realised = append(g.out.Realised, model.Intervention{At: t.at, To: chosen.op.ID})
	}
	return chosen
}

// step lets an operation go on to its next stop.
func (g *gate) step(t *thread) {
	s, more := t.next()
	switch {
	case !more:
		t.over = true
	case s.until != nil:
		t.waits = s.until
	default:
		t.seen[s.kind]++
		t.at = model.Point{Op: t.op.ID, Kind: s.kind, Nth: t.seen[s.kind]}
	}
}
