package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"testing" //nolint:depguard // rapid asks it whether a test is to be short
	"time"

	"pgregory.net/rapid" //nolint:depguard // its shrinker is what is measured

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// comparedFaults are those whose failures both shrinkers are given: three that show in sequence, two that race.
var comparedFaults = []string{"get-no-touch", "bad-last-used", "evict-closes-inuse", "dup-create", "delete-then-insert"}

const (
	comparedSeeds = 1                // of each fault
	shrinkTime    = 30 * time.Second // that either shrinker may take, rapid's default
	drawnChecks   = "5000"           // programs that rapid may draw until one fails
)

// shrinkers gives the same failures to rapid's shrinker and to ours.
func (l *lab) shrinkers(ctx context.Context) (s section, err error) {
	s.title = "Against rapid's own shrinker"
	s.text = fmt.Sprintf("rapid draws programs from a seed until one fails. Then its own shrinker makes the draws smaller, and ours the "+
		"program, each for at most %s; what counts is the same fingerprint. Programs that were run before are not run again, for either. Size is operations and "+
		"interventions; *first* is the program that failed.", shrinkTime)
	s.table.row("fault", "seed", "fingerprint", "minimum", "first", "rapid", "executions", "seconds", "ours", "executions", "seconds")
	ours, theirs, all := 0, 0, 0
	for _, id := range comparedFaults {
		fault, err := seeded.Get(id)
		if err != nil {
			return s, err
		}
		path, err := seeded.Build(ctx, seeded.BuildOptions{Fault: &fault, Instrument: []string{"./fixtures/codesearch/..."}})
		if err != nil {
			return s, err
		}
		for seed := range uint64(comparedSeeds) {
			r, err := l.bothShrink(ctx, path, fault, seed+1)
			if err != nil {
				return s, fmt.Errorf("%s, seed %d: %w", id, seed+1, err)
			}
			minimum := fault.Operations + fault.Interventions
			s.table.row(id, fmt.Sprint(seed+1), r.fingerprint, fmt.Sprint(minimum), fmt.Sprint(r.first),
				fmt.Sprint(r.rapid.size), fmt.Sprint(r.rapid.executions), number(r.rapid.took.Seconds()),
				fmt.Sprint(r.ours.size), fmt.Sprint(r.ours.executions), number(r.ours.took.Seconds()))
			all++
			if r.ours.size <= minimum {
				ours++
			}
			if r.rapid.size <= minimum {
				theirs++
			}
		}
	}
	s.verdicts = append(s.verdicts, fmt.Sprintf("At the known minimum: rapid %d of %d, ours %d of %d.", theirs, all, ours, all))
	return s, nil
}

// shrunk is what one shrinker came to.
type shrunk struct {
	size, executions int
	took             time.Duration
}

type bothShrunk struct {
	fingerprint string
	first       int
	rapid, ours shrunk
}

func size(p model.Program) int { return p.Len() + len(p.Schedule) }

// bothShrink has rapid find and shrink a failure, and then ours shrink the same.
func (l *lab) bothShrink(ctx context.Context, path string, fault seeded.Fault, seed uint64) (r bothShrunk, err error) {
	fleet, err := worker.NewFleet(ctx, worker.Options{Path: path, DSN: postgres.QuickDSN(l.server), Prefix: l.claim.Prefix + "k"}, 1)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	bounds := model.DefaultBounds()
	if bounds.Mode = fault.Minimum.Mode; bounds.Mode == model.Gated {
		bounds.Points = model.AllPoints
	}
	run := &memory{ctx: ctx, fleet: fleet, fault: fault, known: map[string]*model.Program{}}
	if err := run.byRapid(bounds, seed); err != nil {
		return r, err
	}
	if run.fingerprint == "" {
		return r, errors.New("no program failed")
	}
	r.fingerprint, r.first, r.rapid = run.fingerprint, size(run.readable), run.shrunk()
	f, confirmed, err := hunt.Pursue(ctx, hunt.Options{Runner: fleet, ShrinkBudget: shrinkTime}, run.first, run.violation)
	if err == nil && !confirmed {
		err = fmt.Errorf("%s did not show again", run.fingerprint)
	}
	r.ours = shrunk{f.Operations + f.Interventions, f.Shrink, f.ShrinkTook}
	return r, err
}

// memory runs rapid's programs, each once.
type memory struct {
	ctx   context.Context
	fleet *worker.Fleet
	fault seeded.Fault
	known map[string]*model.Program // by text: the program if it fails, else nil

	fingerprint string // of the first failure: others do not count
	violation   check.Violation
	first       model.Program
	readable    model.Program // the same, its strategy written out
	best        model.Program
	executions  int // after the first failure
	began       time.Time
	err         error
}

func (m *memory) shrunk() shrunk {
	return shrunk{size(m.best), m.executions, time.Since(m.began)}
}

// fails runs a program, unless it has been, and reports whether it fails like the first that did. What fails is
// rapid's smallest from then on: it tries nothing else.
func (m *memory) fails(p model.Program) bool {
	text := p.String()
	failing, known := m.known[text]
	if !known && m.err == nil {
		failing = m.execute(p, text)
		m.known[text] = failing
	}
	if failing != nil {
		m.best = *failing
	}
	return failing != nil
}

// execute runs a program and returns it as people would have to read it, with what its strategy chose; nil where it
// does not fail like the first.
func (m *memory) execute(p model.Program, text string) *model.Program {
	out, err := m.fleet.Do(m.ctx, worker.Case{Program: text, Quick: true})
	if err != nil {
		m.err = err
		return nil
	}
	if m.fingerprint != "" {
		m.executions++
	}
	v := out.Verdict.First()
	if v == nil {
		return nil
	}
	read := p
	if p.Strategy != (model.Strategy{}) {
		read = p.Clone()
		read.Strategy, read.Schedule = model.Strategy{}, out.History.Realised
	}
	switch {
	case m.fingerprint == "" && m.fault.ShownBy(v.Fingerprint()):
		m.fingerprint, m.violation, m.first, m.readable, m.began = v.Fingerprint(), *v, p, read, time.Now()
	case v.Fingerprint() != m.fingerprint:
		return nil
	}
	return &read
}

// byRapid lets rapid draw, find and shrink.
func (m *memory) byRapid(bounds model.Bounds, seed uint64) error {
	if flag.Lookup("rapid.seed") == nil {
		return errors.New("rapid's flags are not there")
	}
	testing.Init() // may be called more than once
	if err := flag.CommandLine.Parse(nil); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"rapid.seed": fmt.Sprint(seed), "rapid.checks": drawnChecks, "rapid.shrinktime": shrinkTime.String(), "rapid.nofailfile": "true",
	} {
		if err := flag.Set(name, value); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	done := make(chan struct{})
	go func() { // rapid ends its test with runtime.Goexit
		defer close(done)
		rapid.Check(&quietTB{}, func(t *rapid.T) {
			if p := model.Generate(drawing{t}, bounds); m.fails(p) {
				t.Fatalf("failed") // one line for all: rapid knows failures by their place
			}
		})
	}()
	<-done
	return m.err
}

// drawing lets rapid draw programs.
type drawing struct{ t *rapid.T }

func (s drawing) Int(label string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(s.t, label) }

func (s drawing) Repeat(label string, step func()) {
	s.t.Repeat(map[string]func(*rapid.T){label: func(*rapid.T) { step() }})
}

// quietTB is a test for rapid to report to, which says nothing.
type quietTB struct{ failed bool }

func (*quietTB) Helper()                 {}
func (*quietTB) Name() string            { return "shrinkers" }
func (*quietTB) Logf(string, ...any)     {}
func (*quietTB) Log(...any)              {}
func (*quietTB) Skipf(string, ...any)    { runtime.Goexit() }
func (*quietTB) Skip(...any)             { runtime.Goexit() }
func (*quietTB) SkipNow()                { runtime.Goexit() }
func (b *quietTB) Errorf(string, ...any) { b.failed = true }
func (b *quietTB) Error(...any)          { b.failed = true }
func (b *quietTB) Fatalf(string, ...any) { b.FailNow() }
func (b *quietTB) Fatal(...any)          { b.FailNow() }
func (b *quietTB) FailNow() {
	b.failed = true
	runtime.Goexit()
}
func (b *quietTB) Fail()        { b.failed = true }
func (b *quietTB) Failed() bool { return b.failed }
