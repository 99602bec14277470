package shrink_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

func drawGated(seed int) model.Program {
	b := model.DefaultBounds()
	b.Mode = model.Gated
	return model.Generate(model.NewSource(model.CaseSeed(2, seed)), b)
}

// failingRaces draws gated programs until n fail with the fingerprint.
func failingRaces(t *testing.T, n int, fingerprint string, races ...race) []model.Program {
	t.Helper()
	var found []model.Program
	for seed := 0; len(found) < n; seed++ {
		if seed > 400_000 {
			t.Fatalf("%v: %s in %d of %d programs", races, fingerprint, len(found), seed)
		}
		if p := drawGated(seed); judgeGated(p, races...).Fingerprint == fingerprint {
			found = append(found, p)
		}
	}
	return found
}

// TestFakeGateIsCorrectWithoutRaces, and what a strategy did is done again by its realised schedule.
func TestFakeGateIsCorrectWithoutRaces(t *testing.T) {
	for seed := range 3000 {
		p := drawGated(seed)
		out := judgeGated(p)
		if out.Fingerprint != "" {
			t.Fatalf("%s\n%s", out.Fingerprint, p)
		}
		q := p.Clone()
		q.Strategy, q.Schedule = model.Strategy{}, out.Realised
		if again := judgeGated(q); !slices.Equal(again.Points, out.Points) || !slices.Equal(again.Realised, out.Realised) {
			t.Fatalf("realised %v, then %v\n%v, then\n%v\n%s", out.Realised, again.Realised, out.Points, again.Points, p)
		}
	}
}

// races and the smallest program of each.
var allRaces = []struct {
	race                       race
	fingerprint                string
	operations, preempts, cuts int
}{
	{dupCreate, "leak/pools/audit", 2, 1, 0},
	{deleteThenInsert, "search/missing/search", 3, 1, 0},
	{stagedRead, "search/torn/search", 3, 2, 0},
	{leaderCancel, "errors/unexplained-cancelled/index", 2, 1, 1},
}

func interventions(p model.Program) (preempts, faults int) {
	for _, in := range p.Schedule {
		if in.Kind == model.Preempt {
			preempts++
		} else {
			faults++
		}
	}
	return preempts, faults
}

func checkRaces(t *testing.T, fingerprint string, starts []model.Program, races ...race) map[string]model.Program {
	t.Helper()
	finals, executions := map[string]model.Program{}, []int{}
	for _, p := range starts {
		r, err := shrink.Shrink(context.Background(), p, fingerprint, runGated(races...), shrink.Options{})
		if err != nil || !r.Complete {
			t.Fatalf("complete=%v, stopped=%v, error=%v", r.Complete, r.Stopped, err)
		}
		if got := judgeGated(r.Program, races...).Fingerprint; got != fingerprint {
			t.Fatalf("slipped from %s to %q:\n%s\n%s", fingerprint, got, p, r.Program)
		}
		finals[r.Program.String()] = r.Program
		executions = append(executions, r.Executions)
	}
	slices.Sort(executions)
	t.Logf("%v, %s: %d programs end in %d; executions: p50 %d, most %d", races, fingerprint, len(starts), len(finals), executions[len(executions)/2], executions[len(executions)-1])
	return finals
}

// TestRacesShrinkToTheMinimum: every program that shows a race ends in the same one, of the fewest
// operations and preemptions there are.
func TestRacesShrinkToTheMinimum(t *testing.T) {
	for _, c := range allRaces {
		t.Run(string(c.race), func(t *testing.T) {
			t.Parallel()
			finals := checkRaces(t, c.fingerprint, failingRaces(t, 100, c.fingerprint, c.race), c.race)
			for text, p := range finals {
				preempts, faults := interventions(p)
				if p.Len() != c.operations || preempts != c.preempts || faults != c.cuts || p.Strategy != (model.Strategy{}) || len(finals) > 1 {
					t.Errorf("%d programs, one of them with %d operations, %d preemptions, %d faults:\n%s", len(finals), p.Len(), preempts, faults, text)
				}
			}
		})
	}
}

// TestTwoRacesDoNotSlip: of two mistakes in one service each shrinks to its own minimum.
func TestTwoRacesDoNotSlip(t *testing.T) {
	for _, c := range allRaces[1:] { // a pool that is made twice is never waited for
		other := allRaces[1+(slices.Index(allRaces, c))%3]
		for _, p := range checkRaces(t, c.fingerprint, failingRaces(t, 30, c.fingerprint, c.race, other.race), c.race, other.race) {
			if preempts, faults := interventions(p); p.Len() != c.operations || preempts != c.preempts || faults != c.cuts {
				t.Errorf("%s beside %s ends in\n%s", c.race, other.race, p)
			}
		}
	}
}

// startOf returns a program that shows a race under a strategy, and nothing else.
func startOf(t *testing.T, i int) model.Program {
	t.Helper()
	c := allRaces[i]
	for _, p := range failingRaces(t, 50, c.fingerprint, c.race) {
		if p.Strategy != (model.Strategy{}) && len(p.Schedule) == 0 {
			return p
		}
	}
	t.Fatal("none of 50 has a strategy")
	return model.Program{}
}

// TestStrategyIsWrittenDown before anything else happens: of what is interrupted the explicit schedule is left.
func TestStrategyIsWrittenDown(t *testing.T) {
	for i, c := range allRaces[:3] {
		p := startOf(t, i)
		r, err := shrink.Shrink(context.Background(), p, c.fingerprint, runGated(c.race), shrink.Options{MaxExecutions: 2})
		if err != nil || !errors.Is(r.Stopped, shrink.ErrLimit) {
			t.Fatalf("stopped=%v, error=%v", r.Stopped, err)
		}
		want := p.Renumber()
		want.Schedule, want.Strategy = judgeGated(want, c.race).Realised, model.Strategy{}
		if r.Program.String() != want.String() {
			t.Errorf("after two executions\n%s\nnot\n%s", r.Program, want)
		}
	}
}

// TestStrategyStays where the schedule that it made does not fail: the program is shrunk all the same.
func TestStrategyStays(t *testing.T) {
	p := startOf(t, 1)
	p.Schedule = nil
	run := func(_ context.Context, q model.Program) (shrink.Outcome, error) {
		out := judgeGated(q, deleteThenInsert)
		if out.Fingerprint = ""; q.Strategy == p.Strategy && len(q.Race) >= 2 {
			out.Fingerprint = "x/y/z"
		}
		return out, nil
	}
	r, err := shrink.Shrink(context.Background(), p, "x/y/z", run, shrink.Options{})
	if err != nil || !r.Complete || r.Program.Strategy != p.Strategy || r.Program.Len() != 2 {
		t.Errorf("complete=%v, error=%v\n%s", r.Complete, err, r.Program)
	}
}

// TestSearchLeavesTheBestSoFar: a limit that falls within the search of schedules ends it.
func TestSearchLeavesTheBestSoFar(t *testing.T) {
	c := allRaces[2]
	p := startOf(t, 2)
	whole, err := shrink.Shrink(context.Background(), p, c.fingerprint, runGated(c.race), shrink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	searched := whole.Passes[slices.IndexFunc(whole.Passes, func(n shrink.PassCount) bool { return n.Name == "schedules" })]
	if searched.Executions == 0 {
		t.Fatal("nothing was searched")
	}
	for limit := whole.Executions - searched.Executions; limit < whole.Executions; limit += 1 + searched.Executions/10 {
		r, err := shrink.Shrink(context.Background(), p, c.fingerprint, runGated(c.race), shrink.Options{MaxExecutions: limit})
		if err != nil || r.Complete || !errors.Is(r.Stopped, shrink.ErrLimit) || r.Executions != limit {
			t.Errorf("limit %d: %d executions, complete=%v, stopped=%v, error=%v", limit, r.Executions, r.Complete, r.Stopped, err)
		}
		if judgeGated(r.Program, c.race).Fingerprint != c.fingerprint {
			t.Errorf("limit %d: does not fail:\n%s", limit, r.Program)
		}
	}
}

// TestGatedCandidatesRunOnce, and are valid.
func TestGatedCandidatesRunOnce(t *testing.T) {
	for i, c := range allRaces[:3] {
		seen := map[string]bool{}
		run := func(_ context.Context, q model.Program) (shrink.Outcome, error) {
			text := q.String()
			if back, err := model.Parse(text); err != nil || back.String() != text {
				t.Errorf("not valid: %v\n%s", err, text)
			}
			if seen[text] {
				t.Errorf("run twice:\n%s", text)
			}
			seen[text] = true
			return judgeGated(q, c.race), nil
		}
		if _, err := shrink.Shrink(context.Background(), startOf(t, i), c.fingerprint, run, shrink.Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNotARace: what fails without a gate is no race, and is not reported as one.
func TestNotARace(t *testing.T) {
	start := parse(t, `program v1
mode gated
max_projects 1
projects 2
sessions 2
setup
  #1 s0 index p0 rev=1 files=1
race
  #2 s0 search p0 shared limit=1
  #3 s1 search p0 foreign=p1
schedule
  strategy pct depth=2 steps=8 seed=5
  preempt #3 at message 1 to #2
`)
	run := func(_ context.Context, p model.Program) (shrink.Outcome, error) {
		out := judgeGated(p)
		if len(p.UsedProjects()) > 1 && p.Len() > 1 {
			out.Fingerprint = "x/y/z"
		}
		return out, nil
	}
	r, err := shrink.Shrink(context.Background(), start, "x/y/z", run, shrink.Options{})
	if err != nil || !r.Complete || r.Program.Mode != model.Sequential || len(r.Program.Race)+len(r.Program.Schedule) > 0 || r.Program.Len() != 2 {
		t.Errorf("complete=%v, error=%v\n%s", r.Complete, err, r.Program)
	}
}

// lostPermit runs indexes of a service in which one that is cancelled while it waits for its connection breaks
// what comes after. Where its project is not known it comes to two other acquires, for the project's pool, first.
func lostPermit(_ context.Context, p model.Program) (shrink.Outcome, error) {
	out := shrink.Outcome{Gated: p.Mode == model.Gated}
	known := map[int]bool{}
	for _, o := range p.Setup {
		known[o.Project] = known[o.Project] || o.Kind == model.KindIndex
	}
	lost := false
	for _, o := range p.Race {
		if o.Kind != model.KindIndex || p.Mode != model.Gated {
			continue
		}
		if lost {
			out.Fingerprint, out.LastOp = "progress/hang/index", o.ID
		}
		acquires := 1
		if !known[o.Project] {
			acquires = 3
		}
		known[o.Project] = true
		out.Points = append(out.Points, model.Point{Op: o.ID, Kind: model.AtStart, Nth: 1})
		for n := range acquires {
			at := model.Point{Op: o.ID, Kind: model.AtAcquire, Nth: n + 1}
			out.Points = append(out.Points, at)
			for _, in := range p.Schedule {
				if in.Kind == model.Fault && in.At == at {
					out.Realised = append(out.Realised, in)
					lost = lost || n+1 == acquires
				}
			}
		}
	}
	return out, nil
}

// TestCancelsMove: without its setup an operation comes to what it is cancelled at by another number.
func TestCancelsMove(t *testing.T) {
	start := parse(t, `program v1
mode gated
max_projects 1
projects 1
sessions 1
setup
  #1 s0 index p0 rev=1 files=1
race
  #2 s0 index p0 rev=1 files=1
  #3 s0 index p0 rev=1 files=1
schedule
  fault #2 at acquire 1 cancel
`)
	r, err := shrink.Shrink(context.Background(), start, "progress/hang/index", lostPermit, shrink.Options{})
	if err != nil || !r.Complete {
		t.Fatalf("complete=%v, error=%v", r.Complete, err)
	}
	want := parse(t, `program v1
mode gated
max_projects 1
projects 1
sessions 1
race
  #1 s0 index p0 rev=1 files=1
  #2 s0 index p0 rev=1 files=1
schedule
  fault #1 at acquire 3 cancel
`)
	if r.Program.String() != want.String() {
		t.Errorf("ends in\n%s", r.Program)
	}
}

// TestSearchEnds where there is no preemption that could be one fewer.
func TestSearchEnds(t *testing.T) {
	start := parse(t, `program v1
mode gated
max_projects 1
projects 1
sessions 2
race
  #1 s0 index p0 rev=1 files=1
  #2 s1 search p0 own
schedule
  fault #1 at acquire 1 cancel
`)
	run := func(_ context.Context, p model.Program) (shrink.Outcome, error) {
		out := shrink.Outcome{Gated: p.Mode == model.Gated, Realised: p.Schedule}
		for _, o := range p.Race {
			out.Points = append(out.Points, model.Point{Op: o.ID, Kind: model.AtStart, Nth: 1})
		}
		if len(p.Race) == 2 && p.Race[0].Session != p.Race[1].Session && len(p.Schedule) == 1 {
			out.Fingerprint = "x/y/z"
		}
		return out, nil
	}
	r, err := shrink.Shrink(context.Background(), start, "x/y/z", run, shrink.Options{})
	if err != nil || !r.Complete || r.Program.Len() != 2 {
		t.Errorf("complete=%v, error=%v\n%s", r.Complete, err, r.Program)
	}
}
