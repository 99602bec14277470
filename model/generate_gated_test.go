package model_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

func gatedBounds() model.Bounds {
	b := model.DefaultBounds()
	b.Mode = model.Gated
	return b
}

func drawnGated(seed uint64) model.Program {
	return model.Generate(model.NewSource(model.CaseSeed(seed, 0)), gatedBounds())
}

func TestGenerateGatedIsSeedPure(t *testing.T) {
	different := map[string]bool{}
	for s := range uint64(seeds) {
		first := drawnGated(s).String()
		drawnGated(seeds - s) // state kept between draws would show
		if again := drawnGated(s).String(); again != first {
			t.Fatalf("seed %d drew\n%s\nand then\n%s", s, first, again)
		}
		different[first] = true
	}
	if len(different) < seeds*99/100 {
		t.Errorf("%d seeds drew only %d programs", seeds, len(different))
	}
}

// checkSchedule: what is drawn can happen, as far as can be known before it is run.
func checkSchedule(t rapid.TB, p model.Program) {
	t.Helper()
	session := map[int]int{}
	for _, o := range p.Race {
		session[o.ID] = o.Session
	}
	for _, in := range p.Schedule {
		from, racing := session[in.At.Op]
		to, also := session[in.To]
		if !racing || in.Kind == model.Preempt && (!also || from == to) || in.Kind == model.Fault && in.Fault != "cancel" {
			t.Fatalf("%s cannot happen in\n%s", in, p)
		}
	}
	if all := model.EstimatePoints(p); p.Strategy.Kind == model.PCT && p.Strategy.Points == model.Messages &&
		!slices.Contains([]int{all, max(1, all/2), max(1, all/4)}, p.Strategy.Steps) {
		t.Fatalf("%s, not %d steps, or a half or a quarter of them, in\n%s", p.Strategy, all, p)
	}
}

func TestGenerateGatedIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var kinds []model.Kind
		for _, k := range model.Kinds() {
			if rapid.Bool().Draw(t, k.String()) {
				kinds = append(kinds, k)
			}
		}
		if len(kinds) == 0 {
			kinds = nil
		}
		b := model.Bounds{
			MaxProjects: rapid.IntRange(0, 12).Draw(t, "max_projects"), Projects: rapid.IntRange(0, 17).Draw(t, "projects"),
			Sessions: rapid.IntRange(0, 5).Draw(t, "sessions"), Operations: rapid.IntRange(0, 9).Draw(t, "operations"),
			Kinds: kinds, Mode: model.Gated,
		}
		p := model.Generate(&rapidSource{t}, b)
		if err := p.Validate(); err != nil {
			t.Fatalf("%v\n%s", err, p)
		}
		checkRoundTrip(t, p)
		checkSchedule(t, p)
		if p.MaxProjects > max(1, b.MaxProjects) || p.Projects > max(1, b.Projects) || p.Sessions > max(1, b.Sessions) || b.Operations > 0 && len(p.Race) > b.Operations {
			t.Fatalf("over its bounds:\n%s", p)
		}
		for _, o := range p.Ops() {
			if kinds != nil && !slices.Contains(kinds, o.Kind) {
				t.Fatalf("%s, which the service cannot do", o)
			}
		}
	})
}

// TestGenerateGatedCanBeRead looks at many more programs than the other tests: what draws an impossible one in one of
// ten thousand costs a storm a case, and a seed its place.
func TestGenerateGatedCanBeRead(t *testing.T) {
	for s := range uint64(10 * seeds) {
		p := drawnGated(s)
		if err := p.Validate(); err != nil {
			t.Fatalf("seed %d: %v\n%s", s, err, p)
		}
		if _, err := model.Parse(p.String()); err != nil {
			t.Fatalf("seed %d: %v\n%s", s, err, p)
		}
	}
}

// scheduleOf names the way in which the program's schedule was drawn.
func scheduleOf(p model.Program) string {
	preemptions := 0
	for _, in := range p.Schedule {
		if in.Kind == model.Preempt {
			preemptions++
		}
	}
	switch {
	case preemptions > 0:
		return "explicit"
	case p.Strategy.Kind == model.PCT && p.Strategy.Depth == 2:
		return "pct 2"
	case p.Strategy.Kind == model.PCT:
		return "pct 3"
	}
	return p.Strategy.Kind.String()
}

// TestGenerateGatedReaches counts what is drawn: a race can only be found by programs that come up.
func TestGenerateGatedReaches(t *testing.T) {
	got := map[string]int{}
	count := func(what string, is bool) {
		if is {
			got[what]++
		}
	}
	for s := range uint64(seeds) {
		p := drawnGated(s)
		if err := p.Validate(); err != nil {
			t.Fatalf("seed %d: %v\n%s", s, err, p)
		}
		checkSchedule(t, p)
		got["schedule "+scheduleOf(p)]++
		faults := 0
		for _, in := range p.Schedule {
			if in.Kind == model.Fault {
				faults++
			} else {
				got["preempt at "+in.At.Kind.String()]++
			}
		}
		count("faults", faults > 0)
		count("two faults", faults == 2)
		racing := map[int]bool{}
		for _, o := range p.Race {
			racing[o.Session] = true
			got["race "+o.Kind.String()]++
		}
		count("2 or 3 operations race", len(p.Race) == 2 || len(p.Race) == 3)
		count("4 to 6 operations race", len(p.Race) >= 4 && len(p.Race) <= 6)
		count("2 sessions race", len(racing) == 2)
		count("3 sessions race", len(racing) == 3)
		count("one pool", p.MaxProjects == 1)
		count("more projects than pools", p.Projects > p.MaxProjects)
		for what := range pairs(p) {
			got[what]++
		}
	}
	t.Logf("of %d: %v", seeds, got)
	for what, share := range map[string][2]int{ // in percent
		"schedule run-to-block": {3, 8}, "schedule random": {25, 40}, "schedule pct 2": {5, 14}, "schedule pct 3": {5, 14}, "schedule pos": {8, 18}, "schedule explicit": {28, 45},
		"faults": {30, 40}, "two faults": {4, 12},
		"preempt at message": {25, 50}, "preempt at start": {2, 10}, "preempt at connect": {2, 10}, "preempt at acquire": {4, 12}, "preempt at release": {2, 10},
		"2 or 3 operations race": {65, 75}, "4 to 6 operations race": {25, 35}, "2 sessions race": {60, 90}, "3 sessions race": {10, 40}, "one pool": {45, 55}, "more projects than pools": {75, 95},
		"race index": {60, 200}, "race search": {60, 200}, "race drop": {10, 60}, "race hold": {10, 60}, "race release": {2, 60}, "race stats": {3, 30}, "race switch": {4, 40},
		"index beside search of one project": {15, 60}, "search beside search of one project": {12, 60}, "index beside index of one project": {8, 60}, "index beside index of an unknown project": {1, 30},
		"two at once not resident": {8, 60}, "one evicts what another searches": {3, 60}, "drop beside search of one project": {3, 40}, "drop beside index of one project": {2, 40},
		"two shared searches of two projects": {1, 20}, "release beside eviction": {1, 30}, "two on active projects": {1, 20},
	} {
		if n := got[what] * 100; n < share[0]*seeds || n > share[1]*seeds {
			t.Errorf("%s: %d of %d, not %d to %d %%", what, got[what], seeds, share[0], share[1])
		}
	}
}

// pairs says what two operations of different sessions do beside each other.
func pairs(p model.Program) map[string]bool {
	known, resident, found := map[int]bool{}, []int{}, map[string]bool{}
	for _, o := range p.Setup {
		if o.Kind != model.KindIndex || o.Project == model.Active {
			continue
		}
		known[o.Project] = true
		resident = append(slices.DeleteFunc(resident, func(q int) bool { return q == o.Project }), o.Project)
		resident = resident[max(0, len(resident)-p.MaxProjects):]
	}
	for _, a := range p.Race {
		for _, b := range p.Race {
			if a.Session == b.Session {
				continue
			}
			evicts := len(resident) == p.MaxProjects && (a.Kind == model.KindSearch && known[a.Project] || a.Kind == model.KindIndex) && !slices.Contains(resident, a.Project)
			found["release beside eviction"] = found["release beside eviction"] || evicts && b.Kind == model.KindRelease
			if !a.TakesProject() || !b.TakesProject() {
				continue
			}
			if a.Project == model.Active && b.Project == model.Active {
				found["two on active projects"] = true
			}
			if a.Kind == model.KindSearch && b.Kind == model.KindSearch && a.Query == model.QueryShared && b.Query == a.Query && a.Project != b.Project {
				found["two shared searches of two projects"] = true
			}
			if evicts && b.Kind == model.KindSearch && slices.Contains(resident, b.Project) {
				found["one evicts what another searches"] = true
			}
			if a.Project != b.Project || a.Project == model.Active {
				continue
			}
			found[a.Kind.String()+" beside "+b.Kind.String()+" of one project"] = true
			if known[a.Project] && !slices.Contains(resident, a.Project) && a.Kind != model.KindSwitch && b.Kind != model.KindSwitch {
				found["two at once not resident"] = true
			}
			if a.Kind == model.KindIndex && b.Kind == model.KindIndex && !known[a.Project] {
				found["index beside index of an unknown project"] = true
			}
		}
	}
	for what, is := range found {
		if !is {
			delete(found, what)
		}
	}
	return found
}

// TestSmallestGatedDraw: rapid shrinks towards the fewest operations and no schedule.
func TestSmallestGatedDraw(t *testing.T) {
	n := 0
	p := model.Generate(smallest{&n}, gatedBounds())
	want := `program v1
mode gated
max_projects 1
projects 1
sessions 2
race
  #1 s0 index p0 rev=1 files=1
  #2 s1 index p0 rev=2 files=1
`
	if p.String() != want {
		t.Errorf("the smallest draws give\n%s, not\n%s", p, want)
	}
}

func TestEstimatePoints(t *testing.T) {
	for text, want := range map[string]int{
		"program v1\nmode gated": 1,
		"program v1\nmode gated\nsetup\n#1 s0 index p0 rev=1 files=1":                1, // the setup is not scheduled
		"program v1\nmode gated\nrace\n#1 s0 stats\n#2 s0 search p0 own":             5,
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 stats\n#2 s1 search p0 own": 4, // with one session left nothing changes
		"program v1\nmode gated\nrace\n#1 s0 index p0 rev=1 files=1\n#2 s0 drop p0":  17,
	} {
		if got := model.EstimatePoints(parse(t, text)); got != want {
			t.Errorf("%q: %d points, not %d", text, got, want)
		}
	}
	var p model.Program
	for _, k := range model.Kinds() {
		p.Race = []model.Op{{ID: 1, Kind: k}}
		if got := model.EstimatePoints(p); got < 1 {
			t.Errorf("%s: %d points", k, got)
		}
	}
}
