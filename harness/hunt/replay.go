package hunt

import (
	"context"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// Replayed is what came of executing one program several times.
type Replayed struct {
	Times     int
	Same      int              // executions that showed the fingerprint
	Other     map[string]int   // executions that showed another one
	Diverged  int              // executions that did not, and in which the schedule could not be followed
	Where     []string         // of the last of those: what could not be done
	Differing int              // executions whose steps under the gate were not those of the first
	Differ    string           // where the last of them did
	Unknown   int              // executions that say nothing: the worker was killed from outside, or the service dialled past the gate
	Violation *check.Violation // the last one with the fingerprint
	History   history.History  // its history
	Settled   bool             // the service ran in another process, of which the gate sees the messages only
	Last      *worker.Outcome
}

// ReplayOptions say how a program is executed again.
type ReplayOptions struct {
	// Fingerprint is what is looked for; "": whatever shows first.
	Fingerprint string
	// Times is how often it is executed.
	Times int
	// Steps are those that it took when it was found. An execution in which a message that the schedule
	// is about is another one has not followed the schedule. Empty: they are not known.
	Steps []history.Step
	// Recycle lets the executions after the first use the databases and backends of those before.
	Recycle bool
	// First ends with the first execution that shows the fingerprint.
	First bool
	// Each, where it is not nil, is told of every execution as it is over, and its number from 1 on.
	Each func(n int, out worker.Outcome)
}

// Replay executes a program so many times, on databases made anew, and counts how often it shows the
// fingerprint; "" means whatever shows first.
func Replay(ctx context.Context, runner Runner, p model.Program, fingerprint string, times int) (Replayed, error) {
	return ReplayWith(ctx, runner, p, ReplayOptions{Fingerprint: fingerprint, Times: times})
}

// ReplayWith executes a program again and again, and counts what shows.
func ReplayWith(ctx context.Context, runner Runner, p model.Program, o ReplayOptions) (Replayed, error) {
	r := Replayed{Other: map[string]int{}}
	var steps []history.Step
	for i := range o.Times {
		out, err := runner.Do(ctx, worker.Case{Program: p.String(), Fresh: i == 0 || !o.Recycle})
		if err != nil {
			return r, err
		}
		r.Times++
		r.Last = &out
		r.Settled = r.Settled || out.History.Settled
		if o.Each != nil {
			o.Each(r.Times, out)
		}
		if i == 0 {
			steps = out.History.Steps
		} else if where := Differ(steps, out.History.Steps); where != "" && out.Died == nil {
			r.Differing++
			r.Differ = where
		}
		r.count(out, p, &o)
		if o.First && r.Same > 0 {
			break
		}
	}
	return r, nil
}

// Scheduling says how the program's operations were scheduled: its mode, or settled.
func (r Replayed) Scheduling(p model.Program) string { return scheduling(p, r.Settled) }

// count adds an execution.
func (r *Replayed) count(out worker.Outcome, p model.Program, o *ReplayOptions) {
	v := out.Verdict.First()
	if v != nil && (o.Fingerprint == "" || v.Fingerprint() == o.Fingerprint) {
		o.Fingerprint = v.Fingerprint()
		r.Same++
		r.Violation, r.History = v, out.History
		return
	}
	if where := strayed(out, p, o.Steps); len(where) > 0 {
		r.Diverged++
		r.Where = where
		return
	}
	switch {
	case v != nil:
		r.Other[v.Fingerprint()]++
	case out.Verdict.Status != check.Pass:
		r.Unknown++
	}
}

// strayed tells where an execution did not follow its schedule.
func strayed(out worker.Outcome, p model.Program, was []history.Step) []string {
	var where []string
	if len(out.History.Steps) > 0 { // a process that died tells of none
		for _, d := range repro.Drift(p.Schedule, was, out.History.Steps) {
			where = append(where, d.String())
		}
	}
	return append(where, out.History.Diverged...)
}
