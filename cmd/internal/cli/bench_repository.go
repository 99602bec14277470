package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// repositoryFlags say what is indexed.
type repositoryFlags struct {
	files    int
	seed     uint64
	repoPath string
	project  string
	runs     int
	given    func(string) bool // was a flag given?
}

func (f *repositoryFlags) register(flags *pflag.FlagSet, runs int) {
	flags.IntVar(&f.files, "files", 10000, "number of files of the generated repository")
	flags.Uint64Var(&f.seed, "seed", 42, "what the repository and the queries are drawn from")
	flags.StringVar(&f.repoPath, "repo-path", "", "index this `directory` in place of a generated repository")
	flags.StringVar(&f.project, "project-id", "benchmark", "`name` of the project")
	flags.IntVar(&f.runs, "runs", runs, "how many runs are measured, after one that is not")
	f.given = flags.Changed
}

// mostRuns is how many runs a measurement has at most.
const mostRuns = 10_000

func (f *repositoryFlags) check() error {
	switch {
	case f.files < 1 || f.files > mostFiles:
		return fmt.Errorf("--files %d: must be between 1 and %d", f.files, mostFiles)
	case f.runs < 1 || f.runs > mostRuns:
		return fmt.Errorf("--runs %d: must be between 1 and %d", f.runs, mostRuns)
	case f.project == "":
		return errors.New("--project-id: must not be empty")
	}
	return nil
}

// provide reads the directory that was named, or generates a repository that remove removes.
func (f *repositoryFlags) provide(ctx context.Context, m *meter) (r *bench.Repository, remove func() error, err error) {
	remove = func() error { return nil }
	if f.repoPath != "" {
		m.step(bench.Step{What: "reading " + f.repoPath})
		r, err = f.read(ctx)
		return r, remove, err
	}
	m.step(bench.Step{What: "generating the repository"})
	dir, err := os.MkdirTemp("", "tenantstorm-bench-repo-*")
	if err != nil {
		return nil, remove, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	if r, err = bench.GenerateRepository(ctx, dir, f.seed, f.files); err != nil {
		return nil, remove, errors.Join(err, remove())
	}
	return r, remove, nil
}

func (f *repositoryFlags) read(ctx context.Context) (*bench.Repository, error) {
	r, err := bench.ReadRepository(ctx, f.repoPath)
	if err != nil {
		return nil, fmt.Errorf("--repo-path %s: %w", f.repoPath, err)
	}
	if f.given("files") && f.files != r.Files {
		return nil, fmt.Errorf("--files %d: --repo-path %s holds %s", f.files, f.repoPath, r)
	}
	r.Settings["repository"] = "given"
	made, err := readMarker(f.repoPath)
	if err != nil {
		return nil, fmt.Errorf("--repo-path %s: %w", f.repoPath, err)
	}
	switch {
	case made == nil:
	case f.given("seed") && made.Seed != f.seed:
		return nil, fmt.Errorf("--seed %d: --repo-path %s was generated with seed %d", f.seed, f.repoPath, made.Seed)
	case made.Files == r.Files:
		r.Settings["repository"] = fmt.Sprintf("generated, version %d", made.Version)
		r.Settings["seed"] = fmt.Sprint(made.Seed)
	}
	return r, nil
}

// readMarker reads what generate-repo says of a directory; nil where it is not one of its own.
func readMarker(dir string) (*repoParameters, error) {
	text, err := os.ReadFile(filepath.Join(dir, bench.Marker))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var made repoParameters
	if err := json.Unmarshal(text, &made); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", bench.Marker, err)
	}
	return &made, nil
}
