package shrink_test

import (
	"context"
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

// racing fails where a search in the race is preempted at its second message or later in favour of an
// index of the same project in another session, if that project was indexed before.
func racing(_ context.Context, p model.Program) (shrink.Outcome, error) {
	race := func(id int, k model.Kind) (model.Op, bool) {
		i := slices.IndexFunc(p.Race, func(o model.Op) bool { return o.ID == id && o.Kind == k })
		if i < 0 {
			return model.Op{}, false
		}
		return p.Race[i], true
	}
	for _, in := range p.Schedule {
		from, ok := race(in.At.Op, model.KindSearch)
		to, also := race(in.To, model.KindIndex)
		if !ok || !also || in.Kind != model.Preempt || in.At.Kind != model.AtMessage || in.At.Nth < 2 || from.Project != to.Project || from.Session == to.Session {
			continue
		}
		if slices.ContainsFunc(p.Setup, func(o model.Op) bool { return o.Kind == model.KindIndex && o.Project == from.Project }) {
			return shrink.Outcome{Fingerprint: "search/torn/search", LastOp: from.ID}, nil
		}
	}
	return shrink.Outcome{}, nil
}

func TestSchedules(t *testing.T) {
	start, err := model.Parse(`program v1
mode gated
max_projects 3
projects 4
sessions 4
deadline 9s

setup
  #10 s0 index p3 rev=4 files=3
  #11 s0 switch p1
  #12 s1 index p2 rev=5 files=2
race
  #20 s0 search p1 own
  #21 s1 search p2 shared
  #22 s2 index p2 rev=6 files=2
  #23 s3 stats
  #24 s1 search p2 rev=5
  #25 s2 search p3 own
schedule
  preempt #20 at message 1 to #22
  preempt #21 at message 3 to #23
  preempt #24 at message 5 to #22
  preempt #22 at message 2 to #25
  fault #25 at message 1 cut
`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := shrink.Shrink(context.Background(), start, "search/torn/search", racing, shrink.Options{})
	if err != nil || !r.Complete {
		t.Fatalf("complete=%v: %v", r.Complete, err)
	}
	const want = `program v1
mode gated
max_projects 1
projects 1
sessions 2
deadline 9s

setup
  #1 s0 index p0 rev=1 files=1
race
  #2 s0 search p0 own
  #3 s1 index p0 rev=1 files=1
schedule
  preempt #2 at message 2 to #3
`
	if got := r.Program.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	t.Logf("%d executions", r.Executions)
}

// TestPairOfInterventions drops two interventions of which each needs the other.
func TestPairOfInterventions(t *testing.T) {
	start := model.Program{Mode: model.Gated, MaxProjects: 1, Projects: 1, Sessions: 2, Race: []model.Op{
		{ID: 1, Session: 0, Kind: model.KindStats}, {ID: 2, Session: 1, Kind: model.KindStats},
	}}
	for m := 1; m <= 4; m++ {
		start.Schedule = append(start.Schedule, model.Intervention{At: model.Point{Op: 1 + m%2, Nth: m}, To: 2 - m%2})
	}
	pairs := func(_ context.Context, p model.Program) (shrink.Outcome, error) {
		if n := len(p.Schedule); p.Len() == 2 && n > 0 && n%2 == 0 {
			return shrink.Outcome{Fingerprint: "x/y/z"}, nil
		}
		return shrink.Outcome{}, nil
	}
	r, err := shrink.Shrink(context.Background(), start, "x/y/z", pairs, shrink.Options{})
	if err != nil || len(r.Program.Schedule) != 2 {
		t.Errorf("error %v, ended in\n%s", err, r.Program)
	}
	for _, in := range r.Program.Schedule {
		if in.At.Nth != 1 {
			t.Errorf("%s: not moved to the first message", in)
		}
	}
}

// TestRaceMovesToSetup: what need not run beside others does not.
func TestRaceMovesToSetup(t *testing.T) {
	start := model.Program{Mode: model.Free, MaxProjects: 1, Projects: 1, Sessions: 2, Race: []model.Op{
		{ID: 1, Session: 0, Kind: model.KindIndex, Revision: 1, Files: 1},
		{ID: 2, Session: 1, Kind: model.KindSearch},
		{ID: 3, Session: 0, Kind: model.KindSearch},
	}}
	// It fails while a search in the race has an operation of another session beside it.
	beside := func(_ context.Context, p model.Program) (shrink.Outcome, error) {
		if p.Len() == 3 && slices.ContainsFunc(p.Race, func(o model.Op) bool {
			return o.Kind == model.KindSearch && slices.ContainsFunc(p.Race, func(x model.Op) bool { return x.Session != o.Session })
		}) {
			return shrink.Outcome{Fingerprint: "x/y/z"}, nil
		}
		return shrink.Outcome{}, nil
	}
	r, err := shrink.Shrink(context.Background(), start, "x/y/z", beside, shrink.Options{})
	if err != nil || len(r.Program.Setup) != 1 || len(r.Program.Race) != 2 {
		t.Errorf("error %v, ended in\n%s", err, r.Program)
	}
}

// staleRead fails where a search is preempted at its last message in favour of an index of the same project in
// another session. A search whose project's pool the setup has evicted sends one message more.
func staleRead(_ context.Context, p model.Program) (shrink.Outcome, error) {
	out := shrink.Outcome{Gated: p.Mode == model.Gated, Realised: p.Schedule}
	resident := -1
	for _, o := range p.Setup {
		if o.Kind == model.KindIndex {
			resident = o.Project
		}
	}
	for _, o := range p.Race {
		messages := 1
		if o.Kind == model.KindSearch && o.Project != resident {
			messages = 2
		}
		for nth := range messages {
			out.Points = append(out.Points, model.Point{Op: o.ID, Kind: model.AtMessage, Nth: nth + 1})
		}
		for _, in := range p.Schedule {
			i := slices.IndexFunc(p.Race, func(to model.Op) bool {
				return to.ID == in.To && to.Kind == model.KindIndex && to.Project == o.Project && to.Session != o.Session
			})
			if o.Kind == model.KindSearch && in.At == (model.Point{Op: o.ID, Kind: model.AtMessage, Nth: messages}) && i >= 0 && len(p.Setup) > 0 {
				out.Fingerprint, out.LastOp = "search/stale/search", p.Race[i].ID
			}
		}
	}
	return out, nil
}

// TestAnchorsShift: without the eviction the search comes to the same place by a smaller number.
func TestAnchorsShift(t *testing.T) {
	start := parse(t, `program v1
mode gated
max_projects 1
projects 2
sessions 2
setup
  #1 s0 index p0 rev=1 files=1
  #2 s0 index p1 rev=1 files=1
race
  #3 s0 search p0 own
  #4 s1 index p0 rev=1 files=1
schedule
  preempt #3 at message 2 to #4
`)
	r, err := shrink.Shrink(context.Background(), start, "search/stale/search", staleRead, shrink.Options{})
	if err != nil || !r.Complete || r.Program.Len() != 3 || len(r.Program.Schedule) != 1 || r.Program.Schedule[0].At.Nth != 1 {
		t.Fatalf("complete=%v, error=%v\n%s", r.Complete, err, r.Program)
	}
	for _, c := range r.Passes {
		if c.Name == "chunks" && c.Accepted == 0 {
			t.Errorf("found by another pass: %+v", r.Passes)
		}
	}
}
