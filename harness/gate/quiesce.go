package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// ErrRestless says that something of the service or of the server goes on and on.
var ErrRestless = errors.New("the service does not come to rest")

// askAfter is how long a reply may take before PostgreSQL is asked whether it waits for a lock; each
// further question waits twice as long, up to askAtMost.
const (
	askAfter  = time.Millisecond
	askAtMost = 50 * time.Millisecond
)

// Settle waits until nothing of the process and of its connections can move by itself.
func (g *Gate) Settle(ctx context.Context, limit time.Duration) error {
	s := newSettler(ctx, g, orPatience(limit))
	defer s.close()
	err := s.settle()
	if errors.Is(err, ErrRestless) {
		err = fmt.Errorf("%w\n%s", err, g.waitGraph(ctx))
	}
	return err
}

// settler waits for quiescence, again and again.
type settler struct {
	g       *Gate
	ctx     context.Context
	limit   time.Duration
	until   time.Time
	samples []metrics.Sample
	timer   *time.Timer
	ask     bool // guarded by the gate's mutex: the timer has fired
	after   time.Duration
	stop    func() bool
	threads threads
}

func newSettler(ctx context.Context, g *Gate, limit time.Duration) *settler {
	s := &settler{g: g, ctx: ctx, limit: limit, samples: []metrics.Sample{
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/not-in-go:goroutines"},
	}}
	s.timer = time.AfterFunc(time.Hour, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		s.ask = true
		g.changed.Broadcast()
	})
	s.timer.Stop()
	s.stop = context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.changed.Broadcast()
	})
	return s
}

func (s *settler) close() {
	s.timer.Stop()
	s.stop()
}

// settle waits until nothing can move by itself, and lets the replies through that were kept back for the
// sake of order.
func (s *settler) settle() error {
	s.until = time.Now().Add(s.limit)
	for {
		if err := s.replies(); err != nil {
			return err
		}
		if err := s.quiet(); err != nil {
			return err
		}
		again, err := s.woken()
		if err != nil {
			return err
		}
		if again || s.g.busy() {
			continue
		}
		if moved, err := s.calm(); err != nil || !moved {
			return err
		}
	}
}

// busy reports whether the server owes a reply that is not known to wait.
func (g *Gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.moving > 0
}

// replies waits until every reply that is owed has come, or is known to wait for a lock.
func (s *settler) replies() error {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.moving == 0 {
		return s.ctx.Err()
	}
	s.ask, s.after = false, askAfter
	s.timer.Reset(s.after)
	defer s.timer.Stop()
	for g.moving > 0 {
		g.changed.Wait() // the reply wakes us: a timer would cost a millisecond, which is what a whole case may take
		switch {
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case !s.ask || g.moving == 0:
		case time.Now().After(s.until):
			return fmt.Errorf("%w: PostgreSQL has not answered for %s", ErrRestless, s.limit)
		default:
			s.ask = false
			links := g.links(executing)
			g.mu.Unlock()
			err := s.question(links)
			g.mu.Lock()
			if err != nil {
				return err
			}
			s.after = min(2*s.after, askAtMost)
			s.timer.Reset(s.after)
		}
	}
	return nil
}

// links returns the links in a state. It wants the mutex held.
func (g *Gate) links(in state) []*pgwire.Link {
	var links []*pgwire.Link
	for l, is := range g.states {
		if is == in {
			links = append(links, l)
		}
	}
	return links
}

// question asks PostgreSQL about links that execute, and notes those that wait for one of the others.
func (s *settler) question(links []*pgwire.Link) error {
	blocked, err := s.g.blocked(s.ctx, links)
	if err != nil {
		return err
	}
	ours := s.g.PIDs()
	for _, l := range links {
		by := blocked[l.PID()]
		if len(by) == 0 || !slices.ContainsFunc(by, func(pid uint32) bool { return slices.Contains(ours, pid) }) {
			continue // at work, or waiting for somebody who will not wait for us
		}
		if !l.Hold() {
			continue // it has answered meanwhile
		}
		s.g.mu.Lock()
		if s.g.states[l] == executing {
			s.g.set(l, waiting)
		}
		s.g.mu.Unlock()
	}
	return nil
}

func (g *Gate) blocked(ctx context.Context, links []*pgwire.Link) (map[uint32][]uint32, error) {
	var pids []uint32
	for _, l := range links {
		if pid := l.PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, nil
	}
	return g.locks.Blocked(ctx, pids)
}

// fewSlices is how often something has to be seen at work before it counts as restless.
const fewSlices = 20

// looks is how often in a row nothing may be seen to move: a goroutine that is between two states may be
// missed by one.
const looks = 3

// quiet waits until no goroutine but this one runs or could run.
func (s *settler) quiet() error {
	for calm, moving := 0, 0; ; {
		s.threads.note()
		if s.still() {
			calm++
		} else {
			calm = 0
		}
		if calm == looks {
			if !s.threads.moved() {
				return nil
			}
			s.threads.look()
			calm = 0
		}
		if calm == 0 {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			// Each look takes a time slice where something computes. That a few have been taken tells it from a
			// machine that had no time for any of us.
			if moving++; moving >= fewSlices && time.Now().After(s.until) {
				return fmt.Errorf("%w: it has been computing for %s", ErrRestless, s.limit)
			}
		}
		runtime.Gosched()
	}
}

// still reports whether this goroutine is the only one that runs or could run, as far as the runtime knows.
func (s *settler) still() bool {
	metrics.Read(s.samples)
	return s.samples[0].Value.Uint64() == 0 && s.samples[1].Value.Uint64() <= 1 && s.samples[2].Value.Uint64() == 0
}

// woken looks after the replies that waited for a lock. Those that have come are let through one at a
// time, once all that are to come have; it reports whether there is something to wait for again.
func (s *settler) woken() (again bool, err error) {
	g := s.g
	g.mu.Lock()
	wait := g.links(waiting)
	g.mu.Unlock()
	if len(wait) > 0 {
		if again, err = s.unblocked(wait); again || err != nil {
			return again, err
		}
	}
	g.mu.Lock()
	came := g.links(held)
	if len(came) == 0 {
		g.mu.Unlock()
		return false, nil
	}
	l := slices.MinFunc(came, g.byOwner)
	g.set(l, executing)
	g.mu.Unlock()
	l.Deliver()
	return true, nil
}

// unblocked asks which of these links wait no more, and reports whether any of them owes its reply. It is
// asked before any reply is let through: of several that one message wakes, the quickest must not go first.
func (s *settler) unblocked(wait []*pgwire.Link) (again bool, err error) {
	g := s.g
	blocked, err := g.blocked(s.ctx, wait)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range wait {
		if g.states[l] == waiting && len(blocked[l.PID()]) == 0 {
			g.set(l, executing) // its reply is on its way, and is still held
			again = true
		}
	}
	return again, nil
}

// byOwner orders links by the operation they work for and, within it, by age. It wants the mutex held.
func (g *Gate) byOwner(a, b *pgwire.Link) int {
	return cmp.Or(cmp.Compare(g.owners[a], g.owners[b]), cmp.Compare(g.order[a], g.order[b]))
}
