package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// caseSeed is the seed of the programs: every run measures the same ones.
const caseSeed = 1

// caseRow is one way to run cases.
type caseRow struct {
	name    string
	path    string // of the worker
	workers int
	bounds  model.Bounds

	fleet             *worker.Fleet
	mu                sync.Mutex
	next              int
	cases, operations sample // per second
	races             sample // per second of races alone
	racing            time.Duration
}

// newCaseRow is default programs, or free ones of exactly so many sessions.
func (l *lab) newCaseRow(workers, sessions int) *caseRow {
	r := &caseRow{path: l.self, workers: workers, bounds: model.DefaultBounds(), name: "sequential"}
	if sessions > 0 {
		r.name = fmt.Sprintf("free, sessions: %d", sessions)
		r.bounds.Mode, r.bounds.Sessions = model.Free, sessions
	}
	return r
}

func (l *lab) cases(ctx context.Context) (s section, _ error) {
	rows := []*caseRow{l.newCaseRow(1, 0), l.newCaseRow(2, 0), l.newCaseRow(1, 1), l.newCaseRow(1, 4), l.newCaseRow(1, 16)}
	if err := l.runRows(ctx, "c", rows); err != nil {
		return s, err
	}
	s.title = "Cases and operations per second"
	s.text = fmt.Sprintf("Drawn programs of up to %d projects through worker processes, everything included: databases emptied, a "+
		"fresh service, the program, the audit through a second service, the verdict. An operation is one of the "+
		"program; what the audit asks is not counted. Every case passed.", model.DefaultBounds().Projects)
	s.table.row("mode", "workers", "cases/s", "min – max", "operations/s", "min – max", "÷ first row, operations")
	for _, r := range rows {
		s.table.row(r.name, fmt.Sprint(r.workers), number(r.cases.median()), r.cases.span(),
			number(r.operations.median()), r.operations.span(), number(r.operations.over(rows[0].operations).median()))
	}
	return s, nil
}

// runRows measures rows by turns, each with workers of its own.
func (l *lab) runRows(ctx context.Context, mark string, rows []*caseRow) (err error) {
	defer func() {
		for _, r := range rows {
			if r.fleet != nil {
				err = errors.Join(err, r.fleet.Close())
			}
		}
	}()
	for i, r := range rows {
		opts := worker.Options{Path: r.path, DSN: l.server.DSN(), Prefix: fmt.Sprintf("%s%s%d", l.claim.Prefix, mark, i)}
		if r.fleet, err = worker.NewFleet(ctx, opts, r.workers); err != nil {
			return err
		}
		if _, _, err := r.run(ctx, l.round/4); err != nil { // so that workers and databases are there
			return err
		}
	}
	for range l.rounds {
		for _, r := range rows {
			r.racing = 0
			cases, operations, err := r.run(ctx, l.round)
			if err != nil {
				return err
			}
			r.cases.add(cases)
			r.operations.add(operations)
			r.races.add(cases * l.round.Seconds() * float64(r.workers) / r.racing.Seconds())
		}
	}
	return nil
}

// run runs cases for so long and returns how many, and how many operations, there were in a second.
func (r *caseRow) run(ctx context.Context, during time.Duration) (cases, operations float64, err error) {
	var wg sync.WaitGroup
	var ran, ops int
	var failed error
	began := time.Now()
	for range r.workers {
		wg.Go(func() {
			for time.Since(began) < during {
				p := r.draw()
				out, err := r.fleet.Do(ctx, worker.Case{Program: p.String()})
				if err == nil && out.Verdict.Status != check.Pass {
					err = notPassed(p, out.Verdict)
				}
				r.mu.Lock()
				ran, ops, failed = ran+1, ops+p.Len(), errors.Join(failed, err)
				r.racing += raceTime(p, out)
				stop := failed != nil
				r.mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	seconds := time.Since(began).Seconds()
	return float64(ran) / seconds, float64(ops) / seconds, failed
}

func (r *caseRow) draw() model.Program {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return model.Generate(mostSessions{model.NewSource(model.CaseSeed(caseSeed, r.next)), r.bounds.Mode}, r.bounds)
}

// mostSessions draws as many sessions as there may be: a free program of four sessions shall have four.
type mostSessions struct {
	model.Source
	mode model.Mode
}

func (s mostSessions) Int(label string, lo, hi int) int {
	if s.mode == model.Free && label == "sessions" {
		return hi
	}
	return s.Source.Int(label, lo, hi)
}

func notPassed(p model.Program, v check.Verdict) error {
	if first := v.First(); first != nil {
		return fmt.Errorf("the service as it is was accused: %s: %s\n%s", first.Fingerprint(), first.Sentence, p)
	}
	return fmt.Errorf("a case ended %s\n%s", v.Status, p)
}
