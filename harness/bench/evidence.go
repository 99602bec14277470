package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/jackc/pgx/v5"
)

// Evidence is what a diagnosis found: where the time goes. It is gathered in a run of its own, since what gathers it
// slows down what it looks at.
type Evidence struct {
	Schema   int       `json:"schema"`
	Kind     Kind      `json:"kind"`
	Recorded time.Time `json:"recorded"`
	// Because is what was missed or became worse.
	Because []string `json:"because"`
	// Load is what was run.
	Load string `json:"load"`
	// Statements are what the service sent, as its client saw them; those that took longest in sum come first.
	Statements []StatementTime `json:"statements,omitempty"`
	// Acquire and Connect are what clients waited for in pgx's pools.
	Acquire Waited `json:"acquire"`
	Connect Waited `json:"connect"`
	// Plans are those of the worst statements: EXPLAIN (ANALYZE, BUFFERS), rolled back.
	Plans []Plan `json:"plans,omitempty"`
	// Logged are the slowest statements of the server's own log, by auto_explain and log_min_duration_statement.
	Logged []Logged `json:"logged,omitempty"`
	// Counted are the worst statements by pg_stat_statements.
	Counted []Counted `json:"counted,omitempty"`
	// Tables are the larger ones, and how they were read.
	Tables []TableReads `json:"tables,omitempty"`
	// HitRate is the pools', where the load was of many projects.
	HitRate *float64 `json:"pool_hit_rate,omitempty"`
	// Advice is what to try, in this order.
	Advice []string `json:"advice"`
	Notes  []string `json:"notes,omitempty"`

	// CPU and Heap are profiles of the client's process, in which the service runs; nil where there are none.
	CPU  []byte `json:"-"`
	Heap []byte `json:"-"`
}

// Waited is how often something was waited for, and how long.
type Waited struct {
	Times int           `json:"times"`
	Total time.Duration `json:"total_ns"`
	Max   time.Duration `json:"max_ns"`
}

func (w *Waited) add(d time.Duration) {
	w.Times++
	w.Total += d
	w.Max = max(w.Max, d)
}

// DiagnoseOptions say what to look into.
type DiagnoseOptions struct {
	// One of these is run, much as it was measured but shorter.
	Index  *IndexOptions
	Search *SearchOptions
	Stress *StressOptions
	// Because is what was missed or became worse, for the evidence to say.
	Because []string
	// Log is the server's own log; nil where it is not ours, and nothing of the server is changed then.
	Log *ServerLog
}

// How long a diagnosis is.
const (
	diagnoseRuns   = 2
	diagnoseStress = 3 * time.Second
)

// Missed are the bounds that were missed and the violations that were found, in words.
func (r *Result) Missed() (missed []string) {
	for _, b := range r.Bounds {
		if !b.Met {
			missed = append(missed, fmt.Sprintf("%s is %.4g %s, and was to be %s %.4g", b.What, b.Value, b.Unit, b.Rule, b.Limit))
		}
	}
	for _, v := range r.Violations {
		missed = append(missed, v.Fingerprint+": "+v.Sentence)
	}
	return missed
}

// Worse are the rows of a comparison that failed, in words.
func (c *Comparison) Worse() (worse []string) {
	for _, r := range c.Rows {
		if r.Verdict == Fail {
			worse = append(worse, fmt.Sprintf("%s: %.4g, was %.4g %s (%+.1f %%)", r.Name, r.After.Median, r.Before.Median, r.Unit, 100*r.Change))
		}
	}
	return worse
}

// Diagnose runs a load once more and gathers where its time goes.
func (l *Lab) Diagnose(ctx context.Context, o DiagnoseOptions) (_ *Evidence, err error) {
	d := &diagnosis{e: Evidence{Schema: SchemaVersion, Recorded: time.Now().UTC().Truncate(time.Second), Because: o.Because}, watch: &stopwatch{seen: map[string]*StatementTime{}}}
	lab := *l
	lab.configure, d.lab = d.watch.configure, &lab
	lab.look = d.lookAt
	if o.Log != nil {
		restore, err := d.listen(ctx, o.Log)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	stop := d.profile()
	r, err := d.run(ctx, o)
	stop()
	if err != nil {
		return nil, fmt.Errorf("gather evidence: %w", err)
	}
	if m := r.Metric("pool_hit_rate"); m != nil {
		d.e.HitRate = &m.Samples[0]
	}
	if o.Log != nil {
		d.e.Logged = o.Log.slowest(d.mark)
	}
	d.e.Statements, d.e.Acquire, d.e.Connect = d.watch.report()
	if len(d.e.Statements) == 0 {
		d.e.Notes = append(d.e.Notes, "the service was not seen to send a statement: it does not use the pools' configuration it is given")
	}
	d.e.advise()
	return &d.e, nil
}

// diagnosis gathers evidence.
type diagnosis struct {
	e     Evidence
	lab   *Lab
	watch *stopwatch
	mark  int64 // where the log was when it began
}

func (d *diagnosis) note(format string, args ...any) {
	d.e.Notes = append(d.e.Notes, fmt.Sprintf(format, args...))
}

func (d *diagnosis) run(ctx context.Context, o DiagnoseOptions) (*Result, error) {
	switch {
	case o.Index != nil:
		again := *o.Index
		again.Runs = diagnoseRuns
		d.e.Kind, d.e.Load = KindIndex, fmt.Sprintf("%d indexes of %s", diagnoseRuns+1, again.Repository)
		return d.lab.Index(ctx, again)
	case o.Search != nil:
		again := *o.Search
		again.Runs = diagnoseRuns
		d.e.Kind, d.e.Load = KindSearch, fmt.Sprintf("%d runs of %d searches by each of %v clients", diagnoseRuns+1, again.Queries, again.Clients)
		return d.lab.Search(ctx, again)
	case o.Stress != nil:
		again := *o.Stress
		again.Duration = min(again.Duration, diagnoseStress)
		d.e.Kind, d.e.Load = KindStress, fmt.Sprintf("%d clients that search and %d that index, %v, %d projects in %d pools", again.Searches, again.Indexers, again.Duration, again.Projects, again.MaxProjects)
		return d.lab.Stress(ctx, again)
	}
	return nil, errors.New("gather evidence: nothing to run was named")
}

// profile begins to take a CPU profile of this process; the function it returns ends it, and takes one of the heap.
func (d *diagnosis) profile() (stop func()) {
	var cpu bytes.Buffer
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		d.note("no CPU profile: %v", err)
		return func() { d.heap() }
	}
	return func() {
		pprof.StopCPUProfile()
		d.e.CPU = cpu.Bytes()
		d.heap()
	}
}

func (d *diagnosis) heap() {
	runtime.GC() // the profile is of the last collection
	var heap bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&heap, 0); err != nil {
		d.note("no heap profile: %v", err)
		return
	}
	d.e.Heap = heap.Bytes()
}

// lookAt looks at what a room's databases hold and how they were read, before they are dropped.
func (d *diagnosis) lookAt(ctx context.Context, room string) error {
	if err := d.explain(ctx); err != nil {
		return err
	}
	if err := d.tables(ctx, room); err != nil {
		return err
	}
	return d.lab.control(ctx, "", func(conn *pgx.Conn) error { return d.counted(ctx, conn, room) })
}
