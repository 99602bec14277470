package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// goroutinesEvery is how often a case looks for leaked goroutines: pgxpool's own take half a second to
// end, which every case cannot afford.
const goroutinesEvery = 32

// freshEvery is how often a case starts without any database and on backends of its own, so that it
// provisions and connects for real. It also bounds what deleted rows leave behind, as autovacuum is off.
const freshEvery = 512

// quickSettle is how long a candidate's service may take to come to rest. What is reported has had the
// full time.
const quickSettle = 300 * time.Millisecond

// parkedBackends is how many backends a worker keeps between clients: those of one case.
const parkedBackends = 40

// bench is where the cases of one worker run, one after the other.
type bench struct {
	target  harness.Target
	env     harness.Env
	control *harness.Control
	log     io.Writer
	warm    *pgwire.Warm
	cold    *pgwire.Warm // keeps nothing
	locks   *gate.Locks
	procs   int    // GOMAXPROCS as the process began
	startGC func() // nil while the garbage collector comes when it likes

	provisioned map[string]bool // names of projects that have a database to be recycled
	cases       int
	dirty       bool // the last case broke: what it left is not to be recycled
}

func newBench(target harness.Target, dsn, prefix string, log io.Writer) *bench {
	return &bench{
		target: target, control: harness.NewControl(dsn), log: log,
		warm: pgwire.NewWarm(nil, parkedBackends), cold: pgwire.NewWarm(nil, 0),
		locks: gate.NewLocks(dsn), procs: runtime.GOMAXPROCS(0), provisioned: map[string]bool{},
		env: harness.Env{DSN: dsn, Prefix: prefix, Logger: slog.New(slog.NewTextHandler(log, nil))},
	}
}

// run runs one case: databases emptied, a fresh service, the program, the audit, the verdict.
func (b *bench) run(ctx context.Context, c Case, tell teller) Report {
	report := Report{ID: c.ID}
	p, err := model.Parse(c.Program)
	if err != nil {
		report.Broken = fmt.Sprintf("program: %v", err)
		return report
	}
	fresh := c.Fresh || b.dirty || b.cases%freshEvery == 0
	if err := b.reset(ctx, fresh); err != nil {
		report.Broken = err.Error()
		return report
	}
	b.dirty = true
	b.cases++
	if p.Mode == model.Gated {
		if err := b.provision(ctx, p); err != nil {
			report.Broken = err.Error()
			return report
		}
	}
	var opts audit.Options
	if c.Fresh || b.cases%goroutinesEvery == 0 {
		opts.Goroutines = audit.Baseline()
	}
	if c.Quick {
		opts.Settle = quickSettle
	}
	b.willDrop(p)
	b.collect()
	env, g := b.envOf(p, fresh)
	if g != nil {
		defer g.Close()
	}
	run, err := harness.Start(ctx, b.target, env, p)
	if err != nil {
		report.Broken = err.Error()
		return report
	}
	run.Begin, run.Deviated = tell.begin, tell.deviated
	if g != nil {
		run.Under(g)
	}
	err = run.Execute(ctx)
	if err == nil && g != nil && run.Alive() {
		run.History.Outside, err = run.Outside(ctx, b.control)
	}
	if g != nil && g.Listening() {
		opts.Goroutines.Listener()
	}
	if err == nil && run.Alive() {
		err = audit.Service(ctx, run, b.control, opts)
	}
	if !run.Closed() && !run.Stuck() {
		_, _ = run.Close(ctx) // what it says of itself after a hang or a panic is worth nothing
	}
	// What a service left running would be found again in the next case, and blamed on it.
	report.Tainted = run.Stuck() || !run.Alive() || run.History.Rest.Left()
	report.History = run.History
	if err != nil {
		report.Broken = err.Error()
		return report
	}
	report.Verdict = check.Judge(p, run.History)
	b.dirty = report.Tainted
	if report.Verdict.Status != check.Fail {
		// Nobody reads the answers of a case that passed, and they are most of what would be sent.
		for i := range report.History.Entries {
			report.History.Entries[i].Response.Matches = nil
			report.History.Entries[i].Response.Stats = nil
		}
	}
	return report
}

// envOf returns where a program's service runs: under a gate, on backends that are kept, or on new ones.
func (b *bench) envOf(p model.Program, fresh bool) (harness.Env, *gate.Gate) {
	env := b.env
	b.processors(p.Mode)
	if p.Mode != model.Gated {
		if !fresh {
			env.Dial = b.warm.Dial
		}
		return env, nil
	}
	dial := b.warm.DialLingering
	if fresh {
		dial = b.cold.DialLingering
	}
	g := gate.New(gate.Options{Dial: dial, Locks: b.locks, Hide: []string{b.env.Prefix}, Calm: b.target.Calm})
	env.Dial, env.ConfigurePool, env.Listen = g.Dial, g.Configure, g.Listen
	return env, g
}

// reset empties the worker's databases, or drops them.
func (b *bench) reset(ctx context.Context, drop bool) error {
	if drop || b.target.Reset == nil {
		clear(b.provisioned)
		return b.control.DropDatabases(ctx, b.env.Prefix)
	}
	if err := b.target.Reset(ctx, b.env); err != nil {
		return fmt.Errorf("reset %s: %w", b.target.Name, err)
	}
	return nil
}

// close drops what the worker made.
func (b *bench) close(ctx context.Context) error {
	err := errors.Join(b.warm.Close(), b.locks.Close(ctx), b.control.DropDatabases(ctx, b.env.Prefix))
	if e := b.control.Close(ctx); err == nil {
		err = e
	}
	return err
}
