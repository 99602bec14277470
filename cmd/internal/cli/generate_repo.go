package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/model"
)

const (
	// mostFiles is how many files generate-repo makes at most.
	mostFiles = 1_000_000
	// repoMarker is the file by which generate-repo knows a directory of its own again.
	repoMarker = ".tenantstorm-repo.json"
	// repoPatience is how long generate-repo is silent.
	repoPatience = 2 * time.Second
)

type generateRepoFlags struct {
	files  int
	seed   uint64
	output string
	json   bool
}

func newGenerateRepo(s streams) *cobra.Command {
	var f generateRepoFlags
	cmd := &cobra.Command{
		Use:   "generate-repo",
		Short: "Write a large repository of code-like files, the same on every machine",
		Long: `generate-repo writes a repository to measure with: code-like files in Go, Python, TypeScript, Java, Rust,
SQL and Markdown, of 2 to 6 KB mostly, in directories a few levels deep. The same seed gives the same
bytes on every machine, and the first files of a larger repository are those of a smaller one.

The repository appears whole or not at all. A directory that is not empty is left alone, unless it is one
that generate-repo made with the same --files and --seed: that is made whole again if need be.

Exit codes: 0 the repository is there, 2 it is not.`,
		Example: `  tenantstorm generate-repo --files 10000 --output /tmp/repo
  tenantstorm generate-repo --files 200 --output small --seed 7 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	cmd.Flags().IntVar(&f.files, "files", 10000, "number of files")
	cmd.Flags().StringVar(&f.output, "output", "", "`directory` to make (needed)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 42, "what the files are drawn from")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return cmd
}

// repoParameters are what a repository is a function of, and what the marker in it holds.
type repoParameters struct {
	Version int    `json:"version"`
	Seed    uint64 `json:"seed"`
	Files   int    `json:"files"`
}

// generateRepoJSON is what generate-repo --json prints.
type generateRepoJSON struct {
	Output string `json:"output"`
	repoParameters
	Bytes   int64 `json:"bytes"`   // of all files, without the marker
	Written bool  `json:"written"` // false: it was all there
}

func (f *generateRepoFlags) run(ctx context.Context, s streams) error {
	switch {
	case f.output == "":
		return errors.New("--output: needed: the directory to make; see 'tenantstorm generate-repo --help'")
	case f.files < 1 || f.files > mostFiles:
		return fmt.Errorf("--files %d: must be between 1 and %d", f.files, mostFiles)
	}
	if err := checkFolder("--output", f.output); err != nil {
		return err
	}
	screen := newScreen(s, true)
	defer screen.close()
	g := repoWriter{parameters: repoParameters{Version: repogen.TreeVersion, Seed: f.seed, Files: f.files}, say: screen.say, told: time.Now()}
	written, err := g.provide(ctx, f.output)
	if err != nil {
		return fmt.Errorf("--output %s: %w", f.output, err)
	}
	if f.json {
		return printJSON(s.out, generateRepoJSON{Output: f.output, repoParameters: g.parameters, Bytes: g.bytes, Written: written})
	}
	verb := "wrote"
	if !written {
		verb = "found"
	}
	_, err = fmt.Fprintf(s.out, "%s %s, %d bytes, in %s (seed %d)\n", verb, count(f.files, "file"), g.bytes, f.output, f.seed)
	return err
}

// repoWriter makes one repository.
type repoWriter struct {
	parameters repoParameters
	say        func(string)
	told       time.Time // when something was said last
	bytes      int64     // of the files that were made last
}

// provide sees to it that the repository is at output, and says whether it had to be written.
func (g *repoWriter) provide(ctx context.Context, output string) (written bool, err error) {
	dir, err := filepath.Abs(output)
	if err != nil {
		return false, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // what a link leads to is replaced, not the link
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case len(entries) > 0:
		if whole, err := g.own(ctx, dir); err != nil || whole {
			return false, err
		}
	}
	return true, g.write(ctx, dir)
}

var (
	errNotOurs   = errors.New("it is not empty, and generate-repo did not make it: choose another directory")
	errOtherRepo = errors.New("a repository with other parameters is there")
)

// own says whether the repository is in dir and whole. It is an error if dir is not ours to write to.
func (g *repoWriter) own(ctx context.Context, dir string) (whole bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, repoMarker))
	if errors.Is(err, fs.ErrNotExist) {
		return false, errNotOurs
	}
	if err != nil {
		return false, err
	}
	var made repoParameters
	if err := json.Unmarshal(text, &made); err != nil {
		return false, fmt.Errorf("%w (%s cannot be read: %w)", errNotOurs, repoMarker, err)
	}
	if made != g.parameters {
		return false, fmt.Errorf("%w (--files %d --seed %d, version %d): remove it or choose another directory", errOtherRepo, made.Files, made.Seed, made.Version)
	}
	ours := map[string]bool{repoMarker: true}
	whole = true
	err = g.each(ctx, "compared", func(f repogen.File) error {
		ours[filepath.FromSlash(f.Path)] = true
		there, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		whole = whole && err == nil && string(there) == string(f.Content)
		return nil
	})
	if err != nil || whole {
		return whole, err
	}
	// it will be replaced, so nothing of anybody else's may be in it
	return false, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err == nil && !ours[relative] {
			err = fmt.Errorf("%w (%s is in it)", errNotOurs, relative)
		}
		return err
	})
}

// each makes the files one after the other, until do fails or ctx ends.
func (g *repoWriter) each(ctx context.Context, done string, do func(repogen.File) error) error {
	n := 0
	g.bytes = 0
	for f := range repogen.Tree(model.NewSource(g.parameters.Seed), g.parameters.Files) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted after %d of %s: %w", n, count(g.parameters.Files, "file"), err)
		}
		if err := do(f); err != nil {
			return err
		}
		n++
		g.bytes += int64(len(f.Content))
		if now := time.Now(); now.Sub(g.told) >= repoPatience {
			g.told = now
			g.say(fmt.Sprintf("%s %d of %s, %d MB", done, n, count(g.parameters.Files, "file"), g.bytes>>20))
		}
	}
	return nil
}

// write makes the repository beside dir and puts it in dir's place.
func (g *repoWriter) write(ctx context.Context, dir string) (err error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(parent, ".tenantstorm-repo-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // also what dir held before
	fresh := filepath.Join(partial, "new")
	if err := os.Mkdir(fresh, 0o777); err != nil {
		return err
	}
	last := ""
	err = g.each(ctx, "wrote", func(f repogen.File) error {
		path := filepath.Join(fresh, filepath.FromSlash(f.Path))
		if in := filepath.Dir(path); in != last {
			if err := os.MkdirAll(in, 0o777); err != nil {
				return err
			}
			last = in
		}
		return os.WriteFile(path, f.Content, 0o666)
	})
	if err != nil {
		return err
	}
	marker, err := json.Marshal(g.parameters)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, repoMarker), append(marker, '\n'), 0o666); err != nil {
		return err
	}
	old := filepath.Join(partial, "old")
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		back := os.Rename(old, dir)
		if errors.Is(back, fs.ErrNotExist) {
			back = nil
		}
		return errors.Join(err, back)
	}
	return nil
}
