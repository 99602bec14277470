package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

// TestGolden pins the text of every operation and field: what is in testdata is what people have in
// their bug reports, so it must be read, and printed, as it stands.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(data), parse(t, string(data)).String()); d != "" {
			t.Errorf("%s is printed differently (-file +printed):\n%s", file, d)
		}
	}
}

// TestGoldenValues pins what the text means.
func TestGoldenValues(t *testing.T) {
	data, err := os.ReadFile("testdata/every.txt")
	if err != nil {
		t.Fatal(err)
	}
	const active = model.Active
	want := model.Program{
		Mode: model.Gated, MaxProjects: 2, Projects: 4, Names: model.NamesCase, Sessions: 3, Deadline: 2_500_000_000,
		Setup: []model.Op{
			{ID: 1, Kind: model.KindIndex, Revision: 1, Files: 2},
			{ID: 2, Kind: model.KindIndex, Project: 1, Revision: 2, Mode: model.Full},
			{ID: 3, Session: 1, Kind: model.KindIndex, Project: 2, Revision: 999, Files: 9, Mode: model.Forced},
			{ID: 4, Kind: model.KindSwitch},
			{ID: 5, Kind: model.KindIndex, Project: active, Revision: 3, Files: 1},
			{ID: 6, Kind: model.KindSearch, Project: active},
			{ID: 7, Kind: model.KindSearch, Project: 1},
			{ID: 8, Kind: model.KindSearch, Project: 1, Query: model.QueryShared},
			{ID: 9, Kind: model.KindSearch, Project: 1, Query: model.QueryForeign},
			{ID: 10, Kind: model.KindSearch, Project: 1, Query: model.QueryRevision, Revision: 2},
			{ID: 11, Kind: model.KindSearch, Path: 1},
			{ID: 12, Kind: model.KindSearch, Query: model.QueryShared, Limit: 51},
			{ID: 13, Kind: model.KindSearch, Project: active, Query: model.QueryForeign, Foreign: 3, Path: 9, Limit: 1},
			{ID: 14, Session: 2, Kind: model.KindHold, Handle: 1},
			{ID: 15, Kind: model.KindHold, Project: 2, Handle: 22},
			{ID: 16, Session: 1, Kind: model.KindRelease, Handle: 1},
			{ID: 17, Session: 1, Kind: model.KindRelease, Handle: 1},
			{ID: 18, Session: 1, Kind: model.KindStats},
			{ID: 19, Session: 1, Kind: model.KindRestart},
		},
		Race: []model.Op{
			{ID: 30, Kind: model.KindDrop},
			{ID: 20, Session: 1, Kind: model.KindCancel, Target: 30},
			{ID: 21, Session: 2, Kind: model.KindCancel, Target: 1 << 30},
			{ID: 1 << 30, Session: 2, Kind: model.KindRelease, Handle: 22},
		},
		Schedule: []model.Intervention{
			{At: model.Point{Op: 30, Nth: 1}, To: 20},
			{At: model.Point{Op: 30, Nth: 1}, To: 21},
			{At: model.Point{Op: 21, Kind: model.AtMessage, Nth: 12}, To: 30},
			{At: model.Point{Op: 30, Kind: model.AtStart, Nth: 1}, To: 20},
			{At: model.Point{Op: 30, Kind: model.AtConnect, Nth: 2}, To: 20},
			{At: model.Point{Op: 30, Kind: model.AtAcquire, Nth: 3}, To: 1 << 30},
			{At: model.Point{Op: 30, Kind: model.AtRelease, Nth: 4}, To: 20},
			{At: model.Point{Op: 30, Kind: model.AtCancel, Nth: 5}, To: 20},
			{At: model.Point{Op: 30, Kind: model.AtCode, Site: "codesearch.(*poolSet).claimResident:after-unlock:1", Nth: 6}, To: 20},
			{Kind: model.Fault, At: model.Point{Op: 30, Nth: 2}, Fault: "cut"},
			{Kind: model.Fault, At: model.Point{Op: 30, Nth: 3}, Fault: "lose-reply"},
			{Kind: model.Fault, At: model.Point{Op: 30, Nth: 4}, Fault: "error"},
			{Kind: model.Fault, At: model.Point{Op: 20, Nth: 1 << 30}, Fault: "cancel"},
		},
		Strategy: model.Strategy{Kind: model.PCT, Depth: 3, Steps: 40, Seed: 1 << 30, Points: model.Locks},
	}
	if d := cmp.Diff(want, parse(t, string(data))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestReadLeniently lists texts that mean the same although they are printed otherwise.
func TestReadLeniently(t *testing.T) {
	want := parse(t, "program v1\nsetup\n#1 s0 search p0 own\n")
	for why, text := range map[string]string{
		"carriage returns":       "program v1\r\nsetup\r\n#1 s0 search p0 own\r\n",
		"no newline at the end":  "program v1\nsetup\n#1 s0 search p0 own",
		"blank lines":            "\n\nprogram v1\n\n\nsetup\n\n#1 s0 search p0 own\n\n",
		"tabs and spaces":        "\tprogram \t v1\n   setup  \n\t\t#1\ts0  search p0\town \n",
		"comments":               "// one\nprogram v1 // two\nsetup//three\n  #1 s0 search p0 own//four\n// five",
		"defaults spelt out":     "program v1\nmode sequential\nmax_projects 1\nprojects 1\nnames plain\nsessions 1\nsetup\n#1 s0 search p0 own",
		"fields in other orders": "program v1\nsessions 1\nprojects 1\nmode sequential\nsetup\n#1 s0 search p0 own",
	} {
		if d := cmp.Diff(want, parse(t, text)); d != "" {
			t.Errorf("%s (-want +got):\n%s", why, d)
		}
	}
}

func checkRoundTrip(t rapid.TB, p model.Program) {
	t.Helper()
	text := p.String()
	q, err := model.Parse(text)
	if err != nil {
		t.Fatalf("a drawn program is not read back: %v\n%s", err, text)
	}
	if d := cmp.Diff(p, q, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("read back differently (-drawn +read):\n%s\n%s", d, text)
	}
}

func TestRoundTripRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := model.DefaultBounds()
		b.Mode = model.Mode(rapid.IntRange(0, 2).Draw(t, "execution"))
		checkRoundTrip(t, model.Generate(&rapidSource{t}, b))
	})
}

func TestRoundTripPlain(t *testing.T) {
	for seed := range uint64(500) {
		checkRoundTrip(t, drawn(seed))
	}
}

// TestPrintedPrograms: any valid program, drawn or not, is read back. The shrinker makes programs that
// the generator does not.
func TestPrintedPrograms(t *testing.T) {
	possible, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram(t)
		all++
		if p.Validate() == nil {
			possible++
			checkRoundTrip(t, p)
		}
	})
	t.Logf("%d of %d programs were possible", possible, all)
	if possible < all/10 || possible == all {
		t.Error("the test saw too few of one sort")
	}
}

// anyProgram draws programs whose fields lie around their bounds, some of them impossible.
func anyProgram(t *rapid.T) model.Program {
	num := func(label string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, label) }
	seldom := func(label string, lo, hi int) int { // mostly lo, so that most programs are possible
		if num(label+"?", 0, 30) == 30 {
			return num(label, lo, hi)
		}
		return lo
	}
	p := model.Program{
		Mode: model.Mode(2*num("gated", 0, 1) + seldom("mode", 0, 3)), Names: model.NameFamily(seldom("names", 0, 5)),
		MaxProjects: seldom("max_projects", 1, 101), Projects: num("projects", 1, 4), Sessions: num("sessions", 1, 3),
	}
	for i := range num("operations", 1, 6) {
		o := model.Op{ID: i + 1 + seldom("id", 0, 1), Kind: model.Kind(num("kind", 1, 9)), Session: num("session", 0, p.Sessions-1)}
		project := num("project", -1, p.Projects-1+seldom("over", 0, 1))
		if o.TakesProject() {
			o.Project = project
		}
		switch o.Kind {
		case model.KindIndex:
			o.Revision, o.Files = 1+seldom("revision", 0, 999), num("files", 0, 9)+seldom("files", 0, 1)
			o.Mode = model.IndexMode(num("index mode", 0, 2) + seldom("mode", 0, 1))
		case model.KindSearch:
			o.Query = model.QueryKind(num("query", 0, 3) + seldom("query", 0, 1))
			o.Path, o.Limit = num("file", 0, 9)+seldom("file", 0, 1), num("limit", 0, 51)+seldom("limit", 0, 1)
			if o.Query == model.QueryForeign {
				o.Foreign = num("foreign", 0, p.Projects-1)
			}
			if o.Query == model.QueryRevision {
				o.Revision = 1 + seldom("revision", 0, 999)
			}
		case model.KindHold, model.KindRelease:
			o.Handle = i + 1 - seldom("handle", 0, 2)
			if o.Kind == model.KindRelease {
				o.Handle = num("handle", 1, 3)
			}
		case model.KindCancel:
			o.Target = num("target", 0, 6)
		}
		p.Setup = append(p.Setup, o)
	}
	if num("schedule", 0, 3) == 0 {
		kind := model.PointKind(num("point", 0, int(model.AtCancel)) + seldom("point", 0, 1))
		in := model.Intervention{Kind: model.InterventionKind(num("kind", 0, 1)), At: model.Point{Op: num("op", 1, 3), Kind: kind, Nth: 1 - seldom("nth", 0, 1)}}
		if kind != model.AtStart {
			in.At.Nth += num("later", 0, 3)
		}
		if in.Kind == model.Fault {
			in.Fault = rapid.SampledFrom(append([]string{""}, model.Faults...)).Draw(t, "fault")
		} else {
			in.To = num("to", 1, 3)
		}
		p.Schedule = append(p.Schedule, in)
	}
	if p.Mode == model.Gated || num("strategy anyway", 0, 30) == 30 {
		p.Strategy.Kind = model.StrategyKind(num("strategy", 0, 2) + seldom("strategy", 0, 1))
		if p.Strategy.Kind == model.PCT {
			p.Strategy.Depth, p.Strategy.Steps = num("depth", 1, 16)-seldom("depth", 0, 1), num("steps", 1, 1<<20)+seldom("steps", 0, 1)
		}
		if p.Strategy.Kind != model.RunToBlock {
			p.Strategy.Seed = uint64(num("seed", 0, 1<<30)) + uint64(seldom("seed", 0, 1))
		}
	}
	return p
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(drawn(1).String())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := model.Parse(text)
		if err != nil {
			checkPosition(t, text, err)
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("Parse accepted what Validate refuses: %v", err)
		}
		printed := p.String()
		q, err := model.Parse(printed)
		if err != nil {
			t.Fatalf("its own print is refused: %v\n%s", err, printed)
		}
		if d := cmp.Diff(p, q); d != "" {
			t.Fatalf("print and parse (-before +after):\n%s", d)
		}
		if again := q.String(); again != printed {
			t.Fatalf("printed differently the second time:\n%s\n%s", printed, again)
		}
	})
}

// checkPosition: the position of a syntax error lies in the text.
func checkPosition(t *testing.T, text string, err error) {
	t.Helper()
	syntax, ok := err.(*model.SyntaxError) //nolint:errorlint // the contract: not wrapped
	if !ok {
		t.Fatalf("%T: Parse promises a *SyntaxError", err)
	}
	lines := strings.Split(text, "\n")
	if syntax.Line < 1 || syntax.Line > len(lines) {
		t.Fatalf("line %d of %d: %v", syntax.Line, len(lines), err)
	}
	if syntax.Column < 1 || syntax.Column > len(lines[syntax.Line-1])+1 {
		t.Fatalf("column %d of %q: %v", syntax.Column, lines[syntax.Line-1], err)
	}
}
