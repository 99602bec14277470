package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/bench"
	"github.com/tenantstorm/tenantstorm/model"
)

type stressFlags struct {
	measureFlags
	o bench.StressOptions
}

func newStress(s streams) *cobra.Command {
	var f stressFlags
	cmd := &cobra.Command{
		Use:   "stress",
		Short: "Press the service with many projects and clients at once, and judge all it answers",
		Long: `stress has two phases. In the first every project is indexed and searched once, in order, one operation at
a time: how many pools there are afterwards, how many were evicted and in which order is known exactly. In
the second, clients search all projects at once while others index; every answer is judged by the
checkers of storm (isolation, freshness, errors, leaks), and pools, backends, goroutines and memory are
sampled. Where anything fails, slow statements, plans and profiles of a shorter load are put into a folder
beside the result.

Exit codes: 0 nothing found, 1 a violation or a missed bound, 2 usage or environment, 3 inconclusive.`,
		Example: `  tenantstorm stress
  tenantstorm stress --projects 15 --concurrent-searches 100 --output docs/performance/multi-tenant-stress.json
  tenantstorm stress --projects 30 --max-projects 10 --indexers 5 --duration 1m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return f.measure(ctx, s, func(m *meter) (*bench.Result, error) {
				return f.inLab(ctx, m, f.connections(), func(lab *bench.Lab) (*bench.Result, error) {
					r, err := lab.Stress(ctx, f.o)
					return f.examine(ctx, m, lab, r, err, bench.DiagnoseOptions{Stress: &f.o})
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.o.Projects, "projects", 15, "number of projects")
	flags.IntVar(&f.o.Searches, "concurrent-searches", 100, "clients that search at once")
	flags.IntVar(&f.o.MaxProjects, "max-projects", 10, "MAX_PROJECTS: pools that may be resident")
	flags.IntVar(&f.o.Indexers, "indexers", 3, "clients that index meanwhile, each projects of its own")
	flags.IntVar(&f.o.Conns, "conns-per-pool", 4, "connections that one project's pool may have")
	flags.DurationVar(&f.o.Duration, "duration", 10*time.Second, "how long the load lasts")
	flags.Uint64Var(&f.o.Seed, "seed", 42, "what the load is drawn from")
	f.register(flags)
	registerEvidence(flags, &f.noEvidence)
	return cmd
}

// longestStress bounds a load, since all of it is kept to be judged.
const longestStress = 10 * time.Minute

func (f *stressFlags) check() error {
	for _, n := range []struct {
		flag       string
		is, lo, hi int
	}{
		{"projects", f.o.Projects, 1, model.MaxProjects}, {"max-projects", f.o.MaxProjects, 1, model.MaxProjects},
		{"concurrent-searches", f.o.Searches, 1, 1000}, {"indexers", f.o.Indexers, 1, 100}, {"conns-per-pool", f.o.Conns, 1, 100},
	} {
		if n.is < n.lo || n.is > n.hi {
			return fmt.Errorf("--%s %d: must be between %d and %d", n.flag, n.is, n.lo, n.hi)
		}
	}
	switch {
	case f.o.Indexers > f.o.Projects:
		return fmt.Errorf("--indexers %d: each indexes projects of its own, and there are %d", f.o.Indexers, f.o.Projects)
	case f.o.Duration <= 0 || f.o.Duration > longestStress:
		return fmt.Errorf("--duration %v: must be above zero and at most %v", f.o.Duration, longestStress)
	}
	return f.measureFlags.check()
}

// connections are the most the service can have open: full pools, one for each operation under way on a pool that was
// evicted meanwhile, and the same again of such as are just being closed.
func (f *stressFlags) connections() int {
	return benchConnections + f.o.MaxProjects*f.o.Conns + 2*(f.o.Searches+f.o.Indexers)
}
