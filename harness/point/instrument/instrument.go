package instrument

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/point"
)

// pointPath is the package that instrumented code imports.
const pointPath = "github.com/tenantstorm/tenantstorm/harness/point"

// Options say what is instrumented.
type Options struct {
	// Dir is a directory of the module that will be built; "": the working directory.
	Dir string
	// Patterns name the packages to instrument, as the go command takes them. A package of another module is
	// copied, because the go command does not let the module cache be overlaid, and replaced by its copy.
	Patterns []string
	// Tags are the build tags.
	Tags []string
	// Overlay are files that already stand for others: path of the original, path of what is read in its
	// place. The overlay that is written includes them. They do not delete files.
	Overlay map[string]string
	// CacheDir keeps what was made; "": a folder in the user's cache. It is made where it is missing, and old
	// results are removed from it.
	CacheDir string
}

// Result is what a build needs, and what it will contain. What it names stays for as long as it is among the
// twenty that were asked for last, and for an hour in any case.
type Result struct {
	// Dir is where the go command has to run: Options.Dir, or its place in a copy where that lies in the
	// module cache.
	Dir string
	// Flags go to go build, go test or go vet.
	Flags []string
	// OverlayFile is what -overlay in Flags names.
	OverlayFile string
	// Files are the rewritten files, by the path of the original.
	Files map[string]string
	// Sites are the points, in the order of packages and files.
	Sites []point.Site
	// Refused are packages, files and functions that are left as they are.
	Refused []Note
	// Skipped are operations that have no point of their own.
	Skipped []Note
	// Divergent are places where two executions may differ though their schedules do not.
	Divergent []Note
}

// Note is something to know about a place in the sources.
type Note struct {
	File   string // as the go command names it; "" where a whole package is meant
	Line   int
	Column int
	// Package is the import path.
	Package string
	// Text says what is there and why.
	Text string
}

// String returns the note as a compiler would print it.
func (n Note) String() string {
	switch {
	case n.File == "":
		return n.Package + ": " + n.Text
	case n.Line == 0:
		return n.File + ": " + n.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", n.File, n.Line, n.Column, n.Text)
}

// PackageError says that packages could not be loaded or do not compile, as they are.
type PackageError struct{ Notes []Note }

func (e *PackageError) Error() string {
	lines := make([]string, len(e.Notes))
	for i, n := range e.Notes {
		lines[i] = n.String()
	}
	return "instrument: packages do not compile:\n\t" + strings.Join(lines, "\n\t")
}

var (
	// ErrNoPackages means that the patterns name nothing that can be instrumented.
	ErrNoPackages = errors.New("instrument: nothing to instrument")
	// ErrNoPoint means that the module that is built does not require tenantstorm, so that instrumented code
	// could not import what it calls.
	ErrNoPoint = errors.New("instrument: the module does not require " + pointPath)
	// ErrWorkspace means that a module has to be replaced by its copy, which a workspace does not allow.
	ErrWorkspace = errors.New("instrument: a package of the module cache cannot be instrumented in a workspace; set GOWORK=off")
	// ErrDeletes means that an overlay to start from deletes a file.
	ErrDeletes = errors.New("instrument: an overlay that deletes files is not supported")
)

// Write instruments packages and returns what a build with them needs. It does the work once: while no source,
// setting or option changes, the same result is returned.
//
// Errors are a *[PackageError], one of the sentinels of this package, or ctx's; each may be wrapped.
func Write(ctx context.Context, o Options) (Result, error) {
	if len(o.Patterns) == 0 {
		return Result{}, fmt.Errorf("%w: no package is named", ErrNoPackages)
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		// The go command matches an overlay's paths byte for byte.
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return Result{}, fmt.Errorf("instrument: find the module: %w", err)
	}
	o.Dir = dir
	for path, with := range o.Overlay {
		if with == "" {
			return Result{}, fmt.Errorf("%w: %s", ErrDeletes, path)
		}
	}
	s, err := openStore(o.CacheDir)
	if err != nil {
		return Result{}, err
	}
	env, err := goEnv(ctx, dir)
	if err != nil {
		return Result{}, err
	}
	key, err := cacheKey(ctx, env, o)
	if err != nil {
		return Result{}, err
	}
	if r, ok := s.result(key); ok {
		return r, nil
	}
	w := writer{store: s, env: env, options: o}
	return w.write(ctx, key)
}
