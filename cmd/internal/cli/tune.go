package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness/bench"
	"github.com/tenantstorm/tenantstorm/harness/bench/report"
	"github.com/tenantstorm/tenantstorm/model"
)

type tuneFlags struct {
	measureFlags
	o       bench.TuneOptions
	files   int
	buffers []string
}

func newTune(s streams) *cobra.Command {
	f := tuneFlags{measureFlags: measureFlags{noEvidence: true}}
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Try numbers of pools and connections, and say which to take",
		Long: `tune searches many projects with every combination of MAX_PROJECTS, connections per pool and, on servers
that tenantstorm starts, shared_buffers, by turns. Each turn has two loads: clients that search as fast as
they can, for the throughput, and as many searches a second as the middle combination can bear twice over,
for p95 from when each was meant to begin. It recommends the smallest combination that is as good as the
best, and says why. Some projects are asked far more often than others, as tenants are.

With --output the result is written as JSON, and beside it a plot. An interrupt keeps the turns that were
complete.

Exit codes: 0 measured, 1 an answer was wrong, 2 usage or environment, 3 interrupted.`,
		Example: `  tenantstorm tune
  tenantstorm tune --max-projects 5,10,15 --conns-per-pool 2,4,8 --output tune.json
  tenantstorm tune --shared-buffers 32MB,128MB --projects 30 --clients 32`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return f.measure(ctx, s, func(m *meter) (*bench.Result, error) {
				r, err := f.run(ctx, m)
				if r != nil && ctx.Err() != nil {
					m.say("interrupted: what was complete is kept")
					err = nil
				}
				if err != nil {
					return nil, err
				}
				return r, f.deliverPlot(r)
			})
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&f.o.MaxProjects, "max-projects", []int{5, 10, 15}, "numbers of pools that may be resident (MAX_PROJECTS), to be tried")
	flags.IntSliceVar(&f.o.Conns, "conns-per-pool", []int{2, 4, 8}, "numbers of connections that one project's pool may have, to be tried")
	flags.StringSliceVar(&f.buffers, "shared-buffers", nil, "sizes of the server's shared_buffers, to be tried; each starts a server (32MB,128MB)")
	flags.IntVar(&f.o.Projects, "projects", 15, "number of projects")
	flags.IntVar(&f.o.Clients, "clients", 16, "clients that search at once")
	flags.IntVar(&f.files, "files", 200, "number of files of each project")
	flags.DurationVar(&f.o.Duration, "duration", time.Second, "how long each of a turn's two loads lasts")
	flags.IntVar(&f.o.Rounds, "rounds", 3, "how many turns each combination has, after one that does not count")
	flags.Float64Var(&f.o.Rate, "rate", 0, "searches meant to begin each second where p95 is measured (0: half of what the middle combination does)")
	flags.Uint64Var(&f.o.Seed, "seed", 42, "what repository, queries and projects are drawn from")
	f.register(flags)
	return cmd
}

// Bounds of what may be tried.
const (
	mostCells       = 64
	mostServers     = 4
	mostTuneFiles   = 100_000
	shortestTurn    = 50 * time.Millisecond
	longestTurn     = 5 * time.Minute
	longestTuning   = 6 * time.Hour
	tuneConnections = benchConnections
)

// bufferSize is a size as PostgreSQL writes it.
var bufferSize = regexp.MustCompile(`^[1-9][0-9]{0,6}(kB|MB|GB)$`)

func (f *tuneFlags) check() error {
	err := errors.Join(
		checkTried("--max-projects", f.o.MaxProjects, model.MaxProjects), checkTried("--conns-per-pool", f.o.Conns, 100),
		checkRange("--projects", f.o.Projects, 1, model.MaxProjects), checkRange("--clients", f.o.Clients, 1, mostClients),
		checkRange("--files", f.files, 1, mostTuneFiles), checkRange("--rounds", f.o.Rounds, 1, 100),
	)
	for i, size := range f.buffers {
		switch {
		case !bufferSize.MatchString(size):
			err = errors.Join(err, fmt.Errorf("--shared-buffers %s: must be a size such as 128MB", shown(size)))
		case slices.Contains(f.buffers[:i], size):
			err = errors.Join(err, fmt.Errorf("--shared-buffers %s: given twice", size))
		}
	}
	cells := len(f.o.MaxProjects) * len(f.o.Conns) * max(1, len(f.buffers))
	switch {
	case err != nil:
		return err
	case len(f.buffers) > mostServers:
		return fmt.Errorf("--shared-buffers: %d sizes need a server each, and at most %d are started", len(f.buffers), mostServers)
	case f.o.Duration < shortestTurn || f.o.Duration > longestTurn:
		return fmt.Errorf("--duration %v: must be between %v and %v", f.o.Duration, shortestTurn, longestTurn)
	case math.IsNaN(f.o.Rate) || f.o.Rate < 0 || f.o.Rate > 1e6:
		return fmt.Errorf("--rate %v: must be between 0 and 1000000", f.o.Rate)
	case cells > mostCells:
		return fmt.Errorf("%d combinations are more than the %d that can be tried at once", cells, mostCells)
	case time.Duration(cells*(f.o.Rounds+1)*2)*f.o.Duration > longestTuning:
		return fmt.Errorf("%d combinations, %d rounds and --duration %v are more than %v", cells, f.o.Rounds, f.o.Duration, longestTuning)
	}
	if err := f.measureFlags.check(); err != nil || f.output == "" {
		return err
	}
	if f.plot() == f.output {
		return fmt.Errorf("--output %s: the plot is written beside it, as .svg; give the result another ending, such as .json", f.output)
	}
	return checkFile("--output", f.plot())
}

// plot is where the plot goes.
func (f *tuneFlags) plot() string {
	return strings.TrimSuffix(f.output, filepath.Ext(f.output)) + ".svg"
}

func checkRange(flag string, n, lo, hi int) error {
	if n < lo || n > hi {
		return fmt.Errorf("%s %d: must be between %d and %d", flag, n, lo, hi)
	}
	return nil
}

// checkTried checks a list of numbers that are tried.
func checkTried(flag string, tried []int, most int) error {
	if len(tried) == 0 {
		return fmt.Errorf("%s: at least one number is needed", flag)
	}
	for i, n := range tried {
		if err := checkRange(flag, n, 1, most); err != nil {
			return err
		}
		if slices.Contains(tried[:i], n) {
			return fmt.Errorf("%s %d: given twice", flag, n)
		}
	}
	return nil
}

// connections are the most that one cell can have open, with as many again of pools that are just being closed.
func (f *tuneFlags) connections() int {
	return tuneConnections + slices.Max(f.o.MaxProjects)*slices.Max(f.o.Conns) + 2*f.o.Clients
}

// run opens a server for each size of shared_buffers, and tries everything on all of them.
func (f *tuneFlags) run(ctx context.Context, m *meter) (r *bench.Result, err error) {
	flags := repositoryFlags{files: f.files, seed: f.o.Seed}
	repo, remove, err := flags.provide(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	f.o.Repository = repo
	sizes := f.buffers
	if len(sizes) == 0 {
		sizes = []string{""}
	}
	var servers []bench.TuneServer
	for _, size := range sizes {
		settings := postgres.Settings{}
		if size != "" {
			settings.Extra = map[string]string{"shared_buffers": size}
		}
		m.step(bench.Step{What: strings.TrimSuffix("opening the server, shared_buffers "+size, ", shared_buffers ")})
		env, err := openServerWith(ctx, f.postgres, 1, f.connections(), settings, m.say)
		if err != nil {
			return nil, err
		}
		defer func() { err = alsoFailed(err, env.close(ctx)) }()
		if size != "" && !env.own {
			return nil, errors.New("--shared-buffers: only a server that tenantstorm starts can be given it, and --postgres names one that runs; leave one of them out")
		}
		m.say(strings.TrimSuffix("measuring on "+env.source+", shared_buffers "+size, ", shared_buffers "))
		servers = append(servers, bench.TuneServer{Lab: env.lab(m), SharedBuffers: size})
	}
	return bench.Tune(ctx, servers, f.o)
}

// deliverPlot writes the plot beside the result.
func (f *tuneFlags) deliverPlot(r *bench.Result) error {
	if f.output == "" {
		return nil
	}
	svg, err := report.TunePlot(r)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return writeWhole(f.plot(), svg)
}
