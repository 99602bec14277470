package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/model"
)

// LargestFile is the size of the largest file that is handed to a service.
const LargestFile = 1 << 20

// Marker is the file by which a generated repository says what it is. It is no part of it.
const Marker = ".tenantstorm-repo.json"

// ErrRepository says that a repository cannot be measured with.
var ErrRepository = errors.New("the repository cannot be used")

// Repository is what is indexed: the text files of a directory. What a service might refuse or skip is left out
// beforehand, so that every service is given the same.
type Repository struct {
	// Files and Bytes are what there is to index.
	Files int
	Bytes int64
	// LeftOut counts the files that are not handed to the service, by reason.
	LeftOut map[string]int
	// Settings say where it comes from, for the result.
	Settings map[string]string

	root  fs.FS
	paths []string // of the files, sorted
	dirs  map[string]bool
	words *vocabulary
}

// The reasons to leave a file out.
const (
	leftLink    = "symbolic link"
	leftSpecial = "neither file nor directory"
	leftHuge    = "larger than 1 MiB"
	leftBinary  = "binary (a zero byte)"
	leftUTF8    = "not UTF-8"
	leftMarker  = "marker of generate-repo"
)

// ReadRepository looks at every file of a directory. Symbolic links are not followed, so loops of them are
// harmless; a file or directory that cannot be read is an error, since nobody could say what was measured.
func ReadRepository(ctx context.Context, dir string) (*Repository, error) {
	// The link that names the repository may be one; a loop or a dangling one is told by the name.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRepository, err)
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRepository, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%w: %s is not a directory", ErrRepository, dir)
	}
	return readRepository(ctx, os.DirFS(real))
}

func readRepository(ctx context.Context, root fs.FS) (*Repository, error) {
	r := &Repository{LeftOut: map[string]int{}, dirs: map[string]bool{}, Settings: map[string]string{}, root: root, words: newVocabulary()}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case d.IsDir():
			r.dirs[path] = true
		case d.Type()&fs.ModeSymlink != 0:
			r.LeftOut[leftLink]++
		case !d.Type().IsRegular():
			r.LeftOut[leftSpecial]++
		case path == Marker:
			r.LeftOut[leftMarker]++
		default:
			return r.look(path)
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRepository, err)
	case r.Files == 0:
		return nil, fmt.Errorf("%w: no text file is in it%s", ErrRepository, r.leftOut())
	}
	slices.Sort(r.paths)
	return r, nil
}

// look reads one file and takes it in, or notes why not.
func (r *Repository) look(path string) error {
	content, err := readText(r.root, path)
	switch {
	case err != nil:
		return err
	case len(content) > LargestFile:
		r.LeftOut[leftHuge]++
	case bytes.IndexByte(content, 0) >= 0:
		r.LeftOut[leftBinary]++
	case !utf8.Valid(content) || !utf8.ValidString(path):
		r.LeftOut[leftUTF8]++
	default:
		r.Files++
		r.Bytes += int64(len(content))
		r.paths = append(r.paths, path)
		r.words.learn(content)
	}
	return nil
}

// readText reads a file, or as much of it as shows that it is too large.
func readText(root fs.FS, path string) (content []byte, err error) {
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, LargestFile+1))
}

// leftOut tells in words what was left out; "" for nothing.
func (r *Repository) leftOut() string {
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(r.LeftOut)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.LeftOut[why], why))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; left out: " + strings.Join(parts, ", ")
}

// String is the repository in a few words.
func (r *Repository) String() string {
	return fmt.Sprintf("%d files, %.1f MB%s", r.Files, float64(r.Bytes)/1e6, r.leftOut())
}

// FS is what a service is given: the repository without what was left out.
func (r *Repository) FS() fs.FS { return chosen{r} }

// GenerateRepository writes the repository that a seed gives to a directory, which must be empty, and reads it.
// The service then reads files as it would any others.
func GenerateRepository(ctx context.Context, dir string, seed uint64, files int) (*Repository, error) {
	for f := range repogen.Tree(model.NewSource(seed), files) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, fmt.Errorf("write the repository: %w", err)
		}
		if err := os.WriteFile(path, f.Content, 0o666); err != nil {
			return nil, fmt.Errorf("write the repository: %w", err)
		}
	}
	r, err := ReadRepository(ctx, dir)
	if err != nil {
		return nil, err
	}
	r.Settings["repository"] = fmt.Sprintf("generated, version %d", repogen.TreeVersion)
	r.Settings["seed"] = fmt.Sprint(seed)
	return r, nil
}

// describe puts the repository into a result's settings.
func (r *Repository) describe(into *Result) {
	maps.Copy(into.Settings, r.Settings)
	into.set("files", r.Files)
	into.set("bytes", r.Bytes)
	if len(r.LeftOut) > 0 {
		into.note("repository: %s", r)
	}
}
