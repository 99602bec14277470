package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

type replayFlags struct {
	environmentFlags
	times   int
	json    bool
	verbose bool
}

func newReplay(s streams) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Execute a repro, or a program, again",
		Long: `replay executes a repro's program on fresh databases and says whether it shows the same violation.
A repro that was found in a seeded fault is replayed in that fault; --seeded-fault none replays it on
the service as it is. FILE may also be bare program text.

Exit codes: 0 not reproduced, 1 reproduced, 125 anything else, so that git bisect run skips it.`,
		Example: `  tenantstorm replay findings/lru-order-stats.txtar
  tenantstorm replay findings/lru-order-stats.txtar --times 100
  tenantstorm replay findings/lru-order-stats.txtar --seeded-fault none
  git bisect run go run ./cmd/tenantstorm replay bug.txtar`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
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
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "also print, of the last execution, each step that the gate let happen")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return cmd
}

// replayJSON is what replay --json prints.
type replayJSON struct {
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
	if f.times < 1 {
		return fmt.Errorf("--times %d: must be 1 or more", f.times)
	}
	r, err := loadRepro(path)
	if err != nil {
		return err
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
	screen := newScreen(s, f.json)
	defer screen.close()
	p := r.Program
	env, err := f.open(ctx, connectionsPerWorker(p.Projects, p.MaxProjects, p.Sessions, p.Holds()), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	warnVersions(screen, r.Meta, env.meta(f.targetName(), f.fault()))
	done, stopped := hunt.Replay(ctx, env.fleet, p, r.Fingerprint(), f.times)
	if stopped != nil {
		stopped = fmt.Errorf("stopped after %d of %s: %w", done.Times, count(f.times, "execution"), stopped)
	}
	if done.Times == 0 {
		return stopped
	}
	screen.close()
	if err := f.print(s.out, r, done, repro.Visualization(path)); err != nil {
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
		return printJSON(w, replayJSON{Times: done.Times, Reproduced: done.Same, Diverged: done.Diverged, Where: done.Where, Differing: done.Differing, Other: others, Unknown: done.Unknown, Fingerprint: fingerprint, Visualization: page})
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
		say("REPRODUCED %d of %d: %s\n\n  %s", done.Same, done.Times, done.Violation.Fingerprint(), violationOf(done.Violation))
		for _, line := range repro.Lines(done.History) {
			say("    %s", line)
		}
		if page != "" {
			say("\n  visualisation of when it was found: %s", page)
		}
	case len(names) > 0:
		say("ANOTHER VIOLATION in %d of %d: %v\n\n  %s", others, done.Times, names, violationOf(done.Last.Verdict.First()))
	case done.Diverged > 0:
		say("DIVERGED in %d of %d: the schedule could not be followed\n", done.Diverged, done.Times)
		for _, where := range done.Where {
			say("  %s", where)
		}
	case done.Unknown > 0:
		say("UNKNOWN: %d of %d executions say nothing", done.Unknown, done.Times)
	default:
		say("NOT REPRODUCED in %s", count(done.Times, "execution"))
	}
	if done.Differing > 0 {
		say("\nNOT DETERMINISTIC: %s of %d took other steps than the first; the last %s", count(done.Differing, "execution"), done.Times, done.Differ)
	}
	if f.verbose && done.Last != nil {
		say("")
		for i, step := range done.Last.History.Steps {
			say("%4d  %s", i+1, step)
		}
	}
	return err
}
