package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/model"
)

type selftestFlags struct {
	faults       []string
	classes      []string
	seeds        int
	seed         uint64
	budget       time.Duration
	cases        int
	shrinkBudget time.Duration
	enumerate    bool
	compareFree  bool
	workers      int
	worker       workerFlags
	most         model.Points // to draw from
	postgres     string
	out          string
	json         bool
	markdown     string
}

func newSelftest(s streams) *cobra.Command {
	var f selftestFlags
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Show that the known faults are found, and the clean service is not accused",
		Long: `selftest builds the reference service with each seeded fault, searches for it from each seed until its
budget is spent, and shrinks what it finds. A fault counts as found when the finding is of an invariant
that the fault really breaks. A fault is searched for in the mode of its smallest program: sequential, or
gated. Then the service as it is gets the same time in each of them. The outcome is a kill matrix.

--compare-free says what the gate is worth: the programs that were drawn in search of an interleaving fault
run free, too, without their schedules, up to --cases of them. An execution that shows the fault counts,
confirmed or not. The report then has the executions it took, free and gated, and their ratio.

A search uses one worker, so that a seed always needs the same number of executions; --workers is how
many searches run at once.

Exit codes: 0 every fault found from every seed and nothing found in the clean service, 1 otherwise,
2 usage or environment, 3 inconclusive, which an interrupted selftest is.`,
		Example: `  tenantstorm selftest
  tenantstorm selftest --fault get-no-touch --fault cap-lazy --seeds 10 --budget 1m
  tenantstorm selftest --seeds 1 --budget 10s --json
  tenantstorm selftest --class sequential --seeds 20 --budget 1m --markdown kill-matrix.md
  tenantstorm selftest --enumerate --fault cap-lazy
  tenantstorm selftest --compare-free --cases 2000 --fault delete-then-insert`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.faults, "fault", nil, "`id` of a fault, see list-faults; may be given often (default: all but those of class load)")
	flags.StringSliceVar(&f.classes, "class", nil, "only faults of this `class`: "+strings.Join(classNames(), ", ")+"; may be given often")
	flags.IntVar(&f.seeds, "seeds", 3, "how many seeds to search from")
	flags.Uint64Var(&f.seed, "seed", 1, "the first of the seeds")
	flags.DurationVar(&f.budget, "budget", 10*time.Second, "how long to search for a fault from one seed; shrinking comes on top")
	flags.IntVar(&f.cases, "cases", 0, "end a search after so many cases, whatever the budget (0: no such end): then it comes to the same on any machine")
	flags.DurationVar(&f.shrinkBudget, "shrink-budget", time.Minute, "how long to shrink one finding (0: until it is minimal)")
	registerWorkers(flags, &f.workers)
	f.worker.register(flags)
	registerPostgres(flags, &f.postgres)
	flags.BoolVar(&f.enumerate, "enumerate", false, "in place of searching, run every smaller program than the known minimum of each sequential fault: none may show the fault")
	flags.BoolVar(&f.compareFree, "compare-free", false, "run the programs drawn for each interleaving fault free as well, --cases of them, and compare")
	flags.StringVar(&f.out, "out", "", "`directory` for repros, a folder a fault and seed (default: none are written)")
	flags.BoolVar(&f.json, "json", false, "print the outcome as JSON; progress goes to stderr")
	flags.StringVar(&f.markdown, "markdown", "", "also write the outcome to this `file`, as Markdown, with the figures of shrinking")
	return cmd
}

func (f *selftestFlags) check() (err error) {
	const mostSeeds = 10_000
	switch {
	case f.seeds < 1 || f.seeds > mostSeeds:
		return fmt.Errorf("--seeds %d: must be between 1 and %d", f.seeds, mostSeeds)
	case f.budget <= 0:
		return fmt.Errorf("--budget %v: must be above zero", f.budget)
	case f.cases < 0:
		return fmt.Errorf("--cases %d: must not be below zero", f.cases)
	case f.compareFree && f.cases == 0:
		return errors.New("--compare-free: both searches get the same number of executions: say how many with --cases")
	case f.compareFree && f.enumerate:
		return errors.New("--compare-free and --enumerate: choose one; nothing is searched for where programs are enumerated")
	case f.shrinkBudget < 0:
		return fmt.Errorf("--shrink-budget %v: must not be below zero", f.shrinkBudget)
	}
	for _, c := range f.classes {
		if !slices.Contains(classNames(), c) {
			return fmt.Errorf("--class %s: unknown; known: %s", shown(c), strings.Join(classNames(), ", "))
		}
	}
	if err := checkFolder("--out", f.out); err != nil {
		return err
	}
	if f.markdown != "" {
		if f.enumerate {
			return errors.New("--markdown and --enumerate: choose one; nothing is searched for where programs are enumerated")
		}
		if err := checkFolder("--markdown", filepath.Dir(f.markdown)); err != nil {
			return err
		}
	}
	if f.most, err = f.worker.reach(len(f.worker.patterns(true)) > 0); err != nil {
		return err
	}
	f.workers, err = workersOr(f.workers)
	return err
}

// classNames are the classes of faults that can be searched for.
func classNames() []string {
	return []string{string(seeded.Sequential), string(seeded.Interleaving), string(seeded.Injected)}
}

// chosen returns the faults to search for, each once.
func (f *selftestFlags) chosen() ([]seeded.Fault, error) {
	faults, err := f.named()
	if len(f.classes) > 0 {
		faults = slices.DeleteFunc(faults, func(fault seeded.Fault) bool { return !slices.Contains(f.classes, string(fault.Class)) })
		if err == nil && len(faults) == 0 {
			err = errors.New("--fault: none of them is of a class that --class names")
		}
	}
	return faults, err
}

// named returns the faults that --fault names, or all.
func (f *selftestFlags) named() ([]seeded.Fault, error) {
	var faults []seeded.Fault
	if len(f.faults) == 0 {
		for _, fault := range seeded.List() {
			if fault.Class != seeded.Load {
				faults = append(faults, fault)
			}
		}
		return faults, nil
	}
	for _, id := range f.faults {
		fault, err := seeded.Get(id)
		if err != nil {
			return nil, fmt.Errorf("--fault: %w; see 'tenantstorm list-faults'", err)
		}
		if !slices.ContainsFunc(faults, func(g seeded.Fault) bool { return g.ID == id }) {
			faults = append(faults, fault)
		}
	}
	return faults, nil
}

func (f *selftestFlags) run(ctx context.Context, s streams) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	faults, err := f.chosen()
	if err != nil {
		return err
	}
	if f.enumerate {
		faults = slices.DeleteFunc(faults, func(fault seeded.Fault) bool { return fault.Minimum.Mode != model.Sequential })
		if len(faults) == 0 {
			return errors.New("--enumerate: every program before a minimum can be run for sequential faults only, and --fault names none")
		}
	}
	if f.compareFree && !slices.ContainsFunc(faults, interleaving) {
		return errors.New("--compare-free: only faults that are searched for gated can be compared, and --fault names none")
	}
	screen := newScreen(s, f.json)
	m := newMatrix(f, faults, screen.say)
	if err := m.build(ctx); err != nil {
		return err
	}
	d := model.DefaultBounds()
	env, err := openServer(ctx, f.postgres, f.workers, connectionsPerWorker(d.Projects, d.MaxProjects, d.Sessions, stormHolds), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	if f.enumerate {
		return f.runEnumeration(ctx, s, m, env)
	}
	screen.say(fmt.Sprintf("selftest on %s: %s, %s each, %s at a time", env.source,
		count(len(faults), "fault"), count(f.seeds, "seed"), searches(f.workers)))
	stopped := m.run(ctx, env)
	interrupted := ctx.Err() != nil
	if interrupted {
		stopped = nil // it has been said, and is no error
	}
	report := m.report(interrupted)
	if f.json {
		err = printJSON(s.out, report)
	} else {
		err = printMatrix(s.out, report)
	}
	if f.markdown != "" {
		err = errors.Join(err, writeMatrix(f.markdown, report, f, env.source))
	}
	if err := errors.Join(err, stopped, m.unbuilt()); err != nil {
		return err
	}
	switch {
	case report.Clean.Findings > 0 || report.missed() > 0:
		return &exitError{code: exitFinding}
	case interrupted || report.Clean.Inconclusive > 0:
		return &exitError{code: exitInconclusive}
	}
	return nil
}

// runEnumeration verifies known minima in place of searching.
func (f *selftestFlags) runEnumeration(ctx context.Context, s streams, m *matrix, env *environment) error {
	rows, stopped := m.enumerate(ctx, env)
	if ctx.Err() != nil {
		return &exitError{code: exitInconclusive}
	}
	if stopped != nil {
		return stopped
	}
	wrong, err := printEnumeration(s.out, rows, f.json)
	if err := errors.Join(err, m.unbuilt()); err != nil {
		return err
	}
	if wrong > 0 {
		return &exitError{code: exitFinding}
	}
	return nil
}

func searches(n int) string {
	if n == 1 {
		return "1 search"
	}
	return fmt.Sprintf("%d searches", n)
}
