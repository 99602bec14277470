package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
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

	target   Target
	env      Env
	program  model.Program
	gate     *gate.Gate // nil: nothing stands between the service and PostgreSQL
	sys      System
	sessions []*client
	began    time.Time
	closed   bool

	mu       sync.Mutex // guards History and what follows, while a race is on
	leases   map[int]*held
	contexts map[int]*opContext
	stuck    bool
	over     bool // an operation hung or panicked: nothing that follows could be judged
}

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
	r := &Run{target: target, env: env, program: p, leases: map[int]*held{}, contexts: map[int]*opContext{}, began: time.Now()}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	r.History.Capabilities, r.History.RoundTrips = Capabilities(r.sys), target.RoundTrips
	return r, nil
}

// Second opens another service on the same databases, for a program of its own. Its history is on the
// same clock, so that its entries can follow the first one's.
func (r *Run) Second(ctx context.Context, p model.Program) (*Run, error) {
	second, err := Start(ctx, r.target, r.env, p)
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
	r.inOrder(ctx, r.program.Setup)
	if r.program.Mode == model.Sequential {
		r.inOrder(ctx, r.program.Race)
	} else {
		r.race(ctx)
	}
	return ctx.Err() // it may have ended during the last one
}

func (r *Run) inOrder(ctx context.Context, ops []model.Op) {
	for _, o := range ops {
		if ctx.Err() != nil || r.isOver() {
			return
		}
		r.Do(ctx, o, false)
	}
}

// race lets every session go at once and waits for the last.
func (r *Run) race(ctx context.Context) {
	threads := make([][]model.Op, len(r.sessions))
	for _, o := range r.program.Race {
		threads[o.Session] = append(threads[o.Session], o)
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, ops := range threads {
		if len(ops) > 0 {
			wg.Go(func() {
				<-start
				r.inOrder(ctx, ops)
			})
		}
	}
	close(start)
	wg.Wait()
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

// Closed reports whether Close was called.
func (r *Run) Closed() bool { return r.closed }

// Now returns the time since the case began.
func (r *Run) Now() time.Duration { return time.Since(r.began) }

// Do runs one operation to its end or its deadline and records it.
func (r *Run) Do(ctx context.Context, o model.Op, audit bool) history.Entry {
	at := r.begin(o, audit)
	var resp model.Response
	if o.Kind == model.KindCancel {
		r.context(ctx, o.Target).cancel()
		resp.Status = model.StatusOK
	} else {
		resp = r.bounded(ctx, o)
	}
	return r.end(at, o, resp)
}

// end records what came of an operation.
func (r *Run) end(at int, o model.Op, resp model.Response) history.Entry {
	// Before the lock: what it takes to keep the answer is not the service's time, and is no other session's.
	ended := r.Now()
	if r.program.Len() > digestFrom {
		digest(resp.Matches)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[o.Session].note(o, resp.Status)
	if resp.Status == model.StatusHung || resp.Status == model.StatusPanicked {
		r.over = true
	}
	e := &r.History.Entries[at]
	e.End, e.Response = ended, resp
	return *e
}

// digestFrom is from how many operations on a program's history keeps only the canaries of what was
// found: a million answers would not fit into memory.
const digestFrom = 2000

func digest(matches []model.Match) {
	for i := range matches {
		var kept strings.Builder
		for _, c := range model.FindCanaries(matches[i].Content) {
			kept.WriteString(c.String() + " ")
		}
		matches[i].Content = kept.String()
	}
}

// begin gives the operation its place in the history, which is in the order of beginnings.
func (r *Run) begin(o model.Op, audit bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := history.Entry{Op: o, Audit: audit, Start: r.Now()}
	e.End = e.Start
	if r.Begin != nil {
		r.Begin(e)
	}
	r.History.Entries = append(r.History.Entries, e)
	return len(r.History.Entries) - 1
}

// context returns the operation's context, which its cancel may have made before it begins. Those of
// the audit, which bear no ID, have one each.
func (r *Run) context(ctx context.Context, op int) *opContext {
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

// bounded gives the operation its deadline. The service is not told of it: a service that waits for
// what never comes has to be caught, not helped.
func (r *Run) bounded(ctx context.Context, o model.Op) model.Response {
	id, deadline := o.ID, r.program.OpDeadline()
	if o.Kind == model.KindRestart {
		// No cancel reaches it: half a restart would leave no service to judge.
		id, deadline = 0, max(deadline, CloseDeadline)
	}
	c := r.context(ctx, id)
	defer c.cancel()
	done := make(chan model.Response, 1)
	go func() { done <- r.guarded(c, o) }()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case resp := <-done:
		return resp
	case <-ctx.Done():
		// The caller gave up; the operation sees it through its own context.
		timer.Reset(cancelGrace)
		select {
		case <-done:
		case <-timer.C:
			r.gaveUp()
		}
		return model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled, Text: "the run was interrupted"}
	case <-timer.C:
	}
	stacks := Stacks()
	r.mu.Lock()
	r.History.Stacks = stacks
	r.mu.Unlock()
	c.cancel()
	timer.Reset(cancelGrace)
	text := "no answer within " + deadline.String()
	select {
	case <-done:
		text += "; it answered once its context was cancelled"
	case <-timer.C:
		r.gaveUp()
		text += ", nor after its context was cancelled"
	}
	return model.Response{Status: model.StatusHung, Text: text}
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

// Close ends the service. It reports a service that does not end within CloseDeadline as hung; the
// process can then not be used for another case.
func (r *Run) Close(ctx context.Context) (hung bool, err error) {
	r.closed = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ended struct{ err error }
	done := make(chan ended, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- ended{fmt.Errorf("panic: %v", v)}
			}
		}()
		err := r.releaseAll(ctx)
		if e := r.sys.Close(ctx); err == nil {
			err = e
		}
		done <- ended{err}
	}()
	timer := time.NewTimer(CloseDeadline)
	defer timer.Stop()
	select {
	case e := <-done:
		return false, e.err
	case <-timer.C:
	}
	r.History.Stacks = Stacks()
	cancel()
	timer.Reset(cancelGrace)
	select {
	case <-done:
	case <-timer.C:
		r.gaveUp()
	}
	return true, nil
}
