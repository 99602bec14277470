package repro_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

const programText = `program v1
mode sequential
max_projects 2
projects 3
sessions 1

setup
  #1 s0 index p0 rev=1 files=1
  #2 s0 index p1 rev=1 files=1
  #3 s0 search p0 own
  #4 s0 index p2 rev=1 files=1
`

func program(t testing.TB, text string) model.Program {
	t.Helper()
	p, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sample is a repro with everything in it.
func sample(t testing.TB) repro.Repro {
	p := program(t, programText)
	match := model.Match{Path: model.FilePath(0), StartLine: 1, Content: "// " + model.Canary{Revision: 1}.String()}
	h := history.History{Entries: []history.Entry{
		{Op: p.Setup[0], Response: model.Response{Status: model.StatusOK}},
		{Op: p.Setup[1], Response: model.Response{Status: model.StatusUnknown, Text: "context canceled"}},
		{Op: p.Setup[2], Response: model.Response{Status: model.StatusOK, Matches: []model.Match{match, {Path: "x", Content: "y"}}}},
		{Op: p.Setup[3], Response: model.Response{Status: model.StatusError, Error: model.ErrOther, Text: "first line\nsecond line"}},
		{Op: model.Op{Kind: model.KindStats}, Audit: true, Response: model.Response{Status: model.StatusOK, Stats: &model.Stats{
			ActivePools: 2, MaxProjects: 2, CacheHits: 1, CacheMisses: 3, Creations: 3, Evictions: 1,
			Pools: []model.PoolStats{{Project: "p2"}, {Project: "p1"}},
		}}},
		{Op: model.Op{Kind: model.KindSearch, Project: 1}, Audit: true, Response: model.Response{Status: model.StatusError, Error: model.ErrUnknownProject}},
	}, Rest: &history.Rest{Leaks: []history.Leak{{What: "backends", Want: 0, Got: 2}}, CloseHung: true, CloseError: "pool closed"}}
	return repro.Repro{
		Meta: repro.Meta{
			Target: "codesearch", SeededFault: "get-no-touch", Seed: "42", Case: "7",
			Tool: "v0.1.0", Go: "go1.26.0", Pgx: "v5.12.0", Postgres: "17.4",
			Platform: "linux/amd64, 2 cores", Settings: []string{"fsync = off", "jit = off"}, Reproduced: "3 of 3",
		},
		Program: p,
		Violation: check.Violation{
			Invariant: "lru", Kind: "resident-set", Verb: "stats", Op: 4, Position: 4,
			Sentence: "at the end, stats: expected p0 p2; got p1 p2",
			Evidence: []string{"pools: p2 p1", " two\nlines, an \x1b escape, \"quotes\" and \xff", ""},
		},
		History: repro.Lines(h),
		Steps: []history.Step{
			{Point: model.Point{Op: 1, Kind: model.AtStart, Nth: 1}},
			{Point: model.Point{Op: 1, Kind: model.AtMessage, Nth: 1}, Label: "SELECT a: b FROM c"},
			{Point: model.Point{Kind: model.AtMessage, Nth: 1}, Label: "SELECT 2"},
			{Point: model.Point{Op: 1, Kind: model.AtCode, Nth: 2, Site: "codesearch.(*p).f:after-unlock:1"}, Label: "p.go:3"},
		},
		Waits: []history.Wait{{Op: 3, Lock: true, From: 1, To: 2}, {Op: 2, From: 2, To: 4}, {Op: 4, Lock: true, From: 4, To: 4}},
		Spans: []repro.Span{{Op: 1, Start: 0, End: 1500 * time.Microsecond}, {Op: 2, Start: time.Millisecond, End: time.Second}},
	}
}

func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "golden.txtar")
	got := repro.Format(sample(t))
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
		t.Errorf("the format has changed (-golden +now); if it must, run with -update and raise FormatVersion:\n%s", diff)
	}
	r, err := repro.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(t), r); diff != "" {
		t.Errorf("the golden file reads as something else (-want +got):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	full := sample(t)
	bare := repro.Repro{Program: full.Program}
	odd := repro.Repro{
		Program:   full.Program,
		Meta:      repro.Meta{Target: "-- program --", Seed: `"quoted"`, Case: " spaces "},
		Violation: check.Violation{Invariant: "errors", Kind: "unexplained-", Verb: "", Sentence: "-- history --\n-- meta --"},
		History:   []string{"-- program --", "", "  indented", "tab\t", `"`},
	}
	for name, r := range map[string]repro.Repro{"full": full, "bare": bare, "odd": odd} {
		data := repro.Format(r)
		for ending, text := range map[string]string{
			"LF": string(data), "CRLF": strings.ReplaceAll(string(data), "\n", "\r\n"), "no newline at the end": strings.TrimSuffix(string(data), "\n"),
		} {
			got, err := repro.Parse([]byte(text))
			if err != nil {
				t.Errorf("%s, %s: %v\n%s", name, ending, err, text)
				continue
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, ending, diff)
			}
		}
	}
}

func TestProgramTextIsARepro(t *testing.T) {
	for _, text := range []string{programText, "// a comment\n\n" + programText, strings.ReplaceAll(programText, "\n", "\r\n")} {
		r, err := repro.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(repro.Repro{Program: program(t, programText)}, r); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.Fingerprint() != "" {
			t.Errorf("fingerprint %q", r.Fingerprint())
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	const head = "tenantstorm repro v2\n"
	const prog = "-- program --\nprogram v1\nsetup\n  #1 s0 search p0 own\n"
	for _, c := range []struct {
		name, text   string
		line, column int
		part         string // of the message
	}{
		{"empty", "", 1, 1, "neither a repro"},
		{"something else", "hello\n", 1, 1, "neither a repro"},
		{"another archive", "-- program --\nprogram v1\n", 1, 1, "neither a repro"},
		{"no version", "tenantstorm repro v\n" + prog, 1, 1, "neither a repro"},
		{"version zero", "tenantstorm repro v0\n" + prog, 1, 1, "neither a repro"},
		{"text after the header", head + "\nfoo\n" + prog, 3, 1, `"foo": a part such as`},
		{"no program", head, 2, 1, "no program"},
		{"only meta", head + "-- meta --\ntarget: x\n", 4, 1, "no program"},
		{"violation before the program", head + "-- violation --\n", 2, 1, "program must come before"},
		{"unknown part", head + prog + "-- log --\n", 6, 1, `"log": unknown part`},
		{"part twice", head + prog + prog, 6, 1, `"program": parts stand once`},
		{"parts in another order", head + prog + "-- meta --\n", 6, 1, `"meta": parts stand once`},
		{"program is wrong", head + "-- meta --\ntarget: x\n-- program --\nprogram v1\nsetup\n  #1 s0 serch p0 own\n", 7, 9, `"serch": unknown operation`},
		{"program is not valid", head + "-- program --\nprogram v1\nsetup\n  #1 s0 search p3 own\n", 5, 3, "only 1 projects"},
		{"program is empty", head + "-- program --\n", 3, 1, "empty"},
		{"program is newer", head + "-- program --\nprogram v99\n", 3, 9, "version 99"},
		{"no colon", head + "-- meta --\ntarget\n" + prog, 3, 1, `"key: value" expected`},
		{"unknown key", head + "-- meta --\ntarget: x\nhost: y\n" + prog, 4, 1, `"host": unknown key`},
		{"key twice", head + "-- meta --\nseed: 1\nseed: 2\n" + prog, 4, 1, `"seed" stands twice`},
		{"no value", head + "-- meta --\nseed: \n" + prog, 3, 7, "a value expected"},
		{"open quote", head + "-- meta --\nseed:   \"1\n" + prog, 3, 9, "quote"},
		{"incomplete violation", head + prog + "-- violation --\ninvariant: lru\nkind: order\n", 6, 1, "verb expected"},
		{"not a number", head + prog + "-- violation --\ninvariant: lru\nkind: order\nverb: stats\nop: first\n", 10, 5, "a number expected"},
		{"negative", head + prog + "-- violation --\ninvariant: lru\nkind: order\nverb: stats\nop: -1\n", 10, 5, "a number expected"},
		{"another fingerprint", head + prog + "-- violation --\nfingerprint: a/b/c\ninvariant: lru\nkind: order\nverb: stats\n", 6, 1, "make it lru/order/stats"},
		{"history", head + prog + "-- history --\n  #1 → ok\n  \"open\n", 8, 1, "quote"},
		{"step", head + prog + "-- steps --\n  #1 at start\n  #1 at massage 1\n", 8, 3, "a step such as"},
		{"wait of nobody", head + prog + "-- steps --\n  p0 waits\n", 7, 3, "an operation's id expected, as in #1 waits"},
		{"end of no wait", head + prog + "-- steps --\n  #1 waits no more\n", 7, 3, "#1 does not wait"},
		{"time", head + prog + "-- times --\n  #1 2ms 1ms\n", 7, 3, "when it began and ended"},
		{"bare program is wrong", "// x\nprogram v1\nsetup\n#1 s0 search p0 oww\n", 4, 17, `"oww": unknown query`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := repro.Parse([]byte(c.text))
			var syntax *repro.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a SyntaxError", err)
			}
			if syntax.Line != c.line || syntax.Column != c.column || !strings.Contains(syntax.Msg, c.part) {
				t.Errorf("got %v\nwant line %d, column %d and %q", syntax, c.line, c.column, c.part)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "r.txtar")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := file("tenantstorm repro v1\n-- program --\nprogram v1\nsetup\n#1\n")
	if _, err := repro.Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": line 5, column ") {
		t.Errorf("error %v", err)
	}
	path = file("tenantstorm repro v12\n-- future --\n")
	var version *repro.VersionError
	if _, err := repro.Load(path); !errors.As(err, &version) || version.Version != 12 || version.File != path ||
		!strings.Contains(err.Error(), "version 12: this tenantstorm reads versions up to 2") {
		t.Errorf("error %v", err)
	}
	if _, err := repro.Load(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := repro.Load(dir); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), repro.FileName) {
		t.Errorf("a folder without a repro: %v", err)
	}
}

// TestOldVersions: what was written once can be read for good.
func TestOldVersions(t *testing.T) {
	r, err := repro.Load(filepath.Join("testdata", "version1.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	want := sample(t)
	want.Meta.Platform, want.Meta.Settings, want.Meta.Reproduced = "", nil, ""
	want.Steps, want.Waits, want.Spans = nil, nil, nil
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompare(t *testing.T) {
	r := sample(t)
	same, other := r.Violation, r.Violation
	same.Sentence, same.Op, same.Position, same.Evidence = "in other words", 9, 9, nil
	other.Verb = "search"
	for _, c := range []struct {
		name string
		r    repro.Repro
		got  *check.Violation
		want repro.Reproduction
	}{
		{"the same", r, &same, repro.Same},
		{"another verb", r, &other, repro.Other},
		{"nothing", r, nil, repro.None},
		{"a program, anything", repro.Repro{Program: r.Program}, &other, repro.Same},
		{"a program, nothing", repro.Repro{Program: r.Program}, nil, repro.None},
	} {
		if got := repro.Compare(c.r, c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if unset := repro.Reproduction(0).String(); unset != "unset" {
		t.Errorf("the zero value is %q", unset)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(repro.Format(sample(f)))
	f.Add([]byte(programText))
	f.Add([]byte("tenantstorm repro v1\n-- meta --\nseed: \"\\x00\"\n-- program --\nprogram v1\n-- history --\n  x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := repro.Parse(data)
		if err != nil {
			var syntax *repro.SyntaxError
			var version *repro.VersionError
			switch {
			case errors.As(err, &version):
			case !errors.As(err, &syntax):
				t.Fatalf("error %v of type %T", err, err)
			case syntax.Line < 1 || syntax.Column < 1 || syntax.Line > strings.Count(string(data), "\n")+2:
				t.Fatalf("outside the file: %v", err)
			}
			return
		}
		text := repro.Format(r)
		again, err := repro.Parse(text)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, text)
		}
		if second := repro.Format(again); string(second) != string(text) {
			t.Fatalf("written twice, it differs:\n%s\n%s", text, second)
		}
	})
}
