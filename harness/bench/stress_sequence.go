package bench

import (
	"context"
	"errors"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// sequence indexes and searches every project once, in order, and looks at the pools after each. The oracle judges
// every answer; the pools, the evictions and their order are in the result, too.
func (l *Lab) sequence(ctx context.Context, o StressOptions, r *Result) (err error) {
	p := model.Program{MaxProjects: o.MaxProjects, Projects: o.Projects, Sessions: 1, Deadline: o.Deadline}
	add := func(op model.Op) {
		op.ID = p.Len() + 1
		p.Setup = append(p.Setup, op)
	}
	for project := range o.Projects {
		add(model.Op{Kind: model.KindIndex, Project: project, Revision: 1, Files: model.MaxFiles})
		add(model.Op{Kind: model.KindStats})
		add(model.Op{Kind: model.KindSearch, Project: project, Limit: model.MaxSearchLimit})
		add(model.Op{Kind: model.KindStats})
	}
	run, err := harness.Start(ctx, l.Target, l.env(roomStress, o.MaxProjects, o.Conns), p)
	if err != nil {
		return err
	}
	defer func() {
		if !run.Closed() {
			_, closing := run.Close(context.WithoutCancel(ctx))
			err = errors.Join(err, closing)
		}
	}()
	if err := run.Execute(ctx); err != nil {
		return err
	}
	if run.Alive() {
		control := harness.NewControl(l.DSN)
		defer func() { err = errors.Join(err, control.Close(context.WithoutCancel(ctx))) }()
		if err := audit.Service(ctx, run, control, audit.Options{Settle: o.Settle}); err != nil {
			return err
		}
	}
	r.take(phaseSequence, check.Judge(p, run.History))
	r.pools(o, run.History)
	return nil
}

// pools reads the pools' end and the order of evictions off the history, and sets them beside what must be.
func (r *Result) pools(o StressOptions, h history.History) {
	var resident []string
	var last *model.Stats
	for _, e := range h.Entries {
		if e.Response.Stats == nil || e.Audit {
			continue
		}
		last = e.Response.Stats
		var now []string
		for _, p := range last.Pools {
			now = append(now, p.Project)
		}
		// Several at once, which must not be, leave from the least recently used one on.
		for _, was := range slices.Backward(resident) {
			if !slices.Contains(now, was) {
				r.Evicted = append(r.Evicted, was)
			}
		}
		resident = now
	}
	if last == nil {
		return
	}
	evictions := max(0, o.Projects-o.MaxProjects)
	r.equal("sequence: active pools", int64(last.ActivePools), int64(min(o.Projects, o.MaxProjects)))
	r.equal("sequence: evictions", last.Evictions, int64(evictions))
	inOrder := 0
	for inOrder < min(len(r.Evicted), evictions) && r.Evicted[inOrder] == projectName(inOrder) {
		inOrder++
	}
	if len(r.Evicted) != evictions {
		inOrder = min(inOrder, evictions-1)
	}
	r.equal("sequence: projects evicted in the order in which they were used", int64(inOrder), int64(evictions))
}
