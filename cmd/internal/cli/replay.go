package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

type replayFlags struct {
	environmentFlags
	times      int
	timesGiven bool
	bisect     bool
	fresh      bool
	json       bool
	verbose    bool
}

func newReplay(s streams) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE|FOLDER",
		Short: "Execute a repro, or a program, again",
		Long: `replay executes a repro's program and says whether it shows the same violation. It takes the folder that
storm wrote, a repro's file, or bare program text. A repro that was found in a seeded fault is replayed in
that fault; --seeded-fault none replays it on the service as it is.

A service that has changed since may send other messages. Where the schedule would stop an operation at a
message that is not the one it was, or is not sent any more, the execution is called diverged, and where.

Exit codes: 0 not reproduced, 1 reproduced, 125 anything else: diverged, another violation, or no way to
execute it. git bisect run takes them as good, bad and skip. --bisect says one line, ends with the first
execution that shows the violation, and executes a program whose sessions run free ten times.`,
		Example: `  tenantstorm replay findings/lru-order-stats
  tenantstorm replay findings/lru-order-stats --times 100 --fresh
  tenantstorm replay findings/lru-order-stats --seeded-fault none --verbose
  git bisect run sh -c 'go build -o /tmp/worker ./cmd/worker || exit 125; tenantstorm replay --bisect --worker /tmp/worker /tmp/bug'`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.timesGiven = cmd.Flags().Changed("times")
			err := f.run(cmd.Context(), s, args[0])
			var exit *exitError
			if err != nil && !errors.As(err, &exit) {
				err = &exitError{code: exitSkip, err: err}
			}
			return err
		},
	}
	f.register(cmd.Flags(), false)
	cmd.Flags().IntVar(&f.times, "times", 1, "how often to execute it")
	cmd.Flags().BoolVar(&f.bisect, "bisect", false, "for git bisect run: one line, and no more executions than it takes")
	cmd.Flags().BoolVar(&f.fresh, "fresh", false, "every execution on databases and backends made anew; else only the first is")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "also print, of each execution as it is over, what the gate let happen step by step")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return cmd
}

// replayJSON is what replay --json prints.
type replayJSON struct {
	Mode          string   `json:"mode"` // gated replays, free is so many of so many
	Times         int      `json:"times"`
	Reproduced    int      `json:"reproduced"`
	Differing     int      `json:"differing"`       // executions whose steps under the gate were not those of the first
	Diverged      int      `json:"diverged"`        // executions in which the schedule could not be followed
	Where         []string `json:"where,omitempty"` // what of it could not be done in the last of them
	Other         int      `json:"other"`
	Unknown       int      `json:"unknown"`
	Fingerprint   string   `json:"fingerprint"`
	Visualization string   `json:"visualization,omitempty"` // the page that was written with the repro
}

func (f *replayFlags) run(ctx context.Context, s streams, path string) (err error) {
	switch {
	case f.times < 1:
		return fmt.Errorf("--times %d: must be 1 or more", f.times)
	case f.bisect && (f.json || f.verbose):
		return errors.New("--bisect says one line: it cannot be combined with --json or --verbose")
	case f.json && f.verbose:
		return errors.New("--json prints one value: it cannot be combined with --verbose")
	}
	r, err := loadRepro(path)
	if err != nil {
		return err
	}
	if f.bisect && !f.timesGiven {
		f.times = bisectTimes(r.Program.Mode)
	}
	if r.Meta.Target == ownTarget && f.workerPath == "" {
		// That the reference service does not show it would say nothing.
		return fmt.Errorf("%s was found in a service given with --worker: name its binary again with --worker", path)
	}
	if f.seededFault == "" && f.workerPath == "" {
		f.seededFault = r.Meta.SeededFault
	}
	f.workers = 1
	if err := f.check(); err != nil {
		return err
	}
	screen := newScreen(s, f.json || f.bisect)
	defer screen.close()
	p := r.Program
	env, err := f.open(ctx, connectionsPerWorker(p.Projects, p.MaxProjects, p.Sessions, p.Holds()), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	warnVersions(screen, r.Meta, env.meta(f.targetName(), f.fault()))
	options := hunt.ReplayOptions{Fingerprint: r.Fingerprint(), Times: f.times, Steps: r.Steps, Recycle: !f.fresh, First: f.bisect}
	if f.verbose {
		options.Each = func(n int, out worker.Outcome) { screen.say(executed(n, out)) }
	}
	done, stopped := hunt.ReplayWith(ctx, env.fleet, p, options)
	if stopped != nil {
		stopped = fmt.Errorf("stopped after %d of %s: %w", done.Times, count(f.times, "execution"), stopped)
	}
	if done.Times == 0 {
		return stopped
	}
	screen.close()
	if f.bisect {
		_, err = fmt.Fprintln(s.out, bisected(path, done))
	} else {
		err = f.print(s.out, r, done, repro.Visualization(path))
	}
	if err != nil {
		return err
	}
	err = replayExit(done)
	if stopped == nil {
		return err
	}
	if err == nil {
		err = &exitError{code: exitSkip} // what was not executed might have shown it
	}
	return alsoFailed(err, stopped)
}

// bisectTimes is how often a program is executed to tell a commit with the fault from one without.
func bisectTimes(m model.Mode) int {
	if m == model.Free {
		return 10
	}
	return 1
}

// bisected is the outcome in a line.
func bisected(path string, done hunt.Replayed) string {
	switch err := replayExit(done); {
	case done.Same > 0:
		return fmt.Sprintf("bad: %s shows %s", path, done.Violation.Fingerprint())
	case err == nil:
		return fmt.Sprintf("good: %s shows nothing in %s", path, count(done.Times, "execution"))
	case len(done.Where) > 0:
		return fmt.Sprintf("skip: %s cannot be followed: %s", path, done.Where[0])
	case len(done.Other) > 0:
		return fmt.Sprintf("skip: %s shows another violation: %s", path, strings.Join(slices.Sorted(maps.Keys(done.Other)), ", "))
	}
	return fmt.Sprintf("skip: %s says nothing", path)
}

// executed tells how an execution went, step by step.
func executed(n int, out worker.Outcome) string {
	var b strings.Builder
	came := "showed nothing"
	if v := out.Verdict.First(); v != nil {
		came = "showed " + v.Fingerprint()
	} else if out.Verdict.Status != check.Pass {
		came = "says nothing"
	}
	fmt.Fprintf(&b, "execution %d %s", n, came)
	for i, step := range out.History.Steps {
		fmt.Fprintf(&b, "\n%4d  %s", i+1, repro.Redact(step.String()))
	}
	for _, where := range out.History.Diverged {
		fmt.Fprintf(&b, "\n      diverged: %s", where)
	}
	for _, why := range out.History.Broken {
		fmt.Fprintf(&b, "\n      broken: %s", repro.Redact(why))
	}
	return b.String()
}

// replayExit: reproduced means the same fingerprint at least once; a program without a violation to
// compare with is reproduced by any.
func replayExit(done hunt.Replayed) error {
	switch {
	case done.Same > 0:
		return &exitError{code: exitReproduced}
	case len(done.Other) > 0 || done.Unknown > 0 || done.Diverged > 0:
		return &exitError{code: exitSkip}
	}
	return nil
}

func warnVersions(screen *screen, was, now repro.Meta) {
	for _, v := range []struct{ what, was, now string }{
		{"Go", was.Go, now.Go}, {"pgx", was.Pgx, now.Pgx}, {"PostgreSQL", was.Postgres, now.Postgres},
	} {
		if v.was != "" && v.was != v.now {
			screen.say(fmt.Sprintf("warning: the repro was made with %s %s, this is %s", v.what, v.was, v.now))
		}
	}
}

func (f *replayFlags) print(w io.Writer, r repro.Repro, done hunt.Replayed, page string) error {
	others := 0
	var names []string
	for name, n := range done.Other {
		others += n
		names = append(names, name)
	}
	slices.Sort(names)
	if f.json {
		fingerprint := r.Fingerprint()
		if done.Violation != nil {
			fingerprint = done.Violation.Fingerprint()
		}
		return printJSON(w, replayJSON{Mode: r.Program.Mode.String(), Times: done.Times, Reproduced: done.Same, Diverged: done.Diverged, Where: done.Where, Differing: done.Differing, Other: others, Unknown: done.Unknown, Fingerprint: fingerprint, Visualization: page})
	}
	var err error
	say := func(format string, v ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format+"\n", v...)
		}
	}
	say("%s", r.Program)
	switch {
	case done.Same > 0:
		say("REPRODUCED %d of %d, %s: %s\n\n  %s", done.Same, done.Times, done.Scheduling(r.Program), done.Violation.Fingerprint(), violationOf(done.Violation))
		for _, line := range repro.Lines(done.History) {
			say("    %s", line)
		}
		if page != "" {
			say("\n  visualisation of when it was found: %s", page)
		}
	case len(names) > 0:
		say("ANOTHER VIOLATION in %d of %d, %s: %v, not %s\n\n  %s", others, done.Times, r.Program.Mode, names, r.Fingerprint(), violationOf(done.Last.Verdict.First()))
	case done.Diverged > 0:
		say("DIVERGED in %d of %d: the schedule could not be followed\n", done.Diverged, done.Times)
		for _, where := range done.Where {
			say("  %s", where)
		}
	case done.Unknown > 0:
		say("UNKNOWN: %d of %d executions say nothing, %s", done.Unknown, done.Times, r.Program.Mode)
	default:
		say("NOT REPRODUCED in %s, %s", count(done.Times, "execution"), done.Scheduling(r.Program))
	}
	if done.Differing > 0 {
		say("\nNOT DETERMINISTIC: %s of %d took other steps than the first; the last %s", count(done.Differing, "execution"), done.Times, done.Differ)
	}
	return err
}
