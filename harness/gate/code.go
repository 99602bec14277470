package gate

import (
	"fmt"
	"path"

	"github.com/tenantstorm/tenantstorm/harness/point"
	"github.com/tenantstorm/tenantstorm/model"
)

// Points in the code of the service differ from all others: there are many of them, and nothing has to be
// waited for at most. So the thread that is there asks, in its own goroutine, whether it has to stop; only
// then everything else comes to rest and the strategy chooses. What is asked depends on nothing but the
// steps that were taken, and so does the answer.

// Stopper is a strategy that may stop a thread at a point in the code.
type Stopper interface {
	// Stop reports whether the strategy wants to choose at a point in the code, of this set, that the thread
	// that goes on has come to.
	Stop(at model.Point, set model.Points) bool
}

// stops decides whether a thread stops at a point in the code. A thread whose turn it is not stops at
// once: something has woken it, such as the lock it waited for, and one moves at a time. It wants the
// gate's mutex held.
func (r *run) stops(at model.Point, set model.Points) bool {
	if at.Op != r.current || r.strategy.anchored(at) {
		return true
	}
	return r.strategy.stop(at, set)
}

// reached is told of every point in the code of the service that a goroutine comes to while a race is on.
// Goroutines that work for no operation are not stopped.
func (r *run) reached(thread any, at *point.Site) {
	if op, ok := thread.(int); ok {
		r.g.code(op, at)
	}
}

// code counts a point of an operation and, where the schedule or the strategy wants it, stops the calling
// goroutine there.
func (g *Gate) code(op int, site *point.Site) {
	g.mu.Lock()
	at := g.nextAt(model.Point{Op: op, Kind: model.AtCode, Site: g.siteName(site)})
	if g.race == nil || !g.race.stops(at, setOf(site.Kind)) {
		g.mu.Unlock()
		return
	}
	u := &unit{point: at, label: fmt.Sprintf("%s:%d", site.File, site.Line), resume: make(chan struct{})}
	if op == g.race.current {
		u.stopped = g.reached[op]
	}
	g.park(u)
	g.mu.Unlock()
	<-u.resume
}

// siteName is what a site is called in a schedule. It wants the mutex held.
func (g *Gate) siteName(s *point.Site) string {
	name, known := g.sites[s]
	if !known {
		name = fmt.Sprintf("%s.%s:%s:%d", path.Base(s.Package), s.Func, s.Kind, s.Ordinal)
		g.sites[s] = name
	}
	return name
}

// setOf returns the smallest set of points that has those of a kind.
func setOf(k point.Kind) model.Points {
	switch k {
	case point.BeforeLock, point.BeforeRLock:
		return model.Locks
	}
	return model.AllPoints
}
