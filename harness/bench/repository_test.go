package bench_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func write(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	for path, text := range content {
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRepositoryLeavesOutWhatIsNoText(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.go": "package a\n", "sub/b.go": "package b\n", "binary": "a\x00b", "latin1": "caf\xe9", "huge": strings.Repeat("x", bench.LargestFile+1),
		"largest": strings.Repeat("x", bench.LargestFile), bench.Marker: "{}", "sub/" + bench.Marker: "{}",
	})
	for link, to := range map[string]string{"loop": ".", "self": "self", "dangling": "nowhere", "sub/file": "../a.go"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := bench.ReadRepository(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"symbolic link": 4, "binary (a zero byte)": 1, "not UTF-8": 1, "larger than 1 MiB": 1, "marker of generate-repo": 1,
	}
	if d := cmp.Diff(want, r.LeftOut); d != "" {
		t.Error(d)
	}
	if r.Files != 4 || r.Bytes != 10+10+bench.LargestFile+2 {
		t.Errorf("%s", r)
	}
	var seen []string
	err = fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			seen = append(seen, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a.go", "largest", "sub/" + bench.Marker, "sub/b.go"}, seen); d != "" {
		t.Error(d)
	}
	if err := fstest.TestFS(r.FS(), "a.go", "sub/b.go"); err != nil {
		t.Error(err)
	}
	if _, err := r.FS().Open("binary"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left out can be opened: %v", err)
	}
}

func TestRepositoriesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": "text", "binaries/a": "\x00", "closed/in/a.go": "package a"})
	for link, to := range map[string]string{"a": "b", "b": "a"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ why, path, says string }{
		{"not there", "none", "no such file"},
		{"a file", "file", "not a directory"},
		{"a loop of links", "a", "too many links"},
		{"nothing in it", "empty", "no text file is in it"},
		{"no text in it", "binaries", "left out: 1 binary"},
	} {
		_, err := bench.ReadRepository(t.Context(), filepath.Join(dir, row.path))
		if !errors.Is(err, bench.ErrRepository) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want ErrRepository and %q", row.why, err, row.says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bench.GenerateRepository(ctx, t.TempDir(), 1, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
