package repro_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// TestVisualization: a page stands beside its repro under the same name, and leaves with the finding it
// is of.
func TestVisualization(t *testing.T) {
	dir := t.TempDir()
	path, err := repro.Save(dir, sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if page := repro.Visualization(path); page != "" {
		t.Errorf("before there is one: %s", page)
	}
	want := filepath.Join(dir, "lru-resident-set-stats.html")
	for _, text := range []string{"<!doctype html>one", "<!doctype html>another"} {
		if err := repro.SaveVisualization(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if page := repro.Visualization(path); page != want {
			t.Fatalf("page %q, want %q", page, want)
		}
		if got, err := os.ReadFile(want); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	if diff := cmp.Diff([]string{"lru-resident-set-stats.html", "lru-resident-set-stats.txtar"}, files(t, dir)); diff != "" {
		t.Errorf("(-want +there):\n%s", diff)
	}
	for range 2 { // the second time there is nothing to remove
		if err := repro.SaveVisualization(path, nil); err != nil {
			t.Fatal(err)
		}
		if page := repro.Visualization(path); page != "" {
			t.Errorf("removed, and still %s", page)
		}
	}
}

// TestVisualizationOfOtherFiles: a page beside a file that Save has not named is somebody else's.
func TestVisualizationOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "bug.html")
	if err := os.WriteFile(page, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.html"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bug.program", "bug", "folder.txtar", "missing.txtar"} {
		if got := repro.Visualization(filepath.Join(dir, name)); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := repro.Visualization(""); got != "" {
		t.Errorf("no repro: %s", got)
	}
	for _, data := range [][]byte{nil, []byte("new")} {
		if err := repro.SaveVisualization(filepath.Join(dir, "bug.program"), data); err == nil {
			t.Error("saved beside what is no repro")
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
	if err := repro.SaveVisualization(filepath.Join(dir, "gone", "bug.txtar"), []byte("new")); err == nil {
		t.Error("saved in a folder that is not there")
	}
}
