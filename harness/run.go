package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// CloseDeadline is how long a service may take to close.
const CloseDeadline = 10 * time.Second

// cancelGrace is how long a service that missed a deadline gets to notice that its context is cancelled.
const cancelGrace = 500 * time.Millisecond

// Run is one execution of a program on a service. After Execute the service is still open, so that it
// can be audited; Close ends it. The sessions of a race run at once, each in a goroutine of its own; for
// its callers a Run is not for concurrent use.
type Run struct {
	// History is what happened so far.
	History history.History
	// Begin, where it is not nil, is told of each operation before it is sent.
	Begin func(history.Entry)
	// Deviated, where it is not nil, is told of each intervention under a gate, before what it leads to.
	Deviated func(model.Intervention)

	target   Target
	env      Env
	program  model.Program
	gate     *gate.Gate // nil: nothing stands between the service and PostgreSQL
	sys      System
	sessions []*client
	began    time.Time
	closed   bool
	targets  map[int]bool  // operations that a cancel is for
	asking   chan struct{} // held by who looks whether anything moves
	outside  uint64        // goroutines that were not in Go before there was a service
	glance   func() (runnable, running, outside uint64)

	mu       sync.Mutex // guards History and what follows, while a race is on
	leases   map[int]*held
	contexts map[int]*opContext
	answers  int // operations that have ended
	stuck    bool
	over     bool  // an operation hung or panicked: nothing that follows could be judged
	blind    error // why there is no telling whether one hung
}

// spare is for how many operations of the audit a history has room from the beginning.
const spare = 16

// opContext is what a cancel of an operation cancels. It exists from the first mention of the operation.
type opContext struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// Start opens a service for a program. The error is the environment's.
func Start(ctx context.Context, target Target, env Env, p model.Program) (*Run, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	env.MaxProjects = p.MaxProjects
	env.ConnsPerProject = p.Sessions + p.Holds() + 1
	r := &Run{
		target: target, env: env, program: p, leases: map[int]*held{}, contexts: map[int]*opContext{}, began: time.Now(),
		targets: map[int]bool{}, asking: make(chan struct{}, 1), glance: scheduled,
	}
	r.History.Entries = make([]history.Entry, 0, p.Len()+spare)
	for _, o := range p.Ops() {
		if o.Kind == model.KindCancel {
			r.targets[o.Target] = true
		}
	}
	_, _, r.outside = r.glance()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	r.History.Capabilities, r.History.RoundTrips = Capabilities(r.sys), target.RoundTrips
	return r, nil
}

// Second opens another service on the same databases, for a program of its own, which no gate holds up. Its
// history is on the same clock, so that its entries can follow the first one's.
func (r *Run) Second(ctx context.Context, p model.Program) (*Run, error) {
	env := r.env
	if r.gate != nil {
		env.Dial, env.ConfigurePool = r.gate.Direct, nil
	}
	second, err := Start(ctx, r.target, env, p)
	if err == nil {
		second.began = r.began
	}
	return second, err
}

func (r *Run) open(ctx context.Context) error {
	sys, err := r.target.New(ctx, r.env)
	if err != nil {
		return fmt.Errorf("open %s: %w", r.target.Name, err)
	}
	sessions := make([]*client, 0, r.program.Sessions)
	for i := range r.program.Sessions {
		s, err := sys.Session(ctx)
		if err != nil {
			err = fmt.Errorf("open session s%d: %w", i, err)
			return errors.Join(err, sys.Close(context.WithoutCancel(ctx)))
		}
		sessions = append(sessions, &client{Session: s, active: model.Active})
	}
	r.sys, r.sessions = sys, sessions
	return nil
}

// Execute runs the program: setup in order, then the race, in order too or, where the mode says so,
// every session in a goroutine of its own. It stops early when an operation hangs or panics, since
// nothing that follows could be judged, or when ctx ends.
func (r *Run) Execute(ctx context.Context) error {
	if r.gate != nil {
		return r.executeGated(ctx)
	}
	r.run(ctx, r.inOrder(ctx, r.program.Setup))
	threads := [][]model.Op{r.program.Race}
	if r.program.Mode != model.Sequential {
		threads = make([][]model.Op, len(r.sessions))
		for _, o := range r.program.Race {
			threads[o.Session] = append(threads[o.Session], o)
		}
	}
	var all []func(*lane) bool
	for _, ops := range threads {
		if len(ops) > 0 {
			all = append(all, r.inOrder(ctx, ops))
		}
	}
	r.run(ctx, all...)
	if err := ctx.Err(); err != nil { // it may have ended during the last one
		return err
	}
	return r.blind
}

func (r *Run) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// System returns the service as it now runs.
func (r *Run) System() System { return r.sys }

// Env returns where the service runs.
func (r *Run) Env() Env { return r.env }

// Target returns the kind of service.
func (r *Run) Target() Target { return r.target }

// Program returns what is run.
func (r *Run) Program() model.Program { return r.program }

// Stuck reports whether an operation did not come back even after its context was cancelled: the
// process cannot be used for another case.
func (r *Run) Stuck() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stuck
}

// Alive reports whether the service can still be asked: it neither hung nor panicked.
func (r *Run) Alive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.over && !r.stuck
}

// Blind returns why there was no telling whether something hangs; nil where there was. No verdict can be
// founded on such a case: the error is the environment's.
func (r *Run) Blind() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.blind
}

// Closed reports whether Close was called.
func (r *Run) Closed() bool { return r.closed }

// Now returns the time since the case began.
func (r *Run) Now() time.Duration { return time.Since(r.began) }

// Do runs one operation to its end, or until it is given up, and records it.
func (r *Run) Do(ctx context.Context, o model.Op, audit bool) history.Entry {
	at := len(r.History.Entries)
	r.run(ctx, func(l *lane) bool { return r.one(ctx, l, o, audit) })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.History.Entries[at]
}

// end records what came of an operation.
func (r *Run) end(at int, o model.Op, resp model.Response) history.Entry {
	ended := r.Now()
	if r.program.Len() > digestFrom {
		(&digests{}).shorten(resp.Matches)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record(at, o, resp, ended)
}

// record notes what came of an operation. It wants the mutex held.
func (r *Run) record(at int, o model.Op, resp model.Response, ended time.Duration) history.Entry {
	r.sessions[o.Session].note(o, resp.Status)
	if resp.Status == model.StatusHung || resp.Status == model.StatusPanicked {
		r.over = true
	}
	r.answers++
	e := &r.History.Entries[at]
	e.End, e.Response = ended, resp
	return *e
}

// begin gives the operation its place in the history.
func (r *Run) begin(o model.Op, audit bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.enter(o, audit)
}

// enter gives the operation its place in the history, which is in the order of beginnings. It wants the
// mutex held.
func (r *Run) enter(o model.Op, audit bool) int {
	e := history.Entry{Op: o, Audit: audit, Start: r.Now()}
	e.End = e.Start
	if r.Begin != nil {
		r.Begin(e)
	}
	r.History.Entries = append(r.History.Entries, e)
	return len(r.History.Entries) - 1
}

// context returns the operation's context, which its cancel may have made before it begins. It is kept only
// where a cancel, or the gate, may ask for it. Those of the audit, which bear no ID, have one each.
func (r *Run) context(ctx context.Context, op int) *opContext {
	if r.gate == nil && !r.targets[op] {
		c := &opContext{}
		c.ctx, c.cancel = context.WithCancel(ctx)
		return c
	}
	return r.keptContext(ctx, op)
}

// keptContext returns an operation's context and keeps it for who asks next.
func (r *Run) keptContext(ctx context.Context, op int) *opContext {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.contexts[op]
	if !ok {
		c = &opContext{}
		c.ctx, c.cancel = context.WithCancel(ctx)
		if r.gate != nil {
			c.ctx = gate.WithOp(c.ctx, op)
		}
		if op != 0 {
			r.contexts[op] = c
		}
	}
	return c
}

// gaveUp notes that an operation did not come back.
func (r *Run) gaveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = true
}

// Stacks returns the stacks of all goroutines.
func Stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func (r *Run) guarded(c *opContext, o model.Op) (resp model.Response) {
	defer func() {
		if v := recover(); v != nil {
			buf := make([]byte, 16<<10)
			resp = model.Response{Status: model.StatusPanicked, Text: fmt.Sprintf("panic: %v\n%s", v, buf[:runtime.Stack(buf, false)])}
		}
	}()
	resp, err := r.send(c.ctx, o)
	if err == nil {
		if resp.Status == model.StatusUnset {
			resp.Status = model.StatusOK
		}
		return resp
	}
	resp = model.Response{Status: model.StatusError, Error: Classify(err), Text: err.Error()}
	if c.ctx.Err() != nil && (resp.Error == model.ErrCancelled || resp.Error == model.ErrOther) {
		// Its context was cancelled: it may or may not have happened, and any error is explained.
		resp.Status = model.StatusUnknown
	}
	return resp
}

var skipped = model.Response{Status: model.StatusSkipped}

func (r *Run) send(ctx context.Context, o model.Op) (resp model.Response, err error) {
	name := ""
	if o.TakesProject() && o.Project != model.Active {
		name = r.program.ProjectName(o.Project)
	}
	s := r.sessions[o.Session]
	switch o.Kind {
	case model.KindSwitch:
		return resp, s.Switch(ctx, name)
	case model.KindIndex:
		if o.Project == model.Active && s.unsure {
			return skipped, nil // there is no telling whose files to give it
		}
		return resp, s.Index(ctx, IndexRequest{Project: name, Repo: repogen.Repo(s.resolve(o), o.Revision, o.Files), Mode: o.Mode})
	case model.KindSearch:
		resp.Matches, err = s.Search(ctx, SearchRequest{Project: name, Query: o.QueryText(s.resolve(o)), Path: o.PathText(), Limit: o.Limit})
		return resp, err
	case model.KindStats:
		rep, ok := r.sys.(StatsReporter)
		if !ok {
			return skipped, nil
		}
		st, err := rep.Stats(ctx)
		return model.Response{Stats: &st}, err
	case model.KindDrop:
		d, ok := r.sys.(Dropper)
		if !ok {
			return skipped, nil
		}
		return resp, d.Drop(ctx, name)
	case model.KindHold:
		return r.hold(ctx, o, name)
	case model.KindRelease:
		return r.release(ctx, o)
	case model.KindRestart:
		return resp, r.restart(ctx)
	}
	return resp, fmt.Errorf("operation %s: not known to the runner", o.Kind)
}

// client is a session with the runner's own note of what it has switched to: what an unnamed index is
// given must not depend on what the service believes.
type client struct {
	Session
	active int  // the project of the last switch that was answered; model.Active: none
	unsure bool // a switch was interrupted since: the session may have either project active
}

// note keeps the session's active project after a switch.
func (c *client) note(o model.Op, status model.Status) {
	if o.Kind != model.KindSwitch {
		return
	}
	switch status {
	case model.StatusOK:
		c.active, c.unsure = o.Project, false
	case model.StatusUnknown:
		c.unsure = true
	}
}

// resolve returns the project an operation is about: its own, or the one its session switched to. Where
// there is none it returns 0: the service has to refuse anyway.
func (c *client) resolve(o model.Op) int {
	if o.Project != model.Active {
		return o.Project
	}
	return max(c.active, 0)
}

// restart closes the service, as its operator would: leases first.
func (r *Run) restart(ctx context.Context) error {
	if err := r.releaseAll(ctx); err != nil {
		return err
	}
	if err := r.sys.Close(ctx); err != nil {
		return err
	}
	return r.open(ctx)
}

// Close ends the service. One that does not end within CloseDeadline hangs, as an operation does that does
// not answer; the process can then not be used for another case.
func (r *Run) Close(ctx context.Context) (hung bool, err error) {
	r.closed = true
	defer r.broken() // the audit has used connections, too
	closing, cancel := context.WithCancel(ctx)
	defer cancel()
	since, ended := r.Now(), make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				failed = fmt.Errorf("panic: %v", v)
			}
		}()
		failed = r.releaseAll(closing)
		if e := r.sys.Close(closing); failed == nil {
			failed = e
		}
	}()
	timer := time.NewTimer(CloseDeadline)
	defer timer.Stop()
	select {
	case <-ended:
		return false, failed
	case <-timer.C:
	}
	late := r.await(ctx, ended, since, CloseDeadline)
	if late.Status == model.StatusUnset {
		return false, failed
	}
	if late.Status == model.StatusHung {
		r.History.Stacks = late.Text + "\n\n" + Stacks()
	}
	cancel()
	timer.Reset(cancelGrace)
	select {
	case <-ended:
	case <-timer.C:
		r.gaveUp()
	}
	if late.Status == model.StatusHung {
		return true, nil
	}
	return false, errors.Join(ctx.Err(), r.Blind())
}
