package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// Bounds of what may be asked of a search benchmark.
const (
	mostQueries = 1_000_000
	mostClients = 200
)

type benchSearchFlags struct {
	measureFlags
	repositoryFlags
	queries int
	clients []int
	rate    float64
	bound   time.Duration
}

func newBenchSearch(s streams) *cobra.Command {
	var f benchSearchFlags
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Measure how long searches take",
		Long: `search indexes a repository and measures how long searches of it take: rare, common, absent and double
words and words within a path, the same for the same seed. Each run is set beside the same statements
sent through bare pgx, by turns.

With --rate, searches are meant to begin at fixed moments, and latency counts from there; without it each
client asks when it has its last answer, and a service that stalls is asked less.

Where p95 is not below the bound, evidence is gathered into a folder beside the result: slow statements and
their plans, profiles, and what to try.

Exit codes: 0 p95 is below the bound, 1 it is not or an answer was wrong, 2 usage or environment, 3 interrupted.`,
		Example: `  tenantstorm bench search
  tenantstorm bench search --queries 100 --clients 1,10 --output docs/performance/search-after.json
  tenantstorm bench search --rate 200 --clients 20 --queries 2000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return f.measure(cmd.Context(), s, func(m *meter) (*bench.Result, error) { return f.run(cmd.Context(), m) })
		},
	}
	f.repositoryFlags.register(cmd.Flags(), bench.DefaultSearchRuns)
	cmd.Flags().IntVar(&f.queries, "queries", 100, "searches of a run")
	cmd.Flags().IntSliceVar(&f.clients, "clients", []int{1, 10}, "numbers of clients that search at once, each measured by itself")
	cmd.Flags().Float64Var(&f.rate, "rate", 0, "searches meant to begin each second (0: each client asks when it has its last answer)")
	cmd.Flags().DurationVar(&f.bound, "bound", bench.SearchBound*time.Millisecond, "what p95 of all searches must stay below")
	f.measureFlags.register(cmd.Flags())
	registerEvidence(cmd.Flags(), &f.noEvidence)
	return cmd
}

func (f *benchSearchFlags) check() error {
	switch {
	case f.queries < 1 || f.queries > mostQueries:
		return fmt.Errorf("--queries %d: must be between 1 and %d", f.queries, mostQueries)
	case math.IsNaN(f.rate) || f.rate < 0 || f.rate > 1e6:
		return fmt.Errorf("--rate %v: must be between 0 and 1000000", f.rate)
	case len(f.clients) == 0:
		return errors.New("--clients: at least one number is needed")
	}
	for i, n := range f.clients {
		if n < 1 || n > mostClients {
			return fmt.Errorf("--clients %d: must be between 1 and %d", n, mostClients)
		}
		if slices.Contains(f.clients[:i], n) {
			return fmt.Errorf("--clients %d: given twice", n)
		}
	}
	return errors.Join(f.repositoryFlags.check(), checkBound(f.bound), f.measureFlags.check())
}

func (f *benchSearchFlags) run(ctx context.Context, m *meter) (_ *bench.Result, err error) {
	repo, remove, err := f.provide(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return f.inLab(ctx, m, searchConnections(f.clients), func(lab *bench.Lab) (*bench.Result, error) {
		o := bench.SearchOptions{
			Repository: repo, Project: f.project, Queries: f.queries, Seed: f.seed, Clients: f.clients, Rate: f.rate, Runs: f.runs,
			Bound: f.bound.Seconds() * 1e3,
		}
		r, err := lab.Search(ctx, o)
		return f.examine(ctx, m, lab, r, err, bench.DiagnoseOptions{Search: &o})
	})
}

// searchConnections are the service's pool, its first look at itself, and as many connections beside it.
func searchConnections(clients []int) int { return benchConnections + 3*slices.Max(clients) }
