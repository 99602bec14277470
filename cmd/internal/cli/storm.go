package cli

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/model"
)

type stormFlags struct {
	environmentFlags
	budget, shrinkBudget  time.Duration
	cases, findings       int
	seed                  uint64
	projects, maxProjects int
	sessions, operations  int
	recheck               int
	mode                  string
	out, junit            string
	accept                []string
	json                  bool
}

func newStorm(s streams) *cobra.Command {
	var f stormFlags
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Search for violations with random programs",
		Long: `storm draws programs, runs them on the service against a real PostgreSQL, and checks every answer.
Sessions race, and a gate between the service and PostgreSQL decides which goes on: what a schedule did
once it does again. A program that fails is run again on fresh databases, shrunk to its smallest form, and
written as a repro. The search goes on after a finding, one finding a fingerprint.

The same --seed gives the same programs, whatever the number of workers.

Exit codes: 0 nothing found, 1 finding, 2 usage or environment, 3 inconclusive.`,
		Example: `  tenantstorm storm
  tenantstorm storm --seeded-fault get-no-touch --budget 20s
  tenantstorm storm --worker ./myservice-worker --seed 42 --workers 4
  tenantstorm storm --mode free --sessions 16 --budget 8h
  tenantstorm storm --cases 1000 --accept lru/order/stats --junit storm.xml
  tenantstorm storm --postgres 'postgres://me@db.test/postgres' --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = randomSeed()
			}
			if !cmd.Flags().Changed("mode") && f.sessions == 1 {
				f.mode = model.Sequential.String() // one session alone races with nobody
			}
			return f.run(cmd, s)
		},
	}
	d := model.DefaultBounds()
	f.register(cmd.Flags(), true)
	cmd.Flags().DurationVar(&f.budget, "budget", 30*time.Second, "how long to search; shrinking comes on top")
	cmd.Flags().DurationVar(&f.shrinkBudget, "shrink-budget", time.Minute, "how long to shrink one finding (0: until it is minimal)")
	cmd.Flags().IntVar(&f.cases, "cases", 0, "end the search after so many cases (0: by --budget alone)")
	cmd.Flags().IntVar(&f.findings, "max-findings", 0, "end the search after so many findings (0: go on)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of the programs (default: a random one, which is printed)")
	cmd.Flags().IntVar(&f.projects, "projects", d.Projects, "most projects of a program")
	cmd.Flags().IntVar(&f.maxProjects, "max-projects", d.MaxProjects, "largest MAX_PROJECTS of a program")
	cmd.Flags().IntVar(&f.sessions, "sessions", d.Sessions, "most sessions of a program")
	cmd.Flags().StringVar(&f.mode, "mode", model.Gated.String(), "how programs run: gated (sessions race under a schedule that is drawn, and replays), sequential (one operation at a time) or free (all sessions at once, on all cores)")
	cmd.Flags().IntVar(&f.recheck, "recheck", recheckEvery, "in gated mode, execute every `n`th case a second time, on fresh backends, to see that it does the same (0: never)")
	cmd.Flags().IntVar(&f.operations, "operations", 0, "operations of a program (0: drawn, about 30)")
	cmd.Flags().StringVar(&f.out, "out", "findings", "`directory` for repros; empty: none are written")
	cmd.Flags().StringSliceVar(&f.accept, "accept", nil, "`fingerprint` of a known finding, not to be reported; may be given often")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON; progress goes to stderr")
	cmd.Flags().StringVar(&f.junit, "junit", "", "also write the outcome to this `file`, as JUnit XML")
	return cmd
}

func randomSeed() uint64 {
	var b [8]byte
	// crypto/rand never fails on a supported platform.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) >> 33 // short enough to type
}

// recheckEvery is every how many gated cases one is executed twice.
const recheckEvery = 128

// stormHolds is how many leases a drawn program may keep at once.
const stormHolds = 8

var stormModes = []model.Mode{model.Gated, model.Sequential, model.Free}

// bounds are those of the programs that are drawn.
func (f *stormFlags) bounds() model.Bounds {
	b := model.Bounds{MaxProjects: f.maxProjects, Projects: f.projects, Sessions: f.sessions, Operations: f.operations}
	for _, m := range stormModes {
		if m.String() == f.mode {
			b.Mode = m
		}
	}
	return b
}

func (f *stormFlags) check() error {
	for _, n := range []struct {
		flag       string
		is, lo, hi int
	}{
		{"projects", f.projects, 1, model.MaxProjects}, {"max-projects", f.maxProjects, 1, model.MaxProjects},
		{"sessions", f.sessions, 1, model.MaxSessions}, {"operations", f.operations, 0, model.MaxOps}, {"cases", f.cases, 0, 1 << 30}, {"max-findings", f.findings, 0, 1 << 30},
		{"recheck", f.recheck, 0, 1 << 30},
	} {
		if n.is < n.lo || n.is > n.hi {
			return fmt.Errorf("--%s %d: must be between %d and %d", n.flag, n.is, n.lo, n.hi)
		}
	}
	switch {
	case !slices.Contains(stormModes, f.bounds().Mode) || f.bounds().Mode.String() != f.mode:
		return fmt.Errorf("--mode %s: unknown; known: gated, sequential, free", f.mode)
	case f.mode != model.Sequential.String() && f.sessions < 2:
		return fmt.Errorf("--sessions %d: --mode %s needs two sessions or more to race", f.sessions, f.mode)
	case f.budget < 0 || f.budget == 0 && f.cases == 0:
		return fmt.Errorf("--budget %v: must be above zero, or zero with --cases", f.budget)
	case f.shrinkBudget < 0:
		return fmt.Errorf("--shrink-budget %v: must not be below zero", f.shrinkBudget)
	}
	for _, a := range f.accept {
		if err := checkFingerprint(a); err != nil {
			return fmt.Errorf("--accept %q: %w", shown(a), err)
		}
	}
	if err := f.environmentFlags.check(); err != nil {
		return err
	}
	// Better now than after an hour, when there is something to write.
	if err := checkFolder("--out", f.out); err != nil {
		return err
	}
	if f.junit == "" {
		return nil
	}
	return checkFolder("--junit", filepath.Dir(f.junit))
}

// checkFingerprint sees that a fingerprint could be one: family/kind/verb, of a family there is.
func checkFingerprint(s string) error {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || !slices.Contains(append([]string{check.LatencyFamily}, check.Families...), parts[0]) || parts[1] == "" || parts[2] == "" {
		return fmt.Errorf("not a fingerprint, such as lru/order/stats; the families are %s", strings.Join(check.Families, ", "))
	}
	return nil
}

func (f *stormFlags) run(cmd *cobra.Command, s streams) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if f.cases > 0 && !cmd.Flags().Changed("budget") {
		f.budget = 0
	}
	ctx := cmd.Context()
	screen := newScreen(s, f.json)
	defer screen.close()
	bounds, atOnce := f.bounds(), 1
	if bounds.Mode != model.Sequential {
		atOnce = f.sessions
	}
	env, err := f.open(ctx, connectionsPerWorker(f.projects, f.maxProjects, atOnce, stormHolds), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	bounds.Points = env.points
	if f.race {
		f.recheck = 0 // two executions may differ
	}
	screen.say(fmt.Sprintf("storm on %s, seed %d, %s", env.source, f.seed, count(f.workers, "worker")))
	screen.start()
	sum, stopped := hunt.Run(ctx, hunt.Options{
		Runner: env.fleet, Parallel: f.workers, Seed: f.seed, Bounds: bounds,
		Budget: f.budget, MaxCases: f.cases, MaxFindings: f.findings,
		Recheck: f.recheck, Loose: f.race, ShrinkBudget: f.shrinkBudget, Accept: f.accept, Out: f.out,
		Meta: env.meta(f.targetName(), f.fault()), Progress: screen.progress,
	})
	screen.close()
	if stopped != nil && sum.Executions == 0 {
		return stopped
	}
	report := stormReport(sum, bounds.Mode, env.source, f.seed)
	if stopped != nil {
		report.Error = stopped.Error()
	}
	if f.json {
		err = printJSON(s.out, report)
	} else {
		err = printStorm(s.out, sum, f)
	}
	if f.junit != "" {
		err = errors.Join(err, writeJUnit(f.junit, sum, f.workerPath, stopped))
	}
	// What was found stands in the report; that the search could not be done as asked is the environment's.
	if err := errors.Join(err, stopped); err != nil {
		return err
	}
	return verdictExit(sum.Verdict)
}

func verdictExit(v check.Status) error {
	switch v {
	case check.Pass:
		return nil
	case check.Fail:
		return &exitError{code: exitFinding}
	}
	return &exitError{code: exitInconclusive}
}
