package model_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

const seeds = 2000

func TestGenerateIsSeedPure(t *testing.T) {
	first := make([]string, seeds)
	for s := range first {
		first[s] = drawn(uint64(s)).String()
	}
	different := map[string]bool{}
	for s := seeds - 1; s >= 0; s-- { // in another order, so that state kept between draws would show
		if again := drawn(uint64(s)).String(); again != first[s] {
			t.Fatalf("seed %d drew\n%s\nand then\n%s", s, first[s], again)
		}
		different[first[s]] = true
	}
	if len(different) < seeds*9/10 {
		t.Errorf("%d seeds drew only %d programs", seeds, len(different))
	}
}

// TestGeneratePinned: the same seed gives the same program in every version that has the same draws. A
// failure here means that seeds in people's notes no longer mean what they did: say so in the changelog.
func TestGeneratePinned(t *testing.T) {
	src := model.NewSource(1)
	got := []int{src.Int("", 0, 999), src.Int("", 0, 999), src.Int("", -5, 5), src.Int("", 7, 7)}
	n := 0
	src.Repeat("", func() { n++ })
	got = append(got, n)
	if want := []int{214, 698, -3, 7, 31}; !slices.Equal(got, want) {
		t.Errorf("the source of seed 1 draws %v, not %v", got, want)
	}
	want := []uint64{0xe220a8397b1dcdaf, 0x910a2dec89025cc1, 0x6e789e6aa1b965f4} // the first and third are splitmix64's own
	if got := []uint64{model.CaseSeed(0, 0), model.CaseSeed(1, 0), model.CaseSeed(0, 1)}; !slices.Equal(got, want) {
		t.Errorf("case seeds %#x, not %#x", got, want)
	}
}

func TestGenerateIsValid(t *testing.T) {
	for s := range uint64(seeds) {
		p := drawn(s)
		if err := p.Validate(); err != nil {
			t.Fatalf("seed %d: %v\n%s", s, err, p)
		}
		if b := model.DefaultBounds(); p.MaxProjects > b.MaxProjects || p.Projects > min(b.Projects, p.MaxProjects+5) || p.Sessions > b.Sessions {
			t.Fatalf("seed %d is over its bounds:\n%s", s, p)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var kinds []model.Kind
		for _, k := range model.Kinds() {
			if rapid.Bool().Draw(t, k.String()) {
				kinds = append(kinds, k)
			}
		}
		b := model.Bounds{
			MaxProjects: rapid.IntRange(0, 12).Draw(t, "max_projects"), Projects: rapid.IntRange(0, 17).Draw(t, "projects"),
			Sessions: rapid.IntRange(0, 5).Draw(t, "sessions"), Kinds: kinds,
		}
		p := model.Generate(&rapidSource{t}, b)
		if err := p.Validate(); err != nil {
			t.Fatalf("%v\n%s", err, p)
		}
		for _, o := range p.Ops() {
			if kinds != nil && !slices.Contains(kinds, o.Kind) {
				t.Fatalf("%s, which the service cannot do", o)
			}
		}
	})
}

// TestGenerateReaches counts what is drawn: a fault can only be found by programs that come up.
func TestGenerateReaches(t *testing.T) {
	ops, kinds, max, names, queries, modes, sessions := 0, map[model.Kind]int{}, map[int]int{}, map[model.NameFamily]int{}, map[model.QueryKind]int{}, map[model.IndexMode]int{}, map[int]int{}
	facts := map[string]int{}
	without := map[model.Kind]int{}
	for s := range uint64(seeds) {
		p := drawn(s)
		ops += p.Len()
		max[p.MaxProjects]++
		names[p.Names]++
		sessions[p.Sessions]++
		seen := map[model.Kind]bool{}
		if p.Projects > p.MaxProjects {
			facts["more projects than pools"]++
		}
		if p.Projects == p.MaxProjects+5 {
			facts["five projects more"]++
		}
		for _, o := range p.Ops() {
			kinds[o.Kind]++
			seen[o.Kind] = true
			switch o.Kind {
			case model.KindSearch:
				queries[o.Query]++
				switch {
				case o.Limit == model.MaxSearchLimit:
					facts["the largest limit"]++
				case o.Limit > model.MaxSearchLimit:
					facts["a limit too large"]++
				case o.Limit > 0:
					facts["a small limit"]++
				}
				if o.Path > 0 {
					facts["a file filter"]++
				}
			case model.KindIndex:
				modes[o.Mode]++
				if o.Files == 0 {
					facts["no files"]++
				}
			}
			if o.TakesProject() && o.Project == model.Active {
				facts["the active project"]++
			}
		}
		for _, k := range model.Kinds() {
			if !seen[k] && p.Len() > 20 {
				without[k]++
			}
		}
	}
	if mean := float64(ops) / seeds; mean < 25 || mean > 35 {
		t.Errorf("mean length %.1f, not near 30", mean)
	} else {
		t.Logf("mean length %.1f; kinds %v; max_projects %v; %v", mean, kinds, max, facts)
	}
	for _, k := range model.Kinds() {
		if kinds[k] < seeds/10 {
			t.Errorf("%s came up %d times", k, kinds[k])
		}
		if k != model.KindIndex && without[k] < seeds/100 {
			t.Errorf("only %d long programs have no %s: the mix does not vary", without[k], k)
		}
	}
	for m := 1; m <= 10; m++ {
		if max[m] < seeds/50 {
			t.Errorf("max_projects %d came up %d times", m, max[m])
		}
	}
	if small := max[1] + max[2] + max[3] + max[4]; small < seeds/2 {
		t.Errorf("max_projects up to 4 came up %d times of %d", small, seeds)
	}
	for _, f := range model.NameFamilies() {
		if names[f] < seeds/20 {
			t.Errorf("names %s came up %d times", f, names[f])
		}
	}
	for s := 1; s <= 4; s++ {
		if sessions[s] < seeds/10 {
			t.Errorf("%d sessions came up %d times", s, sessions[s])
		}
	}
	for q := range model.QueryRevision + 1 {
		if queries[q] < seeds/4 {
			t.Errorf("query %d came up %d times", q, queries[q])
		}
	}
	for m := range model.Forced + 1 {
		if modes[m] < seeds/4 {
			t.Errorf("index mode %s came up %d times", m, modes[m])
		}
	}
	for _, f := range []string{"more projects than pools", "five projects more", "the largest limit", "a limit too large", "a small limit", "a file filter", "no files", "the active project"} {
		if facts[f] < seeds/50 {
			t.Errorf("%s: %d times", f, facts[f])
		}
	}
}

// TestSmallestDraw: a shrinking source moves towards small values, so those must be the simple program.
func TestSmallestDraw(t *testing.T) {
	n := 0
	p := model.Generate(smallest{&n}, model.DefaultBounds())
	want := "program v1\nmode sequential\nmax_projects 1\nprojects 1\nsessions 1\n\nsetup\n  #1 s0 index p0 rev=1 files=1\n  #2 s0 index p0 rev=2 files=1\n"
	if p.String() != want {
		t.Errorf("the smallest draws give\n%s, not\n%s", p, want)
	}
}

// smallest draws the smallest value every time, and repeats twice.
type smallest struct{ n *int }

func (smallest) Int(_ string, lo, _ int) int  { return lo }
func (smallest) Repeat(_ string, step func()) { step(); step() }

// TestCaseSeeds: neighbouring runs share no case, or a storm repeated with the next seed would repeat
// most of its work.
func TestCaseSeeds(t *testing.T) {
	const runs, cases = 200, 500
	seen := map[uint64][2]int{}
	for _, base := range []uint64{0, 1 << 32, 1<<64 - runs} {
		clear(seen)
		for run := range runs {
			for i := range cases {
				s := model.CaseSeed(base+uint64(run), i)
				if other, dup := seen[s]; dup {
					t.Fatalf("case %d of run %d is case %d of run %d", i, run, other[1], other[0])
				}
				seen[s] = [2]int{run, i}
			}
		}
	}
}
