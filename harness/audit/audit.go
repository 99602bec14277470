// Package audit looks at a service and its databases after a case: what is left over, and what is
// really stored.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// settleTime is how long a service may take to come to rest: evicted pools close, connections end.
// pgxpool's own goroutines outlive a pool's Close by up to 500 ms.
const settleTime = 3 * time.Second

// settlePoll is how long the audit waits before it looks again whether the service has come to rest. Most
// do so at once: each wait is twice as long as the one before, up to settlePollMost.
const (
	settlePoll     = 100 * time.Microsecond
	settlePollMost = 3200 * time.Microsecond
)

// Options say how thorough an audit is.
type Options struct {
	// Goroutines is what Baseline returned before the service was opened; nil: goroutines are not
	// looked at, which saves the half second that pgxpool's own take to end.
	Goroutines *Goroutines
	// Settle is how long the service may take to come to rest; 0: three seconds, which is generous.
	Settle time.Duration
}

// Service audits the run's service from within, closes it, and audits what it leaves behind. What it
// finds is added to the run's history; the error is the environment's.
//
// In order: statistics; the leases still held are used and released; the service comes to rest; it is
// closed; its connections and goroutines must be gone; a second service, cold, on the same databases,
// says what each project holds.
func Service(ctx context.Context, run *harness.Run, control *harness.Control, o Options) error {
	a := &auditor{run: run, control: control, rest: &history.Rest{}, settleFor: cmp.Or(o.Settle, settleTime)}
	run.History.Rest = a.rest
	if !a.do(ctx, model.Op{Kind: model.KindStats}) {
		return nil
	}
	for _, h := range run.Held() {
		if !a.do(ctx, model.Op{Kind: model.KindRelease, Handle: h}) {
			return nil
		}
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	hung, err := run.Close(ctx)
	if blind := run.Blind(); blind != nil {
		return fmt.Errorf("audit: %w", blind)
	}
	if err != nil {
		a.rest.CloseError = err.Error()
	}
	if a.rest.CloseHung = hung; hung {
		return ctx.Err()
	}
	if err := a.backends(ctx); err != nil {
		return err
	}
	a.goroutines(ctx, o.Goroutines)
	return a.contents(ctx)
}

type auditor struct {
	run     *harness.Run
	control *harness.Control
	rest    *history.Rest

	settleFor time.Duration
}

// do asks the service something and reports whether it is still there to be asked more.
func (a *auditor) do(ctx context.Context, o model.Op) bool {
	e := a.run.Do(ctx, o, true)
	return e.Response.Status != model.StatusHung && e.Response.Status != model.StatusPanicked
}

func (a *auditor) leak(what string, want, got int, detail string) {
	a.rest.Leaks = append(a.rest.Leaks, history.Leak{What: what, Want: want, Got: got, Detail: detail})
}

// until polls condition until it holds, the service has had its time, or ctx ends. It returns what
// condition said last.
func (a *auditor) until(ctx context.Context, condition func() (bool, error)) (bool, error) {
	wait := settlePoll
	again := time.NewTimer(wait)
	defer again.Stop()
	late := time.NewTimer(a.settleFor)
	defer late.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return ok, err
		}
		select {
		case <-again.C:
			wait = min(2*wait, settlePollMost)
			again.Reset(wait)
		case <-late.C:
			return condition()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// settle waits until no evicted pool drains and no connection is in use: nothing is held any more.
func (a *auditor) settle(ctx context.Context) error {
	rep, ok := a.run.System().(harness.StatsReporter)
	if !ok {
		return nil
	}
	// It costs less than to look again and again.
	if err := a.run.Settle(ctx, a.settleFor); err != nil {
		return fmt.Errorf("audit: come to rest: %w", err)
	}
	var last model.Stats
	inUse := func() (n int) {
		for _, p := range last.Pools {
			n += p.InUse
		}
		return n
	}
	rested, err := a.until(ctx, func() (ok bool, err error) {
		last, err = rep.Stats(ctx)
		return last.Draining == 0 && inUse() == 0, err
	})
	if ctx.Err() != nil {
		return fmt.Errorf("audit: stats at rest: %w", ctx.Err())
	}
	if err != nil {
		// The service's own doing. Asked once more, it says so where it is judged.
		a.do(ctx, model.Op{Kind: model.KindStats})
		return nil
	}
	a.rest.Looked = append(a.rest.Looked, "draining", "in-use", "conservation")
	if !rested && last.Draining > 0 {
		a.leak("draining", 0, last.Draining, "evicted pools still draining although every lease is released")
	}
	if n := inUse(); !rested && n > 0 {
		a.leak("in-use", 0, n, "connections still in use although no operation is under way")
	}
	created, accounted := last.Creations, int64(last.ActivePools)+last.Evictions+last.Drops
	if created != accounted {
		a.leak("conservation", int(accounted), int(created),
			fmt.Sprintf("creations %d, but %d resident + %d evictions + %d drops", created, last.ActivePools, last.Evictions, last.Drops))
	}
	return nil
}

// backends looks for connections that a closed service left open.
func (a *auditor) backends(ctx context.Context) error {
	if err := a.run.Settle(ctx, a.settleFor); err != nil {
		return fmt.Errorf("audit: come to rest after Close: %w", err)
	}
	var left []harness.Backend
	_, err := a.until(ctx, func() (bool, error) {
		var err error
		left, err = a.control.Backends(ctx, a.run.Env().Prefix)
		return len(left) == 0, err
	})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	a.rest.Looked = append(a.rest.Looked, "backends")
	if len(left) > 0 {
		detail := "still connected after Close:"
		for _, b := range left {
			detail += fmt.Sprintf(" %s (%s)", b.Database, b.State)
		}
		a.leak("backends", 0, len(left), detail)
	}
	return nil
}

// contents asks a second service, which has seen nothing of the case, what every project holds.
func (a *auditor) contents(ctx context.Context) error {
	p := a.run.Program()
	used := p.UsedProjects()
	if len(used) == 0 {
		return nil
	}
	cold := p
	cold.MaxProjects, cold.Sessions, cold.Setup, cold.Race, cold.Schedule = p.Projects, 1, nil, nil, nil
	second, err := a.run.Second(ctx, cold)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, project := range used {
		o := model.Op{Kind: model.KindSearch, Project: project, Query: model.QueryShared, Limit: model.MaxSearchLimit}
		e := second.Do(ctx, o, true)
		a.run.History.Entries = append(a.run.History.Entries, e)
		if !second.Alive() {
			break
		}
	}
	if a.run.History.Stacks == "" {
		a.run.History.Stacks = second.History.Stacks
	}
	if hung, err := second.Close(ctx); hung || err != nil {
		a.rest.CloseHung = a.rest.CloseHung || hung
		if err != nil {
			a.rest.CloseError = err.Error()
		}
	}
	if blind := second.Blind(); blind != nil {
		return fmt.Errorf("audit: %w", blind)
	}
	return ctx.Err()
}
