package cli

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
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
	sessions              int
	out                   string
	accept                []string
	json                  bool
}

func newStorm(s streams) *cobra.Command {
	var f stormFlags
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Search for violations with random programs",
		Long: `storm draws programs, runs them on the service against a real PostgreSQL, and checks every answer.
A program that fails is run again on fresh databases, shrunk to its smallest form, and written as a
repro. The search goes on after a finding, one finding a fingerprint.

The same --seed gives the same programs, whatever the number of workers.

Exit codes: 0 nothing found, 1 finding, 2 usage or environment, 3 inconclusive.`,
		Example: `  tenantstorm storm
  tenantstorm storm --seeded-fault get-no-touch --budget 20s
  tenantstorm storm --worker ./myservice-worker --seed 42 --workers 4
  tenantstorm storm --postgres 'postgres://me@db.test/postgres' --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = randomSeed()
			}
			return f.run(cmd, s)
		},
	}
	d := model.DefaultBounds()
	f.register(cmd.Flags())
	cmd.Flags().DurationVar(&f.budget, "budget", 30*time.Second, "how long to search; shrinking comes on top")
	cmd.Flags().DurationVar(&f.shrinkBudget, "shrink-budget", time.Minute, "how long to shrink one finding")
	cmd.Flags().IntVar(&f.cases, "cases", 0, "end the search after so many cases (0: by --budget alone)")
	cmd.Flags().IntVar(&f.findings, "max-findings", 0, "end the search after so many findings (0: go on)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of the programs (default: a random one, which is printed)")
	cmd.Flags().IntVar(&f.projects, "projects", d.Projects, "most projects of a program")
	cmd.Flags().IntVar(&f.maxProjects, "max-projects", d.MaxProjects, "largest MAX_PROJECTS of a program")
	cmd.Flags().IntVar(&f.sessions, "sessions", d.Sessions, "most sessions of a program")
	cmd.Flags().StringVar(&f.out, "out", "findings", "`directory` for repros")
	cmd.Flags().StringSliceVar(&f.accept, "accept", nil, "`fingerprint` of a known finding, not to be reported; may be given often")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON; progress goes to stderr")
	return cmd
}

func randomSeed() uint64 {
	var b [8]byte
	// crypto/rand never fails on a supported platform.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) >> 33 // short enough to type
}

// maxWorkers is how many workers are started by default, cores allowing.
const maxWorkers = 8

func (f *stormFlags) check() error {
	for _, n := range []struct {
		flag       string
		is, lo, hi int
	}{
		{"projects", f.projects, 1, model.MaxProjects}, {"max-projects", f.maxProjects, 1, model.MaxProjects},
		{"sessions", f.sessions, 1, model.MaxSessions}, {"cases", f.cases, 0, 1 << 30}, {"max-findings", f.findings, 0, 1 << 30},
	} {
		if n.is < n.lo || n.is > n.hi {
			return fmt.Errorf("--%s %d: must be between %d and %d", n.flag, n.is, n.lo, n.hi)
		}
	}
	if f.budget <= 0 && f.cases == 0 {
		return errors.New("--budget: must be above zero, or --cases given")
	}
	return f.environmentFlags.check()
}

func (f *stormFlags) run(cmd *cobra.Command, s streams) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if f.workers == 0 {
		f.workers = min(maxWorkers, runtime.GOMAXPROCS(0))
	}
	if f.cases > 0 && !cmd.Flags().Changed("budget") {
		f.budget = 0
	}
	ctx := cmd.Context()
	screen := newScreen(s, f.json)
	defer screen.close()
	bounds := model.Bounds{MaxProjects: f.maxProjects, Projects: f.projects, Sessions: f.sessions}
	env, err := f.open(ctx, connectionsPerWorker(f.projects, f.maxProjects, 1, 8), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.close(ctx)) }()
	screen.say(fmt.Sprintf("storm on %s, seed %d, %s", env.source, f.seed, count(f.workers, "worker")))
	sum, err := hunt.Run(ctx, hunt.Options{
		Runner: env.fleet, Parallel: f.workers, Seed: f.seed, Bounds: bounds,
		Budget: f.budget, MaxCases: f.cases, MaxFindings: f.findings,
		ShrinkBudget: f.shrinkBudget, Accept: f.accept, Out: filepath.Clean(f.out),
		Meta: f.meta(env), Progress: screen.progress,
	})
	screen.close()
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(s.out, stormReport(sum, bounds.Mode, env.source, f.seed))
	} else {
		err = printStorm(s.out, sum, f)
	}
	if err != nil {
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
