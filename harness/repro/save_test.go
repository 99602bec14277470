package repro_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// files returns what is in a directory, hidden files included.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSaveFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	r := sample(t)
	beside := []repro.File{{Name: repro.BugName, Data: []byte("one")}, {Name: repro.PageName, Data: []byte("page")}}
	path, err := repro.SaveFolder(dir, repro.Name(r), r, beside)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "lru-resident-set-stats"); path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	if page := repro.Visualization(path); page != filepath.Join(path, repro.PageName) {
		t.Errorf("page %q", page)
	}
	r.Meta.Seed = "43"
	again, err := repro.SaveFolder(dir, repro.Name(r), r, beside[:1])
	if err != nil || again != path {
		t.Fatalf("a second time: %s, %v", again, err)
	}
	for _, form := range []string{path, filepath.Join(path, repro.FileName)} {
		got, err := repro.Load(form)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("(-saved +loaded):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{repro.BugName, repro.FileName}, files(t, path)); diff != "" {
		t.Errorf("of the first, or something else, is left (-want +there):\n%s", diff)
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// TestSaveFolderReplacesNothingElse: whatever SaveFolder did not write stays, and the repro is saved all
// the same.
func TestSaveFolderReplacesNothingElse(t *testing.T) {
	dir := t.TempDir()
	r := sample(t)
	name := repro.Name(r)
	first, err := repro.SaveFolder(dir, name, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(first, "notes.txt")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+"-2"), []byte("mine, too"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, name+"-3")); err != nil {
		t.Fatal(err)
	}
	path, err := repro.SaveFolder(dir, name, r, nil)
	if want := filepath.Join(dir, name+"-4"); err != nil || path != want {
		t.Fatalf("path %s, %v, want %s", path, err, want)
	}
	if got, err := os.ReadFile(notes); err != nil || string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
	if names := files(t, dir); len(names) != 4 {
		t.Errorf("there is %v", names)
	}
}

func TestName(t *testing.T) {
	for _, c := range []struct {
		violation check.Violation
		want      string
	}{
		{check.Violation{}, "program"},
		{check.Violation{Invariant: "errors", Kind: "unexplained-bad-name", Verb: "index"}, "errors-unexplained-bad-name-index"},
		{check.Violation{Invariant: "../a b", Kind: "ü\x00", Verb: `c\d`}, "-a-b----c-d"},
	} {
		if got := repro.Name(repro.Repro{Violation: c.violation}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	r := sample(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repro.SaveFolder(filepath.Join(file, "sub"), "x", r, nil); err == nil {
		t.Error("saved below a file")
	}
	if err := repro.WriteFile(filepath.Join(dir, "no", "folder"), r); err == nil {
		t.Error("saved where there is no folder")
	}
	if _, err := repro.SaveFolder(dir, "x", r, []repro.File{{Name: "../escape"}}); err == nil {
		t.Error("saved a file that belongs to no repro")
	}
	invalid := r
	invalid.Program.Projects = 0
	if _, err := repro.SaveFolder(filepath.Join(dir, "invalid"), "x", invalid, nil); err == nil {
		t.Error("saved a program that cannot be read back")
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bug.txtar")
	r := sample(t)
	for range 2 {
		if err := repro.WriteFile(path, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := repro.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if names := files(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// TestVisualization finds the page in a folder, and beside a file of the time before folders.
func TestVisualization(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"old.html", "bug.html", "new/" + repro.PageName, "new/" + repro.FileName} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder.html"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"old.txtar": "old.html", "new": "new/" + repro.PageName, "new/" + repro.FileName: "new/" + repro.PageName,
		"bug.program": "", "bug": "", "folder.txtar": "", "missing.txtar": "",
	} {
		if want != "" {
			want = filepath.Join(dir, want)
		}
		if got := repro.Visualization(filepath.Join(dir, path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := repro.Visualization(""); got != "" {
		t.Errorf("no repro: %s", got)
	}
}

func TestNothingOfTheMachineIsSaved(t *testing.T) {
	const secret = "hunter2"
	r := sample(t)
	texts := []string{
		"cannot connect to postgres://alice:" + secret + "@db.internal:5432/app?sslmode=disable: refused",
		"dsn host=db.internal user=alice password='" + secret + " \\' x' dbname=app",
		"PGPASSWORD=" + secret + " psql",
		"failed to connect to `user=alice database=app`: db.internal:5432 (10.1.2.3:5432): dial error",
		"failed to connect to `host=db.internal user=alice`: hostname resolving error: lookup db.internal on 10.1.2.3:53: no such host",
		"goroutine 1 [running]:\nmain.f(0x1)\n\t/home/alice/src/service/pool.go:17 +0x1d",
		`open "/home/alice/.pgpass": permission denied`,
	}
	for _, text := range texts {
		r.Violation.Evidence = append(r.Violation.Evidence, text)
		r.History = append(r.History, "#9 s0 index p0 rev=1 files=1 → error other: "+text)
		r.Violation.Sentence += " " + text
		r.Meta.Target += " " + text
		r.Meta.Settings = append(r.Meta.Settings, "name = "+text)
		r.Steps = append(r.Steps, history.Step{Point: model.Point{Op: 1, Nth: 1}, Label: "SELECT 'hunter2' " + text})
	}
	path, err := repro.SaveFolder(t.TempDir(), repro.Name(r), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(path, repro.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{secret, "alice", "db.internal", "10.1.2.3", "/home"} {
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, private) {
				t.Errorf("%q in %s", private, line)
			}
		}
	}
	// What helps stays.
	for _, useful := range []string{"pool.go:17", "permission denied", "dial error", "no such host", "dbname=app"} {
		if !strings.Contains(string(data), useful) {
			t.Errorf("%q is gone", useful)
		}
	}
}

func TestRedactLeavesTheRest(t *testing.T) {
	for _, text := range []string{
		"pkg0/file_000.go:1 [cnry_p000_r001_f000]: x / y // comment",
		"project a/b, #3 s0 search p0 own → ok", "lru/order/stats", "1/2 of the pools", "/ and /x",
		"host and user, password unknown",
	} {
		if got := repro.Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	once := repro.Redact("postgres://u:p@h/d password=x /a/b/c.go:3 failed to connect to `user=u`: h:1 (1.2.3.4:1): dial")
	if twice := repro.Redact(once); twice != once {
		t.Errorf("twice: %q, once: %q", twice, once)
	}
}
