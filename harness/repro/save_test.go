package repro_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/repro"
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

func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	r := sample(t)
	path, err := repro.Save(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "lru-resident-set-stats.txtar"); path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	r.Meta.Seed = "43"
	if _, err := repro.Save(dir, r); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	got, err := repro.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestFileName(t *testing.T) {
	for _, c := range []struct {
		violation check.Violation
		want      string
	}{
		{check.Violation{}, "program.txtar"},
		{check.Violation{Invariant: "errors", Kind: "unexplained-bad-name", Verb: "index"}, "errors-unexplained-bad-name-index.txtar"},
		{check.Violation{Invariant: "../a b", Kind: "ü\x00", Verb: `c\d`}, "..-a-b----c-d.txtar"},
	} {
		if got := repro.FileName(repro.Repro{Violation: c.violation}); got != c.want {
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
	if _, err := repro.Save(filepath.Join(file, "sub"), r); err == nil {
		t.Error("saved below a file")
	}

	// Something that a rename cannot replace stands in the way.
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, repro.FileName(r), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := repro.Save(taken, r); err == nil {
		t.Error("saved over a directory")
	}
	if names := files(t, taken); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}

	invalid := r
	invalid.Program.Projects = 0
	if _, err := repro.Save(filepath.Join(dir, "invalid"), invalid); err == nil {
		t.Error("saved a program that cannot be read back")
	}
	if names := files(t, dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
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
	}
	path, err := repro.Save(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
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
