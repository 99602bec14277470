package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/point"
	"github.com/tenantstorm/tenantstorm/model"
)

// Op is an operation of a race.
type Op struct {
	ID int
	// Begin, where it is not nil, is called before the operation is let begin, while nothing else moves: it
	// may talk to the world outside, which in Run would leave the process for a moment.
	Begin func()
	Run   func() // executes it to its end
}

// Plan is what to run, and how.
type Plan struct {
	// Sessions are the operations of each session, in their order.
	Sessions [][]Op
	// Schedule lists deviations from the default, and faults.
	Schedule []model.Intervention
	// Strategy chooses where the schedule says nothing; nil runs one thread until it blocks or ends.
	Strategy Strategy
	// Cancel cancels an operation's context, for a fault that asks for it.
	Cancel func(op int)
	// Deviated, where it is not nil, is told of every deviation before what it leads to, while nothing moves.
	Deviated func(model.Intervention)
	// Patience is how long a service that does not move is waited for; 0: five seconds.
	Patience time.Duration
}

// Outcome is what came of a run.
type Outcome struct {
	Steps    []history.Step
	Realised []model.Intervention // every deviation from the default that was made, faults included
	Diverged []string             // interventions of the schedule that could not happen
	Waits    []history.Wait       // operations that could not go on, and how long
	// Stuck are the operations that do not end, because nothing is left that could let them go on.
	Stuck []int
	// Unanswered are operations for which a statement waits for a lock though every operation has ended, and
	// nothing is left that could release it; 0: one of the background.
	Unanswered []int
	// Why not everything has ended, for people: who waits for whom. Where neither an operation is stuck nor
	// one's statement unanswered, something goes on and on that may end or not.
	Why string
	// Ended is closed when every operation has ended; those that are stuck may still do so when their
	// contexts are cancelled.
	Ended <-chan struct{}
}

// ErrFault says that the schedule asks for a fault that cannot be done.
var ErrFault = errors.New("gate: fault not available")

// Run runs a plan: the sessions race, and the gate lets one thread go on at a time. It returns when every
// operation has ended and everything that the service started for them rests, or when nothing can move any
// more. An error is the environment's, or ctx's. Operations that are stuck still run when Run has returned;
// the gate is open again.
func (g *Gate) Run(ctx context.Context, p Plan) (Outcome, error) {
	for _, in := range p.Schedule {
		if in.Kind == model.Fault && in.Fault != "cancel" {
			return Outcome{}, fmt.Errorf("%w: %s", ErrFault, in)
		}
	}
	defer StopGC()()
	r := &run{p: p, sessions: map[int]int{}, left: map[int]bool{}, begin: map[int]func(){}, current: -1, strategy: newReplay(p.Schedule, p.Strategy), waits: newWaits()}
	r.settler = newSettler(ctx, g, orPatience(p.Patience))
	defer r.close()
	if err := r.settle(); err != nil {
		return Outcome{}, fmt.Errorf("before the race: %w", err)
	}
	g.mu.Lock()
	g.on, g.race = true, r
	g.mu.Unlock()
	defer g.open()
	defer point.Install(r.reached)()
	r.start()
	err := r.loop()
	r.out.Diverged, r.out.Waits = r.strategy.End(), r.waits.end(len(r.out.Steps))
	g.open()
	ended := make(chan struct{})
	r.out.Ended = ended
	if err == nil && len(r.out.Stuck) == 0 {
		r.threads.Wait()
		close(ended)
	} else {
		go func() {
			r.threads.Wait()
			close(ended)
		}()
	}
	return r.out, err
}

// run is one Run.
type run struct {
	*settler
	p        Plan
	strategy *replay
	threads  sync.WaitGroup
	sessions map[int]int // by operation
	begin    map[int]func()
	out      Outcome
	waits    *waits

	// The gate's mutex guards these: threads ask for them, too.
	current int          // the operation that went on last
	left    map[int]bool // operations that have not ended
}

// start starts a goroutine a session. They come to the gate in the order of the sessions' first
// operations only as the scheduler lets them, which does not matter: each parks before it begins.
func (r *run) start() {
	n := 0
	for _, ops := range r.p.Sessions {
		if len(ops) == 0 {
			continue
		}
		for _, o := range ops {
			r.sessions[o.ID] = n
			r.left[o.ID] = true
			r.begin[o.ID] = o.Begin
		}
		n++
		r.threads.Go(func() {
			for _, o := range ops {
				r.g.yield(o.ID, model.AtStart, "")
				o.Run()
				r.g.mu.Lock()
				delete(r.left, o.ID)
				r.g.moves++
				r.g.changed.Broadcast()
				r.g.mu.Unlock()
			}
		})
	}
	r.strategy.Begin(n)
}

func (r *run) loop() error {
	for {
		if err := r.settle(); err != nil {
			return r.restless(err)
		}
		units, left := r.look()
		r.note(units)
		if len(units) == 0 {
			if left == (pending{}) {
				return nil
			}
			moved, err := r.wait(left)
			if err == nil && !moved {
				r.unanswered()
			}
			if err != nil || !moved {
				return r.stuck(err, "nothing can go on")
			}
			continue
		}
		if u := r.choose(units); u != nil {
			r.release(u)
		}
	}
}

// pending is how much has not ended.
type pending struct{ operations, replies int }

// pending wants the gate's mutex held.
func (r *run) pending() pending { return pending{len(r.left), len(r.g.states)} }

// look returns what is parked, sorted, and how much has not ended.
func (r *run) look() ([]*unit, pending) {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	units := slices.Clone(r.g.parked)
	sortUnits(units)
	return units, r.pending()
}

// wait waits for something that wakes by itself, as what sleeps does, and reports whether anything did
// since there was so much left.
func (r *run) wait(before pending) (moved bool, err error) {
	g := r.g
	late := false
	timer := time.AfterFunc(r.limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.changed.Broadcast()
	})
	defer timer.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		switch {
		case r.ctx.Err() != nil:
			return false, r.ctx.Err()
		case len(g.parked) > 0 || g.moving > 0 || r.pending() != before || len(g.links(held)) > 0:
			return true, nil
		case late:
			return false, nil
		}
		g.changed.Wait()
	}
}

// restless makes a finding of a service that does not come to rest.
func (r *run) restless(err error) error {
	if errors.Is(err, ErrRestless) {
		return r.stuck(nil, err.Error())
	}
	return err
}

// unanswered notes whose statements wait for a lock where every operation has ended and nothing moves.
func (r *run) unanswered() {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	if len(r.left) > 0 {
		return // whoever is stuck tells the story
	}
	for _, l := range r.g.links(waiting) {
		r.out.Unanswered = append(r.out.Unanswered, r.g.owners[l])
	}
	slices.Sort(r.out.Unanswered)
	r.out.Unanswered = slices.Compact(r.out.Unanswered)
}

// stuck notes which operations do not end, and why.
func (r *run) stuck(err error, why string) error {
	if err != nil {
		return err
	}
	r.g.mu.Lock()
	for op := range r.left {
		r.out.Stuck = append(r.out.Stuck, op)
	}
	r.g.mu.Unlock()
	slices.Sort(r.out.Stuck)
	r.out.Why = why + "\n" + r.g.waitGraph(r.ctx)
	return nil
}

// choose returns the unit that goes on; nil when a fault was done instead, after which everything has to
// come to rest again.
func (r *run) choose(units []*unit) *unit {
	if units[0].point.Op == 0 {
		return units[0] // nobody's in particular: it is out of the way first, without a choice
	}
	c := Choice{Step: len(r.out.Steps)}
	var heads []*unit
	for _, u := range units {
		if n := len(heads); n > 0 && heads[n-1].point.Op == u.point.Op {
			continue // within an operation, what came first goes first
		}
		if u.point.Op == r.current {
			c.Default = len(heads)
		}
		heads = append(heads, u)
		c.Ready = append(c.Ready, Thread{At: u.point, Session: r.sessions[u.point.Op]})
	}
	chosen := heads[r.strategy.Next(c)]
	by := heads[c.Default]
	if chosen != by || r.paused(by) {
		r.realised(model.Intervention{At: by.point, To: chosen.point.Op})
	}
	by.stopped = 0
	if f, ok := r.strategy.fault(chosen.point); ok {
		r.realised(f)
		r.turn(chosen.point.Op)
		r.p.Cancel(f.At.Op)
		return nil
	}
	return chosen
}

// paused reports whether a goroutine has stopped in the code, where it could have gone on, and its operation has come to other points
// meanwhile: others work for it, and that they went first is a deviation, too.
func (r *run) paused(u *unit) bool {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	return u.stopped > 0 && r.g.reached[u.point.Op] > u.stopped
}

func (r *run) realised(in model.Intervention) {
	r.out.Realised = append(r.out.Realised, in)
	if r.p.Deviated != nil {
		r.p.Deviated(in)
	}
}

// turn makes it an operation's turn.
func (r *run) turn(op int) {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	r.current = op
}

// release lets a unit go on.
func (r *run) release(u *unit) {
	g := r.g
	g.mu.Lock()
	n := len(g.parked)
	g.parked = slices.DeleteFunc(g.parked, func(v *unit) bool { return v == u })
	gone := len(g.parked) == n
	g.mu.Unlock()
	if gone {
		return // it has been withdrawn meanwhile
	}
	if u.point.Op != 0 {
		r.turn(u.point.Op) // what is nobody's takes nobody's turn
	}
	r.out.Steps = append(r.out.Steps, history.Step{Point: u.point, Label: u.label})
	r.waits.took(u.point)
	if begin := r.begin[u.point.Op]; begin != nil && u.point.Kind == model.AtStart {
		begin()
	}
	u.release()
}
