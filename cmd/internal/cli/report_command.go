package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/bench"
	"github.com/tenantstorm/tenantstorm/harness/bench/report"
)

type reportFlags struct {
	quick      bool
	out        string
	baselines  string
	postgres   string
	noEvidence bool
}

// The report's files.
const (
	reportMarkdown = "v2-performance-report.md"
	reportPage     = "v2-performance-report.html"
)

func newReport(s streams) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Measure everything and write the performance report, with plots",
		Long: `report runs bench index, bench search, stress and a small tune, compares what has a baseline with it, and
writes the report as Markdown and as one HTML page with plots, beside the results it was made from. A
baseline is a file such as indexing-baseline.json among them: the report says how to keep one.

An interrupt ends it without a report.

Exit codes: 0 nothing failed, 1 a bound was missed, an invariant broken or a metric became worse, 2 usage or
environment, 3 inconclusive.`,
		Example: `  tenantstorm report --quick --out /tmp/report
  tenantstorm report --out docs/performance`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return f.run(cmd.Context(), s)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.quick, "quick", false, "make every load small and short, to see what the report is like")
	flags.StringVar(&f.out, "out", "docs/performance", "`directory` for the report and its results")
	flags.StringVar(&f.baselines, "baselines", "", "`directory` of the baselines (default: that of the report)")
	registerPostgres(flags, &f.postgres)
	registerEvidence(flags, &f.noEvidence)
	return cmd
}

func (f *reportFlags) check() error {
	if f.out == "" {
		return errors.New("--out: must not be empty")
	}
	if err := checkFolder("--out", f.out); err != nil {
		return err
	}
	for _, name := range append([]string{reportMarkdown, reportPage}, resultFiles()...) {
		if err := checkFile("--out", filepath.Join(f.out, name)); err != nil {
			return err
		}
	}
	if f.baselines == "" {
		f.baselines = f.out
		return nil
	}
	if info, err := os.Stat(f.baselines); err != nil {
		return fmt.Errorf("--baselines %s: %w", f.baselines, err)
	} else if !info.IsDir() {
		return fmt.Errorf("--baselines %s: it is not a directory", f.baselines)
	}
	return nil
}

var reportedKinds = []bench.Kind{bench.KindIndex, bench.KindSearch, bench.KindStress, bench.KindTune}

func resultFiles() (names []string) {
	for _, kind := range reportedKinds {
		names = append(names, report.ResultFile(kind))
	}
	return names
}

func (f *reportFlags) run(ctx context.Context, s streams) error {
	m := newMeter(s, false)
	m.start()
	r := &report.Report{
		Baselines: map[bench.Kind]*bench.Result{}, Unusable: map[bench.Kind]error{}, Quick: f.quick, Command: f.command(),
		Files: map[bench.Kind]string{}, Made: time.Now(),
	}
	f.load(r, m)
	found, err := f.measureAll(ctx, m, r)
	m.close()
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInconclusive, err: alsoFailed(errors.New("interrupted: there is no report"), unlessInterrupted(err))}
	case errors.Is(err, bench.ErrAnswer):
		return &exitError{code: exitFinding, err: err}
	case err != nil:
		return err
	}
	if err := f.write(r, found); err != nil {
		return fmt.Errorf("--out %s: %w", f.out, err)
	}
	if _, err := fmt.Fprintf(s.out, "report: %s\n        %s\n%s\n", filepath.Join(f.out, reportMarkdown), filepath.Join(f.out, reportPage), r.Verdict()); err != nil {
		return err
	}
	return benchExit(r.Verdict())
}

// command is what made the report, without what only concerns this machine.
func (f *reportFlags) command() string {
	if f.quick {
		return "tenantstorm report --quick"
	}
	return "tenantstorm report"
}

// load reads the baselines that there are. One that cannot be used is told, in the report, too.
func (f *reportFlags) load(r *report.Report, m *meter) {
	for _, kind := range reportedKinds {
		name := report.BaselineFile(kind)
		base, err := bench.Load(filepath.Join(f.baselines, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			m.say("a baseline that cannot be used: " + err.Error())
			r.Unusable[kind] = err
		case base.Kind != kind:
			r.Unusable[kind] = fmt.Errorf("%s holds a result of %s", name, base.Kind)
		default:
			r.Baselines[kind] = base
		}
	}
}

// part is one measurement of the report.
type part struct {
	kind bench.Kind
	run  func(ctx context.Context, m *meter, f *measureFlags) (*bench.Result, error)
	into **bench.Result
}

// measureAll measures one thing after another, each on a server of its own, as the commands by themselves do.
func (f *reportFlags) measureAll(ctx context.Context, m *meter, r *report.Report) (found map[bench.Kind]*bench.Evidence, err error) {
	size := f.size()
	repo, remove, err := size.repository.provide(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	found = map[bench.Kind]*bench.Evidence{}
	for _, p := range f.parts(size, repo, r) {
		m.say("== " + string(p.kind))
		flags := &measureFlags{postgres: f.postgres, noEvidence: f.noEvidence}
		result, err := p.run(ctx, m, flags)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.kind, err)
		}
		*p.into = result
		if flags.evidence != nil {
			found[p.kind] = flags.evidence
			r.Evidence = append(r.Evidence, flags.evidence)
		}
	}
	return found, nil
}

func (f *reportFlags) parts(size reportSize, repo *bench.Repository, r *report.Report) []part {
	index := bench.IndexOptions{Repository: repo, Project: "benchmark", Runs: size.indexRuns}
	search := size.search
	search.Repository, search.Project, search.Seed = repo, "benchmark", size.repository.seed
	return []part{
		{bench.KindIndex, func(ctx context.Context, m *meter, flags *measureFlags) (*bench.Result, error) {
			return flags.inLab(ctx, m, benchConnections, func(lab *bench.Lab) (*bench.Result, error) {
				result, err := lab.Index(ctx, index)
				return f.examine(ctx, m, flags, lab, r, result, err, bench.DiagnoseOptions{Index: &index})
			})
		}, &r.Index},
		{bench.KindSearch, func(ctx context.Context, m *meter, flags *measureFlags) (*bench.Result, error) {
			return flags.inLab(ctx, m, searchConnections(search.Clients), func(lab *bench.Lab) (*bench.Result, error) {
				result, err := lab.Search(ctx, search)
				return f.examine(ctx, m, flags, lab, r, result, err, bench.DiagnoseOptions{Search: &search})
			})
		}, &r.Search},
		{bench.KindStress, func(ctx context.Context, m *meter, flags *measureFlags) (*bench.Result, error) {
			stress := stressFlags{o: size.stress}
			return flags.inLab(ctx, m, stress.connections(), func(lab *bench.Lab) (*bench.Result, error) {
				result, err := lab.Stress(ctx, size.stress)
				return f.examine(ctx, m, flags, lab, r, result, err, bench.DiagnoseOptions{Stress: &size.stress})
			})
		}, &r.Stress},
		{bench.KindTune, func(ctx context.Context, m *meter, flags *measureFlags) (*bench.Result, error) {
			tune := tuneFlags{measureFlags: *flags, o: size.tune, files: size.tuneFiles}
			return tune.run(ctx, m)
		}, &r.Tune},
	}
}

// examine gathers evidence where a result failed or is worse than its baseline.
func (f *reportFlags) examine(ctx context.Context, m *meter, flags *measureFlags, lab *bench.Lab, r *report.Report, result *bench.Result, err error, o bench.DiagnoseOptions) (*bench.Result, error) {
	if err != nil {
		return nil, err
	}
	because := result.Missed()
	if base := r.Baselines[result.Kind]; base != nil {
		// One that cannot be compared is told in the report.
		if c, err := bench.Compare(base, result, bench.CompareOptions{}); err == nil {
			because = append(because, c.Worse()...)
		}
	}
	if len(because) > 0 && !f.noEvidence {
		flags.diagnose(ctx, m, lab, because, o)
	}
	return result, nil
}

// reportSize is how much is measured.
type reportSize struct {
	repository repositoryFlags
	indexRuns  int
	search     bench.SearchOptions
	stress     bench.StressOptions
	tune       bench.TuneOptions
	tuneFiles  int
}

// size is that of the commands' defaults, but for fewer runs and combinations: all of it ends in a few minutes.
func (f *reportFlags) size() reportSize {
	const seed = 42
	full := reportSize{
		repository: repositoryFlags{files: 10000, seed: seed}, indexRuns: 6,
		search: bench.SearchOptions{Queries: 100, Clients: []int{1, 10}, Runs: bench.DefaultSearchRuns, Within: 150 * time.Second},
		stress: bench.StressOptions{Projects: 15, MaxProjects: 10, Searches: 100, Indexers: 3, Conns: 4, Duration: 15 * time.Second, Seed: seed},
		tune: bench.TuneOptions{
			Projects: 15, MaxProjects: []int{5, 10, 15}, Conns: []int{2, 4}, Clients: 16, Duration: time.Second, Rounds: 3, Seed: seed,
		},
		tuneFiles: 200,
	}
	if !f.quick {
		return full
	}
	full.repository.files, full.indexRuns, full.tuneFiles = 300, 3, 50
	full.search.Queries, full.search.Runs = 40, 6
	full.stress.Searches, full.stress.Duration = 40, 4*time.Second
	full.tune.MaxProjects, full.tune.Duration, full.tune.Rounds = []int{5, 15}, 200*time.Millisecond, 2
	return full
}

// write puts everything into the folder: the results first, and the report that speaks of them last.
func (f *reportFlags) write(r *report.Report, found map[bench.Kind]*bench.Evidence) error {
	for _, result := range []*bench.Result{r.Index, r.Search, r.Stress, r.Tune} {
		path := filepath.Join(f.out, report.ResultFile(result.Kind))
		if err := writeResult(path, result); err != nil {
			return err
		}
		r.Files[result.Kind] = report.ResultFile(result.Kind)
		if e := found[result.Kind]; e != nil {
			if err := writeEvidence(evidenceFolder(path), e); err != nil {
				return err
			}
		} else if err := removeEvidence(evidenceFolder(path)); err != nil {
			return err // it would be of another run
		}
	}
	page, err := r.HTML()
	if err != nil {
		return err
	}
	text, err := r.Markdown(reportPage)
	if err != nil {
		return err
	}
	return errors.Join(writeWhole(filepath.Join(f.out, reportPage), page), writeWhole(filepath.Join(f.out, reportMarkdown), text))
}
