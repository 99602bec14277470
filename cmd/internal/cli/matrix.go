package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// matrix collects what became of each search of a selftest.
type matrix struct {
	flags *selftestFlags
	say   func(string)
	clean string // the worker of the service as it is

	mu    sync.Mutex
	rows  []*row
	tries []hunt.Summary // of the clean service, one a seed that was searched
}

// row is a fault and the searches for it that are over.
type row struct {
	fault seeded.Fault
	path  string // of its worker
	stale error  // why there is no worker
	tried int
	kills []kill
	// compared are the searches for it that ran free, where they were asked for.
	compared []compared
	// others are findings that the fault does not explain, and what was not confirmed.
	others []string
}

// kill is a fault found from one seed.
type kill struct {
	seed uint64
	hunt.Finding
}

func newMatrix(f *selftestFlags, faults []seeded.Fault, say func(string)) *matrix {
	m := &matrix{flags: f, say: say}
	for _, fault := range faults {
		m.rows = append(m.rows, &row{fault: fault})
	}
	return m
}

// build makes every worker before any time is measured. A fault that cannot be built does not keep the
// others from being searched for.
func (m *matrix) build(ctx context.Context) (err error) {
	if m.clean, _, err = m.flags.worker.clean(ctx, m.say); err != nil {
		return err
	}
	for i, r := range m.rows {
		m.say(fmt.Sprintf("building the reference service with %s (%d of %d)", r.fault.ID, i+1, len(m.rows)))
		var stale *seeded.StaleError
		var broken *seeded.BuildError
		r.path, err = m.flags.worker.build(ctx, &r.fault)
		switch {
		case errors.As(err, &stale), errors.As(err, &broken):
			r.stale = err
		case err != nil:
			return err
		}
	}
	return nil
}

// unbuilt returns why some faults could not be searched for.
func (m *matrix) unbuilt() error {
	var errs []error
	for _, r := range m.rows {
		errs = append(errs, r.stale)
	}
	return errors.Join(errs...)
}

// run does all searches, as many at a time as there are workers. When ctx ends it returns its error,
// and what is known is in the matrix.
func (m *matrix) run(ctx context.Context, env *environment) error {
	var g *errgroup.Group
	g, ctx = errgroup.WithContext(ctx)
	g.SetLimit(m.flags.workers)
	for i, r := range m.rows {
		if r.stale != nil {
			continue
		}
		g.Go(func() error {
			return m.withFleet(ctx, env, r.path, fmt.Sprintf("f%d", i), func(runner hunt.Runner) error {
				return m.searchFault(ctx, env, r, runner)
			})
		})
	}
	for i := range m.flags.seeds {
		for _, mode := range m.modes() {
			g.Go(func() error {
				return m.withFleet(ctx, env, m.clean, fmt.Sprintf("c%d%.1s", i, mode), func(runner hunt.Runner) error {
					return m.searchClean(ctx, env, m.flags.seed+uint64(i), mode, runner)
				})
			})
		}
	}
	return g.Wait()
}

// modes are those in which faults are searched for.
func (m *matrix) modes() []model.Mode {
	var modes []model.Mode
	for _, r := range m.rows {
		if mode := r.fault.Minimum.Mode; !slices.Contains(modes, mode) {
			modes = append(modes, mode)
		}
	}
	return modes
}

// withFleet runs do with a worker of its own, whose databases bear a mark of their own.
func (m *matrix) withFleet(ctx context.Context, env *environment, path, mark string, do func(hunt.Runner) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fleet, err := worker.NewFleet(ctx, worker.Options{Path: path, DSN: postgres.QuickDSN(env.server), Prefix: env.claim.Prefix + mark}, 1)
	if err != nil {
		return err
	}
	return errors.Join(do(fleet), fleet.Close())
}

func (m *matrix) searchFault(ctx context.Context, env *environment, r *row, runner hunt.Runner) error {
	for i := range m.flags.seeds {
		seed := m.flags.seed + uint64(i)
		o := m.options(env, runner, seed, r.fault.Minimum.Mode, r.fault.ID)
		found, others, err := searchFor(ctx, r.fault, o)
		m.mu.Lock()
		r.others = append(r.others, others...)
		if err == nil {
			r.tried++
		}
		if found != nil {
			r.kills = append(r.kills, kill{seed, *found})
		}
		m.mu.Unlock()
		if err != nil {
			return err
		}
		m.say(fmt.Sprintf("  %s, seed %d: %s", r.fault.ID, seed, told(found, others)))
		if m.flags.compareFree && r.fault.Minimum.Mode == model.Gated {
			if err := m.runFree(ctx, r, o, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func told(found *hunt.Finding, others []string) string {
	text := "not found"
	if found != nil {
		text = fmt.Sprintf("%s after %s, %s; shrunk to %s in %s", found.Fingerprint, count(found.Executions, "case"), clock(found.FoundAfter),
			sized(found.Operations, found.Interventions), count(found.Shrink, "execution"))
	}
	for _, o := range others {
		text += "; also " + o
	}
	return text
}

// searchFor hunts until a finding that the fault explains. A finding that it does not explain is kept
// for the report, and the search goes on in the time that is left.
func searchFor(ctx context.Context, fault seeded.Fault, o hunt.Options) (found *hunt.Finding, others []string, err error) {
	o.MaxFindings = 1
	for o.Budget > 0 {
		sum, err := hunt.Run(ctx, o)
		for _, u := range sum.Unconfirmed {
			others = append(others, "unconfirmed: "+u)
		}
		for i := range sum.Findings { // the smallest first
			if fault.ShownBy(sum.Findings[i].Fingerprint) {
				return &sum.Findings[i], others, err
			}
		}
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil || len(sum.Findings) == 0 {
			return nil, others, err
		}
		other := sum.Findings[0]
		others = append(others, other.Fingerprint)
		o.Accept = append(o.Accept, other.Fingerprint)
		o.Budget -= other.FoundAfter
	}
	return nil, others, nil
}

func (m *matrix) searchClean(ctx context.Context, env *environment, seed uint64, mode model.Mode, runner hunt.Runner) error {
	o := m.options(env, runner, seed, mode, "")
	o.Recheck = recheckEvery
	sum, err := hunt.Run(ctx, o)
	m.mu.Lock()
	if sum.Executions > 0 || err == nil && ctx.Err() == nil {
		m.tries = append(m.tries, sum)
	}
	m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	m.say(fmt.Sprintf("  clean, %s, seed %d: %s, %s, %s", mode, seed, count(sum.Executions, "case"), count(sum.Operations, "operation"), count(len(sum.Findings), "finding")))
	return nil
}

// options of the search for a fault, "" for none.
func (m *matrix) options(env *environment, runner hunt.Runner, seed uint64, mode model.Mode, fault string) hunt.Options {
	out := m.flags.out
	if out != "" {
		name := fault
		if name == "" {
			name = "clean"
		}
		out = filepath.Join(out, name, fmt.Sprintf("seed-%d", seed))
	}
	bounds := model.DefaultBounds()
	bounds.Mode, bounds.Points = mode, m.flags.most
	return hunt.Options{
		Runner: runner, Parallel: 1, Seed: seed, Bounds: bounds, Budget: m.flags.budget, MaxCases: m.flags.cases,
		ShrinkBudget: m.flags.shrinkBudget, Out: out, Meta: env.meta(builtIn, fault),
	}
}

// inconclusive says that a search of the clean service shows nothing: too little was run, or something
// was seen that could not be confirmed. That a short search looked at too little of one family is no
// reason: faults are what this is about.
func inconclusive(sum hunt.Summary) bool {
	return sum.Verdict != check.Fail && (sum.Executions == 0 || sum.Unknown == sum.Executions || len(sum.Unconfirmed) > 0 || len(sum.Differing) > 0)
}
