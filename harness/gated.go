package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

// Under puts the run under a gate, whose Dial and Configure the service must have been given in its Env.
// It has to be called before Execute.
func (r *Run) Under(g *gate.Gate) { r.gate = g }

// Settle waits, where the run is gated, until nothing of the service and its connections can move by itself,
// or for so long. Elsewhere nobody can tell.
func (r *Run) Settle(ctx context.Context, limit time.Duration) error {
	if r.gate == nil {
		return nil
	}
	if err := r.gate.Settle(ctx, limit); !errors.Is(err, gate.ErrRestless) {
		return err
	}
	return nil // what goes on shows where it is looked for
}

// executeGated runs the setup with the gate open, each operation to its end and the service to its rest,
// and then the race under the program's schedule. A setup that the schedule wants something of is
// scheduled, too.
func (r *Run) executeGated(ctx context.Context) error {
	defer r.broken()
	defer r.traffic()
	if anchored(r.program.Schedule, r.program.Setup) {
		if err := r.gated(ctx, [][]model.Op{r.program.Setup}, gate.NewStrategy(model.Strategy{})); err != nil {
			return err
		}
	} else if err := r.settled(ctx, r.program.Setup); err != nil {
		return err
	}
	if len(r.program.Race) == 0 || r.isOver() {
		return ctx.Err()
	}
	sessions := make([][]model.Op, len(r.sessions))
	for _, o := range r.program.Race {
		sessions[o.Session] = append(sessions[o.Session], o)
	}
	return r.gated(ctx, sessions, gate.NewStrategy(r.program.Strategy))
}

// anchored reports whether a schedule is about one of these operations.
func anchored(schedule []model.Intervention, ops []model.Op) bool {
	return len(about(schedule, ops)) > 0
}

// about returns the interventions that are anchored at one of these operations.
func about(schedule []model.Intervention, ops []model.Op) []model.Intervention {
	var found []model.Intervention
	for _, in := range schedule {
		if slices.ContainsFunc(ops, func(o model.Op) bool { return o.ID == in.At.Op }) {
			found = append(found, in)
		}
	}
	return found
}

// settled runs operations in order, the service coming to rest after each.
func (r *Run) settled(ctx context.Context, ops []model.Op) error {
	for _, o := range ops {
		if ctx.Err() != nil || r.isOver() {
			return ctx.Err()
		}
		r.Do(ctx, o, false)
		if r.isOver() {
			return nil
		}
		err := r.gate.Settle(ctx, r.program.OpDeadline())
		if errors.Is(err, gate.ErrRestless) {
			r.hang(o.ID, err.Error())
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// gated runs sessions against each other under the program's schedule.
func (r *Run) gated(ctx context.Context, sessions [][]model.Op, strategy gate.Strategy) error {
	plan := gate.Plan{
		Schedule: about(r.program.Schedule, slices.Concat(sessions...)), Strategy: strategy, Patience: r.program.OpDeadline(),
		Cancel: func(op int) { r.context(ctx, op).cancel() }, Deviated: r.Deviated,
	}
	for _, ops := range sessions {
		var thread []gate.Op
		for _, o := range ops {
			at := -1 // its place in the history, once it has begun
			thread = append(thread, gate.Op{
				ID: o.ID,
				Begin: func() {
					if ctx.Err() == nil && !r.isOver() {
						at = r.begin(o, false)
					}
				},
				Run: func() {
					if at >= 0 {
						r.doGated(ctx, o, at)
					}
				},
			})
		}
		plan.Sessions = append(plan.Sessions, thread)
	}
	out, err := r.gate.Run(ctx, plan)
	r.mu.Lock()
	h := &r.History
	for _, w := range out.Waits {
		w.From, w.To = w.From+len(h.Steps), w.To+len(h.Steps)
		h.Waits = append(h.Waits, w)
	}
	h.Steps = append(h.Steps, out.Steps...)
	h.Realised = append(h.Realised, out.Realised...)
	h.Diverged = append(h.Diverged, out.Diverged...)
	r.mu.Unlock()
	switch {
	case err != nil:
		return err
	case len(out.Stuck) > 0:
		return r.giveUp(ctx, out)
	case len(out.Unanswered) > 0:
		r.unanswered(out)
	case out.Why != "":
		r.mu.Lock()
		h.Restless = out.Why // what is still there at rest, the audit says
		r.mu.Unlock()
	}
	return ctx.Err()
}

// unanswered notes statements that never will be answered. Nobody waits for them, so nothing that is
// cancelled would end them, and the service would not close.
func (r *Run) unanswered(out gate.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.History.Unanswered = out.Unanswered
	r.History.Stacks = out.Why + "\n\n" + Stacks()
	r.over, r.stuck = true, true
}

// giveUp notes operations that do not end, and cancels them.
func (r *Run) giveUp(ctx context.Context, out gate.Outcome) error {
	r.mu.Lock()
	r.History.Stacks = out.Why + "\n\n" + Stacks()
	r.mu.Unlock()
	for _, op := range out.Stuck {
		r.hang(op, "no answer: "+out.Why)
	}
	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()
	for _, op := range out.Stuck {
		r.context(ctx, op).cancel()
	}
	select {
	case <-out.Ended:
	case <-timer.C:
		r.gaveUp()
	}
	return ctx.Err()
}

// doGated runs one operation. It has no deadline: the gate knows when nothing is left that could end it.
func (r *Run) doGated(ctx context.Context, o model.Op, at int) {
	var resp model.Response
	if o.Kind == model.KindCancel {
		r.context(ctx, o.Target).cancel()
		resp.Status = model.StatusOK
	} else {
		id := o.ID
		if o.Kind == model.KindRestart {
			id = 0 // no cancel reaches it, as in every mode
		}
		c := r.context(ctx, id)
		gate.As(o.ID, func() { resp = r.guarded(&opContext{gate.WithOp(c.ctx, o.ID), c.cancel}, o) })
		c.cancel()
	}
	r.mu.Lock()
	hung := r.History.Entries[at].Response.Status == model.StatusHung
	r.mu.Unlock()
	if !hung {
		r.end(at, o, resp)
	}
}

// hang notes that an operation does not end. One that had not begun has nothing to be noted.
func (r *Run) hang(op int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for i := range r.History.Entries {
		e := &r.History.Entries[i]
		if e.Op.ID == op && !e.Audit {
			e.End = r.Now()
			e.Response = model.Response{Status: model.StatusHung, Text: text}
		}
	}
}

// broken notes which connections broke so far.
func (r *Run) broken() {
	if r.gate == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.History.Broken, r.History.Settled = r.gate.Broken(), r.gate.Settled()
}

// traffic notes what each operation exchanged with PostgreSQL, now that all of it has.
func (r *Run) traffic() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.History.Entries {
		if e := &r.History.Entries[i]; !e.Audit && e.Op.ID != 0 {
			t := r.gate.Traffic(e.Op.ID)
			e.Traffic = &t
		}
	}
}

// outsideTries is how often is asked for connections that the gate does not know, and outsideWait how long
// is waited in between: a backend of the case before may still be on its way out.
const (
	outsideTries = 20
	outsideWait  = 10 * time.Millisecond
)

// Outside returns the service's connections that did not come through the gate: nothing can be said of
// what happens on them.
func (r *Run) Outside(ctx context.Context, control *Control) ([]string, error) {
	for try := 1; ; try++ {
		backends, err := control.Backends(ctx, r.env.Prefix)
		if err != nil {
			return nil, err
		}
		var outside []string
		for _, b := range backends {
			if !r.gate.Had(b.PID) {
				outside = append(outside, fmt.Sprintf("%s of %s", b.Application, b.Database))
			}
		}
		if len(outside) == 0 || try == outsideTries {
			return outside, nil
		}
		select {
		case <-time.After(outsideWait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
