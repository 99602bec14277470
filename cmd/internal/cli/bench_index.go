package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// benchConnections are more than one service with few clients needs.
const benchConnections = 40

func newBenchIndex(s streams) *cobra.Command {
	var f struct {
		measureFlags
		repositoryFlags
		bound time.Duration
	}
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Measure how long indexing a repository takes",
		Long: `index measures how long the service takes to index a repository into a new project. Each run is set
beside a raw COPY of the same rows into the same tables with the same indexes, by turns.

Symbolic links, binary files, files above 1 MiB and files that are not UTF-8 are left out, and counted; a
directory that cannot be read as a whole is refused.

Where p95 is not below the bound, evidence is gathered into a folder beside the result: slow statements and
their plans, profiles, and what to try.

Exit codes: 0 p95 over the runs is below the bound, 1 it is not, 2 usage or environment, 3 interrupted.`,
		Example: `  tenantstorm bench index
  tenantstorm bench index --files 10000 --seed 42 --output docs/performance/indexing-after.json
  tenantstorm bench index --repo-path ~/src/linux --runs 5 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(f.repositoryFlags.check(), checkBound(f.bound), f.measureFlags.check()); err != nil {
				return err
			}
			ctx := cmd.Context()
			return f.measure(ctx, s, func(m *meter) (_ *bench.Result, err error) {
				repo, remove, err := f.provide(ctx, m)
				if err != nil {
					return nil, err
				}
				defer func() { err = errors.Join(err, remove()) }()
				return f.inLab(ctx, m, benchConnections, func(lab *bench.Lab) (*bench.Result, error) {
					o := bench.IndexOptions{Repository: repo, Project: f.project, Runs: f.runs, Bound: f.bound.Seconds()}
					r, err := lab.Index(ctx, o)
					return f.examine(ctx, m, lab, r, err, bench.DiagnoseOptions{Index: &o})
				})
			})
		},
	}
	f.repositoryFlags.register(cmd.Flags(), 10)
	cmd.Flags().DurationVar(&f.bound, "bound", bench.IndexBound*time.Second, "what p95 over the runs must stay below")
	f.measureFlags.register(cmd.Flags())
	registerEvidence(cmd.Flags(), &f.noEvidence)
	return cmd
}

func checkBound(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("--bound %v: must be above zero", d)
	}
	return nil
}
