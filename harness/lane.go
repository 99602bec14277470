package harness

import (
	"context"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/model"
)

// A lane runs operations one after the other, in a goroutine that whoever waits for it can walk away from.
// The deadlines of all lanes are watched from outside: an operation costs no goroutine and no timer.
type lane struct {
	digests digests // the lane's goroutine only

	// Guarded by the run's mutex.
	at     int           // place in the history of the operation under way; -1: none
	since  time.Duration // when it began
	limit  time.Duration // its deadline
	cancel context.CancelFunc
	ended  chan struct{}  // where its end is waited for: closed then; it also tells one operation from the next
	late   model.Response // where it is not unset: what counts, whatever the operation still answers
	left   bool           // nobody waits for the lane any more
}

// run runs threads at once, each in a lane, until the last has ended or was left behind. A thread reports
// whether its lane was still waited for.
func (r *Run) run(ctx context.Context, threads ...func(*lane) bool) {
	lanes := make([]*lane, len(threads))
	over := make(chan struct{}, len(threads))
	start := make(chan struct{})
	for i, thread := range threads {
		l := &lane{at: -1}
		lanes[i] = l
		go func() {
			<-start
			if thread(l) {
				over <- struct{}{}
			}
		}()
	}
	close(start)
	r.watch(ctx, lanes, over)
}

// inOrder is a thread that runs operations one after the other.
func (r *Run) inOrder(ctx context.Context, ops []model.Op) func(*lane) bool {
	return func(l *lane) bool {
		for _, o := range ops {
			if ctx.Err() != nil || r.isOver() {
				return true
			}
			if !r.one(ctx, l, o, false) {
				return false
			}
		}
		return true
	}
}

// one runs one operation in a lane and records it, and reports whether the lane is still waited for. The
// service is not told of the deadline: one that waits for what never comes has to be caught, not helped.
func (r *Run) one(ctx context.Context, l *lane, o model.Op, audit bool) bool {
	if o.Kind == model.KindCancel {
		at := r.begin(o, audit)
		r.keptContext(ctx, o.Target).cancel()
		r.end(at, o, model.Response{Status: model.StatusOK})
		return true
	}
	id, limit := o.ID, r.program.OpDeadline()
	if o.Kind == model.KindRestart {
		// No cancel reaches it: half a restart would leave no service to judge.
		id, limit = 0, max(limit, CloseDeadline)
	}
	c := r.context(ctx, id)
	defer c.cancel()
	r.mu.Lock()
	at := r.enter(o, audit)
	l.at, l.since, l.limit, l.cancel = at, r.History.Entries[at].Start, limit, c.cancel
	r.mu.Unlock()
	resp := r.guarded(c, o)
	// Before the lock: what it takes to keep the answer is not the service's time, and is no other session's.
	ended := r.Now()
	if r.program.Len() > digestFrom {
		l.digests.shorten(resp.Matches)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.left {
		return false
	}
	if l.late.Status != model.StatusUnset {
		resp, ended = l.late, r.Now()
		resp.Text += "; it answered once its context was cancelled"
	}
	r.record(at, o, resp, ended)
	l.at = -1
	if l.ended != nil {
		close(l.ended)
		l.ended = nil
	}
	return true
}

// watch waits until all lanes are over, and looks after the operations whose deadline has passed. When ctx
// ends, all that are under way are looked after.
func (r *Run) watch(ctx context.Context, lanes []*lane, over chan struct{}) {
	var looking sync.WaitGroup
	defer looking.Wait()
	timer := time.NewTimer(r.program.OpDeadline())
	defer timer.Stop()
	interrupted := ctx.Done()
	for left := len(lanes); left > 0; {
		select {
		case <-over:
			left--
			continue
		case <-interrupted:
			interrupted = nil
		case <-timer.C:
		}
		timer.Reset(r.lookAfter(ctx, lanes, func(l *lane, ended chan struct{}) {
			looking.Go(func() { r.overdue(ctx, l, ended, over) })
		}))
	}
}

// lookAfter has the operations seen to that are overdue, and returns after which time to look again.
func (r *Run) lookAfter(ctx context.Context, lanes []*lane, see func(*lane, chan struct{})) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.program.OpDeadline() // what begins from now on is not overdue before
	if ctx.Err() != nil {
		again = cancelGrace // one may have been about to begin
	}
	for _, l := range lanes {
		if l.at < 0 || l.ended != nil || l.left {
			continue
		}
		if to := l.since + l.limit - r.Now(); to > 0 && ctx.Err() == nil {
			again = min(again, to)
			continue
		}
		l.ended = make(chan struct{})
		see(l, l.ended)
	}
	return again
}

// overdue waits for an operation whose deadline has passed for as long as it may still come, and decides
// what it counts as if it does not.
func (r *Run) overdue(ctx context.Context, l *lane, ended chan struct{}, over chan<- struct{}) {
	r.mu.Lock()
	at, since, limit, cancel := l.at, l.since, l.limit, l.cancel
	r.mu.Unlock()
	late := r.await(ctx, ended, since, limit)
	if late.Status == model.StatusUnset || !r.judge(ctx, l, ended, late) {
		return
	}
	cancel()
	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()
	select {
	case <-ended:
		return
	case <-timer.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.ended != ended {
		return // at the last moment
	}
	late.Text += ", nor after its context was cancelled"
	r.record(at, r.History.Entries[at].Op, late, r.Now())
	r.stuck, l.left = true, true
	over <- struct{}{}
}

// judge fixes what an operation counts as that does not come, unless it has come. One that was interrupted
// may still say for itself what came of it.
func (r *Run) judge(ctx context.Context, l *lane, ended chan struct{}, late model.Response) bool {
	stacks := ""
	if late.Status == model.StatusHung {
		stacks = Stacks()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.ended != ended {
		return false
	}
	if ctx.Err() == nil {
		l.late, r.over = late, true
	}
	if stacks != "" {
		r.History.Stacks = stacks
	}
	return true
}
