package shrink_test

import (
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

func parse(t *testing.T, text string) model.Program {
	t.Helper()
	p, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLessIsATotalOrder(t *testing.T) {
	var ps []model.Program
	for seed := range 25 {
		p := model.Generate(model.NewSource(uint64(seed)), model.Bounds{MaxProjects: 2, Projects: 2, Sessions: 2})
		p.Setup = p.Setup[:min(3, len(p.Setup))]
		ps = append(ps, p.Without())
	}
	for _, a := range ps {
		for _, b := range ps {
			same := a.String() == b.String()
			if ab, ba := shrink.Less(a, b), shrink.Less(b, a); ab == ba && !same || same && (ab || ba) {
				t.Fatalf("Less = %v, the other way %v, for\n%s%s", ab, ba, a, b)
			}
			for _, c := range ps {
				if shrink.Less(a, b) && shrink.Less(b, c) && !shrink.Less(a, c) {
					t.Fatalf("not transitive:\n%s%s%s", a, b, c)
				}
			}
		}
	}
}

// TestLess lists programs from the simplest on; each differs from the one before it in what its
// comment says.
func TestLess(t *testing.T) {
	ordered := []string{
		"program v1\nsetup\n#1 s0 search p0 own",
		"program v1\nsetup\n#1 s0 search p0 shared",                                                                                   // fields
		"program v1\nsetup\n#1 s0 search own",                                                                                         // on the active project
		"program v1\nsetup\n#1 s0 index p0 rev=1 files=1",                                                                             // verb
		"program v1\nsetup\n#1 s0 index p0 rev=1 files=2",                                                                             // files
		"program v1\nsetup\n#1 s0 index p0 rev=1 files=0",                                                                             // no files
		"program v1\nnames case\nsetup\n#1 s0 search p0 own",                                                                          // names
		"program v1\nmax_projects 2\nsetup\n#1 s0 search p0 own",                                                                      // limit
		"program v1\nsessions 2\nsetup\n#1 s0 search p0 own",                                                                          // sessions
		"program v1\nprojects 2\nsetup\n#1 s0 search p0 own",                                                                          // projects
		"program v1\nprojects 2\nsetup\n#1 s0 search p1 own",                                                                          // not in the order of first use
		"program v1\nmode free\nrace\n#1 s0 search p0 own",                                                                            // in the race
		"program v1\nmode gated\nrace\n#1 s0 search p0 own",                                                                           // gated
		"program v1\nsetup\n#1 s0 search p0 own\n#2 s0 search p0 own",                                                                 // operations
		"program v1\nsetup\n#1 s0 search p0 own\n#2 s0 index p0 rev=1 files=1",                                                        // verb
		"program v1\nsetup\n#1 s0 index p0 rev=1 files=1\n#2 s0 search p0 own",                                                        // order
		"program v1\nsetup\n#1 s0 search p0 own\n#2 s0 stats\nschedule\nfault #1 at message 1 cut",                                    // interventions
		"program v1\nmode gated\nsetup\n#1 s0 search p0 own\n#2 s0 stats\nschedule\nfault #1 at message 1 cut",                        // mode
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\npreempt #1 at start to #2",     // operations
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\npreempt #1 at message 1 to #2", // another kind of point
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\npreempt #1 at message 2 to #2", // a later message
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\npreempt #1 at connect 1 to #2", // another
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\npreempt #2 at start to #1",     // the later one is preempted
		"program v1\nmode gated\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\nschedule\nstrategy random seed=1",        // a strategy
	}
	for i := range ordered[1:] {
		a, b := parse(t, ordered[i]), parse(t, ordered[i+1])
		if !shrink.Less(a, b) || shrink.Less(b, a) {
			t.Errorf("not in order:\n%s\n%s", a, b)
		}
	}
}

func TestEnumerate(t *testing.T) {
	b := shrink.Bounds{Ops: 2, Sessions: 2, Names: []model.NameFamily{model.NamesPlain, model.NamesCase}}
	seen := map[string]bool{}
	var last model.Program
	shrink.Enumerate(b, func(p model.Program) bool {
		text := p.String()
		switch back, err := model.Parse(text); {
		case err != nil || back.String() != text:
			t.Fatalf("not valid: %v\n%s", err, text)
		case seen[text]:
			t.Fatalf("twice:\n%s", text)
		case last.Len() > 0 && !shrink.Less(last, p):
			t.Fatalf("out of order:\n%s%s", last, p)
		}
		seen[text], last = true, p
		return true
	})
	for _, text := range []string{
		"program v1\nsetup\n#1 s0 index p0 rev=1 files=1",
		"program v1\nsessions 2\nsetup\n#1 s0 switch p0\n#2 s1 search own",
		"program v1\nmax_projects 2\nprojects 2\nsetup\n#1 s0 index p0 rev=2 files=1\n#2 s0 hold p0 as h1",
		"program v1\nprojects 2\nnames case\nsetup\n#1 s0 index p0 rev=1 files=1\n#2 s0 drop p1",
	} {
		p := parse(t, text)
		if want := p.UsedProjects(); len(want) == 1 && p.Names == model.NamesPlain {
			p.Projects, p.MaxProjects = 1, 1
		}
		if !seen[p.String()] {
			t.Errorf("missing:\n%s", p)
		}
	}
	t.Logf("%d programs", len(seen))

	n := 0
	shrink.Enumerate(b, func(model.Program) bool { n++; return n < 10 })
	if n != 10 {
		t.Errorf("went on to %d after being told to stop at 10", n)
	}
}

// TestEnumerateLeavesOutDuplicates counts by hand: with one kind, the choices of two searches.
func TestEnumerateLeavesOutDuplicates(t *testing.T) {
	var got []string
	shrink.Enumerate(shrink.Bounds{
		Ops: 2, MinOps: 2, MaxProjects: 1, Projects: 2,
		Kinds: []model.Kind{model.KindDrop, model.KindIndex}, Revisions: 1,
	}, func(p model.Program) bool {
		line := ""
		for _, o := range p.Setup {
			line += o.String() + "; "
		}
		got = append(got, line)
		return true
	})
	want := []string{
		"#1 s0 index p0 rev=1 files=1; #2 s0 index p0 rev=1 files=1; ",
		"#1 s0 index p0 rev=1 files=1; #2 s0 drop p0; ",
		"#1 s0 index p0 rev=1 files=1; #2 s0 index p1 rev=1 files=1; ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
