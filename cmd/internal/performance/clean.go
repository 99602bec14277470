package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// mostCleanWorkers is how many workers the free run has at the most.
const mostCleanWorkers = 4

// clean runs the service as it is, free, and counts findings.
func (l *lab) clean(ctx context.Context) (section, error) {
	return l.found(ctx, "The service as it is, running free", "k", hunt.Options{Bounds: model.DefaultBounds(), Budget: l.soak})
}

// Long programs: what adds up shows in them, and nothing else.
const (
	longOperations = 10_000 // of a program
	longSessions   = 16
)

// long runs long programs on the service as it is, free.
func (l *lab) long(ctx context.Context) (section, error) {
	b := model.DefaultBounds()
	b.Operations, b.Sessions = longOperations, longSessions
	return l.found(ctx, "The service as it is, long programs running free", "l", hunt.Options{Bounds: b, MaxCases: (l.options.long + longOperations - 1) / longOperations})
}

// found runs the service as it is, free, and counts findings.
func (l *lab) found(ctx context.Context, title, mark string, o hunt.Options) (s section, err error) {
	workers := min(mostCleanWorkers, runtime.GOMAXPROCS(0))
	fleet, err := worker.NewFleet(ctx, worker.Options{Path: l.self, DSN: l.server.DSN(), Prefix: l.claim.Prefix + mark}, workers)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	o.Runner, o.Parallel, o.Seed, o.Bounds.Mode = fleet, workers, caseSeed, model.Free
	sum, err := hunt.Run(ctx, o)
	if err != nil {
		return s, err
	}
	if sum.Interrupted {
		return s, context.Cause(ctx)
	}
	s.title = title
	s.text = fmt.Sprintf("%s operations in %s cases in %s, workers: %d, sessions up to %d, seed %d. Findings: %d; shown once and not again: %d; "+
		"workers killed from outside: %d. Verdict: %s.", whole(sum.Operations), whole(sum.Executions), sum.Elapsed.Round(time.Second), workers,
		o.Bounds.Sessions, caseSeed, len(sum.Findings), len(sum.Unconfirmed), sum.Unknown, sum.Verdict)
	s.table.row("invariant", "checked", "verdict", "note")
	for _, row := range sum.Invariants {
		s.table.row(row.Name, whole(row.Checked), row.Status.String(), row.Note)
	}
	for _, f := range sum.Findings {
		s.missed = append(s.missed, fmt.Sprintf("the service as it is was accused: %s: %s\n%s", f.Fingerprint, f.Violation.Sentence, f.Program))
	}
	s.bar("no finding, and every invariant seen often enough to pass", sum.Verdict == check.Pass)
	return s, nil
}
