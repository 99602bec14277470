package model_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

func TestFindCanaries(t *testing.T) {
	a, b := model.Canary{Project: 1, Revision: 2, File: 3}, model.Canary{Project: 99, Revision: 999, File: 8}
	as, bs := a.String(), b.String()
	if as != "cnry_p001_r002_f003" || bs != "cnry_p099_r999_f008" {
		t.Fatalf("canaries are %s and %s", as, bs)
	}
	for _, c := range []struct {
		why, in string
		want    []model.Canary
	}{
		{"nothing", "", nil},
		{"no canary", "func main() {}", nil},
		{"one", as, []model.Canary{a}},
		{"two at once", as + bs, []model.Canary{a, b}},
		{"twice the same is one", as + " " + as, []model.Canary{a}},
		{"in the order they stand", bs + as + bs, []model.Canary{b, a}},
		{"inside a word", "x" + as + "x", []model.Canary{a}},
		{"digits behind it", as + "9", []model.Canary{a}},
		{"at the end of other bytes", "\x00\xff" + as, []model.Canary{a}},
		{"cut off at the end", as[:len(as)-1], nil},
		{"cut off at the beginning", as[1:], nil},
		{"cut off, then whole", as[:12] + bs, []model.Canary{b}},
		{"cut off, then a mark", "cnry_cnry_cnry_p001_r002_f003", []model.Canary{a}},
		{"cut off within the digits", "cnry_p0cnry_p001_r002_f003", []model.Canary{a}},
		{"broken over lines", "cnry_p001_\nr002_f003", nil},
		{"upper case", strings.ToUpper(as), nil},
		{"a sign for a digit", "cnry_p+01_r002_f003", nil},
		{"a minus for a digit", "cnry_p-01_r002_f003", nil},
		{"an underscore for a digit", "cnry_p0_1_r002_f003", nil},
		{"space for a digit", "cnry_p 01_r002_f003", nil},
		{"other digits", "cnry_p٠٠1_r002_f003", nil},
		{"hexadecimal", "cnry_p0x1_r002_f003", nil},
		{"four digits", "cnry_p0001_r002_f003", nil},
		{"another letter", "cnry_q001_r002_f003", nil},
		{"letters in another order", "cnry_r001_p002_f003", nil},
		{"another separator", "cnry_p001-r002_f003", nil},
		{"a query", "cnry_p001_", nil},
	} {
		if got := model.FindCanaries(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q holds %v, want %v", c.why, c.in, got, c.want)
		}
	}
}

func drawCanary(t *rapid.T) model.Canary {
	n := func(label string) int { return rapid.IntRange(0, 999).Draw(t, label) }
	return model.Canary{Project: n("project"), Revision: n("revision"), File: n("file")}
}

// TestCanariesInAnything: whatever stands around canaries, all of them are found and no others.
func TestCanariesInAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []model.Canary
		for range rapid.IntRange(0, 6).Draw(t, "canaries") {
			// Text of the canaries' own bytes is the hardest; it holds no whole one, since it is too short.
			text.WriteString(rapid.StringOfN(rapid.SampledFrom([]rune("cnry_prf019 x")), 0, 18, 18).Draw(t, "between"))
			text.WriteByte(' ')
			c := drawCanary(t)
			text.WriteString(c.String())
			if !slices.Contains(want, c) {
				want = append(want, c)
			}
		}
		if got := model.FindCanaries(text.String()); !slices.Equal(got, want) {
			t.Fatalf("%q holds %v, found %v", text.String(), want, got)
		}
	})
}

// TestCanariesAreDistinct: no canary is a part of another or of two others side by side, so that what
// is found is always what was written.
func TestCanariesAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawCanary(t), drawCanary(t), drawCanary(t)
		if a != b && strings.Contains(a.String(), b.String()) {
			t.Fatalf("%s is part of %s", b, a)
		}
		if len(a.String()) != len(b.String()) {
			t.Fatalf("%s and %s differ in length", a, b)
		}
		// Anywhere but at the two beginnings there is none.
		joined := a.String() + b.String()
		for i := range joined {
			if rest := joined[i:]; i != 0 && i != len(a.String()) && strings.HasPrefix(rest, c.String()) {
				t.Fatalf("%s stands at %d of %s", c, i, joined)
			}
		}
	})
}

// TestFragments: any fragment that is twice as long as a canary names its owner.
func TestFragments(t *testing.T) {
	c := model.Canary{Project: 7, Revision: 8, File: 1}
	file := strings.Repeat(c.String(), 10)
	size := 2*len(c.String()) - 1
	for i := range len(file) - size {
		if got := model.FindCanaries(file[i : i+size]); !slices.Equal(got, []model.Canary{c}) {
			t.Fatalf("%q names %v", file[i:i+size], got)
		}
	}
}

// TestQueries: a query stands in exactly the canaries it is about.
func TestQueries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, p := drawCanary(t), rapid.IntRange(0, model.MaxProjects-1).Draw(t, "searched")
		if rapid.Bool().Draw(t, "its own") {
			p = c.Project
		}
		o := model.Op{Kind: model.KindSearch, Foreign: rapid.IntRange(0, 99).Draw(t, "foreign"), Revision: rapid.IntRange(1, 999).Draw(t, "revision")}
		for query, holds := range map[model.QueryKind]bool{
			model.QueryOwn: c.Project == p, model.QueryForeign: c.Project == o.Foreign,
			model.QueryRevision: c.Project == p && c.Revision == o.Revision, model.QueryShared: false,
		} {
			o.Query = query
			if got := strings.Contains(c.String(), o.QueryText(p)); got != holds {
				t.Fatalf("%q in %s: %v", o.QueryText(p), c, got)
			}
		}
	})
}

func TestFilePaths(t *testing.T) {
	for f := range model.MaxFiles {
		path := model.FilePath(f)
		if got := (model.Op{Path: f + 1}).PathText(); got != path {
			t.Errorf("the filter for file %d is %q, its path %q", f, got, path)
		}
		if cs := model.FindCanaries(path); len(cs) > 0 {
			t.Errorf("%s holds %v", path, cs)
		}
		for g := range model.MaxFiles {
			if f != g && strings.Contains(model.FilePath(g), path) {
				t.Errorf("%s is part of %s", path, model.FilePath(g))
			}
		}
	}
	if got := (model.Op{}).PathText(); got != "" {
		t.Errorf("no filter is %q", got)
	}
}
