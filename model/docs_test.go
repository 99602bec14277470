package model_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocumentedExamples: what the document of the format shows is what the parser reads.
func TestDocumentedExamples(t *testing.T) {
	seen := map[string]int{}
	kinds, points, strategies := map[model.Kind]int{}, map[model.PointKind]int{}, map[model.StrategyKind]int{}
	for _, block := range fence.FindAllStringSubmatch(document(t, "FORMAT.md"), -1) {
		what, text := block[1], block[2]
		seen[what]++
		switch what {
		case "program":
			p := parse(t, text)
			if p.String() != text {
				t.Errorf("printed differently:\n%s\n%s", text, p)
			}
			for _, in := range p.Schedule {
				points[in.At.Kind]++
			}
			strategies[p.Strategy.Kind]++
		case "operations":
			lines := strings.Split(strings.TrimSpace(text), "\n")
			for i, o := range parse(t, small(lines...)).Ops() {
				kinds[o.Kind]++
				if o.String() != lines[i] {
					t.Errorf("%q is printed as %q", lines[i], o)
				}
			}
		case "repro":
			_, rest, _ := strings.Cut(text, "-- program --\n")
			program, _, _ := strings.Cut(rest, "-- ")
			if p := parse(t, program); p.String() != program {
				t.Errorf("printed differently:\n%s\n%s", program, p)
			}
		case "refused":
			program, want, _ := strings.Cut(text, "error: ")
			_, err := model.Parse(program)
			var syntax *model.SyntaxError
			if !errors.As(err, &syntax) || err.Error() != strings.TrimSpace(want) {
				t.Errorf("%s is answered with\n%v, not\n%s", program, err, want)
			}
		}
	}
	if seen["program"] < 2 || seen["refused"] < 2 || seen["repro"] < 1 {
		t.Errorf("the examples found are %v", seen)
	}
	for _, k := range model.Kinds() {
		if kinds[k] == 0 {
			t.Errorf("no example of %s", k)
		}
	}
	for _, k := range model.PointKinds() {
		if points[k] == 0 {
			t.Errorf("no example of a point at a %s", k)
		}
	}
	if strategies[model.PCT] == 0 {
		t.Error("no example of a strategy")
	}
}

// TestDocumentedWords: every word of the format stands in its document.
func TestDocumentedWords(t *testing.T) {
	text := document(t, "FORMAT.md")
	want := []string{
		model.SharedWord, model.Canary{Project: 1, Revision: 2, File: 3}.String(), model.FilePath(0),
		fmt.Sprintf("`deadline` | `%s`", model.DefaultDeadline), fmt.Sprintf("1 to %d, %d where", model.MaxSearchLimit, model.DefaultLimit),
		fmt.Sprintf("1 to %d | pools", model.MaxProjects), fmt.Sprintf("1 to %d | the projects", model.MaxProjects),
		fmt.Sprintf("1 to %d | the sessions", model.MaxSessions), fmt.Sprintf("(1 to %d)", model.MaxRevision),
		fmt.Sprintf("(0 to %d)", model.MaxFiles), fmt.Sprintf("at most %d holds", model.MaxHolds),
		fmt.Sprintf("version %d", model.FormatVersion),
	}
	for _, f := range model.NameFamilies() {
		want = append(want, "| `"+f.String()+"` |")
		if f != model.NamesLong {
			want = append(want, fmt.Sprintf("`%s`, `%s`, `%s`", f.Name(0), f.Name(1), f.Name(2)))
		}
	}
	for _, k := range model.Kinds() {
		want = append(want, "**"+k.String()+"**")
		// The usage is what the parser itself tells of.
		_, err := model.Parse(small("#1 s0 " + example(k) + " superfluous"))
		_, usage, ok := strings.Cut(fmt.Sprint(err), "usage: #1 s0 "+k.String())
		if !ok {
			t.Errorf("%s: no usage in %v", k, err)
		}
		row := fmt.Sprintf("| `%s` | `%s` |", k, strings.ReplaceAll(strings.TrimSpace(usage), "|", `\|`))
		if usage == "" {
			row = fmt.Sprintf("| `%s` | |", k)
		}
		want = append(want, row)
	}
	for _, m := range []model.Mode{model.Sequential, model.Free, model.Gated} {
		want = append(want, "`"+m.String()+"`")
	}
	for _, m := range []model.IndexMode{model.Incremental, model.Full, model.Forced} {
		want = append(want, "`"+m.String()+"`")
	}
	for _, k := range model.PointKinds() {
		want = append(want, "| `"+k.String())
	}
	for _, k := range []model.StrategyKind{model.RunToBlock, model.RandomWalk, model.PCT, model.POS} {
		want = append(want, "| `strategy "+k.String())
	}
	for _, f := range model.Faults {
		want = append(want, "`"+f+"`")
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("docs/FORMAT.md does not say %s", w)
		}
	}
}

// example returns an operation of the kind with all that it must have.
func example(k model.Kind) string {
	return map[model.Kind]string{
		model.KindSearch: "search own", model.KindSwitch: "switch p0", model.KindIndex: "index rev=1 files=1",
		model.KindHold: "hold p0 as h1", model.KindRelease: "release h1", model.KindStats: "stats",
		model.KindDrop: "drop p0", model.KindRestart: "restart", model.KindCancel: "cancel #2",
	}[k]
}

// TestDocumentedInvariants: every kind of violation that the oracle can name is explained.
func TestDocumentedInvariants(t *testing.T) {
	text := document(t, "INVARIANTS.md")
	for _, m := range mutations() {
		for _, f := range m.want {
			family, kind, _ := strings.Cut(f, "/")
			section, found := sectionOf(text, family)
			if !found {
				t.Errorf("docs/INVARIANTS.md has no section %s", family)
				continue
			}
			for _, of := range []string{"unexplained-", "missing-"} { // of any kind of error
				if strings.HasPrefix(kind, of) {
					kind = of + "*"
				}
			}
			if !strings.Contains(section, "| `"+kind+"` |") {
				t.Errorf("docs/INVARIANTS.md does not explain %s in its section %s", kind, family)
			}
		}
	}
}

func sectionOf(text, family string) (string, bool) {
	_, after, found := strings.Cut(text, "\n## "+family+"\n")
	section, _, _ := strings.Cut(after, "\n## ")
	return section, found
}
