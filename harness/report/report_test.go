package report_test

import (
	"flag"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-golden +now); run with -update if it is better:\n%s", diff)
	}
}

func TestStory(t *testing.T) {
	for name, of := range map[string]func(testing.TB) (repro.Repro, history.History){"gated": gated, "sequential": sequential} {
		r, _ := of(t)
		golden(t, name+".story", []byte(strings.Join(report.Story(r), "\n")+"\n"))
	}
}

func TestBug(t *testing.T) {
	r, _ := gated(t)
	golden(t, "BUG.md", report.Bug(r, "isolation-foreign-search", true))
}

// TestBugOfEachFamily: whoever has never heard of an invariant is told what it promises.
func TestBugOfEachFamily(t *testing.T) {
	r, _ := sequential(t)
	for _, family := range append(slices.Clone(check.Families), check.LatencyFamily) {
		r.Violation.Invariant = family
		if text := string(report.Bug(r, "x", false)); !strings.Contains(text, "What is broken is *"+family+"*: ") {
			t.Errorf("%s is not explained:\n%s", family, text)
		}
	}
}

// TestBugQuotes: what the service said can neither end a block of code nor become a link, a heading or HTML.
func TestBugQuotes(t *testing.T) {
	r, _ := sequential(t)
	r.Violation.Sentence = "# <img src=x onerror=alert(1)> [here](javascript:x) `code **bold** \x1b[31m"
	r.Violation.Evidence = []string{"```", "````\n# heading", "\xff\x00 é"}
	r.History[0] = "#1 s0 index p0 rev=1 files=1 → error: `a` | <b>"
	text := string(report.Bug(r, "x", false))
	for _, want := range []string{
		`\# \<img src=x onerror=alert(1)\> \[here\](javascript:x) 'code \*\*bold\*\* \\x1b\[31m`,
		"\n`````text\n```\n````\\n# heading\n\\xff\\x00 é\n`````\n",
		`error: 'a' \| \<b\>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, raw := range []string{"(<img", " <img", "\x1b", "\x00", "\n# heading"} {
		if strings.Contains(text, raw) {
			t.Errorf("%q stands in\n%s", raw, text)
		}
	}
}

// TestTest: the test is Go as gofmt writes it, and holds the repro whatever is in it.
func TestTest(t *testing.T) {
	for _, target := range []string{"codesearch", "own"} {
		r, _ := gated(t)
		r.Meta.Target = target
		if target == "own" {
			r.Violation.Evidence = append(r.Violation.Evidence, "a `backtick`")
		}
		source := report.Test(r)
		if again, err := format.Source(source); err != nil || string(again) != string(source) {
			t.Errorf("%v\n%s", err, source)
		}
		golden(t, target+"_test.go.txt", source)
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	r, h := gated(t)
	path, err := report.Save(dir, repro.Name(r), r, h, []byte("<!doctype html>"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"BUG.md", "repro.txtar", "repro_test.go", "timeline.svg", "visualization.html"}, names); diff != "" {
		t.Errorf("(-want +there):\n%s", diff)
	}
	got, err := repro.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	// What people read can be made again from what is kept.
	if was, err := os.ReadFile(filepath.Join(path, "BUG.md")); err != nil || string(was) != string(report.Bug(got, "isolation-foreign-search", true)) {
		t.Errorf("the report of what was loaded differs: %v", err)
	}
	if !repro.Folder(path) {
		t.Error("it does not count as a repro's folder")
	}
}

// TestNothingOfTheMachineIsSaved: whatever a service says, no file of the folder holds a password, a user's
// name or a path of the machine.
func TestNothingOfTheMachineIsSaved(t *testing.T) {
	const secret, user, home = "hunter2-swordfish", "zaphod", "/home/zaphod/src"
	r, h := gated(t)
	said := []string{
		"cannot connect to postgres://" + user + ":" + secret + "@db.internal:5432/app: refused",
		"host=db.internal user=" + user + " password='" + secret + "' dbname=app",
		"failed to connect to `user=" + user + " database=app`: db.internal:5432 (10.1.2.3:5432): dial error",
		"panic: boom\n\ngoroutine 7 [running]:\nmain.f()\n\t" + home + "/pool.go:17 +0x1d",
		"open " + home + "/.pgpass: permission denied",
	}
	for _, text := range said {
		r.Violation.Sentence += " " + text
		r.Violation.Evidence = append(r.Violation.Evidence, text)
		r.Meta.Settings = append(r.Meta.Settings, "log_directory = "+home+"/log")
		for i := range h.Entries {
			h.Entries[i].Response.Status, h.Entries[i].Response.Error, h.Entries[i].Response.Text = model.StatusError, model.ErrOther, text
		}
		h.Steps = append(h.Steps, history.Step{Point: model.Point{Op: 2, Nth: 9}, Label: "ALTER ROLE x PASSWORD '" + secret + "'"})
		h.Stacks += text
	}
	r = repro.New(r.Meta, r.Program, r.Violation, h)
	path, err := report.Save(t.TempDir(), "x", r, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(path, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			for _, private := range []string{secret, user, home, "/home", "db.internal", "10.1.2.3"} {
				if strings.Contains(line, private) {
					t.Errorf("%s: %q in %s", e.Name(), private, line)
				}
			}
		}
	}
}
