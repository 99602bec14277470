package hunt_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// racy stands for a service in which an index and a search of p1 must meet: run free they now and then do,
// under the gate where a drawn schedule stops the search at its second message.
type racy struct {
	free  int // executions so far, run free; every third fails
	gated []model.Program
	well  bool // it does not fail, run free
	never bool // no schedule shows it
	fluke bool // what a schedule shows it does not show again
}

const met = "search/stale/search"

func (r *racy) Do(_ context.Context, c worker.Case) (worker.Outcome, error) {
	p, err := model.Parse(c.Program)
	if err != nil {
		return worker.Outcome{}, err
	}
	out := worker.Outcome{Verdict: check.Verdict{Status: check.Pass}}
	fail := func(kind string, op int) {
		v := check.Violation{Invariant: "search", Kind: kind, Verb: "search", Op: op}
		out.Verdict = check.Verdict{Status: check.Fail, Results: []check.Result{{Invariant: "search", Status: check.Fail, Violations: []check.Violation{v}}}}
	}
	if p.Mode == model.Free {
		// Each overlaps the next.
		for i, o := range p.Race {
			start := time.Duration(i) * time.Second
			out.History.Entries = append(out.History.Entries, history.Entry{Op: o, Start: start, End: start + 1500*time.Millisecond})
		}
		if r.free++; r.free%3 == 0 && !r.well {
			fail("stale", 5)
		}
		return out, nil
	}
	r.gated = append(r.gated, p)
	writer, reader := 0, 0 // those that must meet
	for _, o := range p.Race {
		switch {
		case o.Kind == model.KindIndex && o.Project == 1:
			writer = o.ID
		case o.Kind == model.KindSearch && o.Project == 1 && o.Session == 0:
			reader = o.ID
		}
	}
	in := model.Intervention{At: model.Point{Op: reader, Nth: 2}, To: writer}
	out.History.Steps = make([]history.Step, 7)
	switch drawn := p.Strategy.Kind == model.PCT && p.Strategy.Seed%5 == 3; {
	case writer == 0 || reader == 0 || r.never:
	case drawn:
		out.History.Realised = []model.Intervention{in}
		fail("stale", reader)
	case slices.Equal(p.Schedule, []model.Intervention{in}) && !r.fluke:
		fail("stale", reader)
	case p.Strategy.Kind == model.RandomWalk:
		fail("torn", reader) // another fault
	}
	return out, nil
}

const racyText = `program v1
mode free
projects 3
sessions 3

setup
  #1 s0 index p1 rev=1 files=1
race
  #2 s0 index p0 rev=1 files=1
  #3 s2 search p2 own
  #4 s1 index p1 rev=2 files=1
  #5 s0 search p1 own
  #6 s2 search p0 own
  #7 s1 search p1 own
`

func parsed(t *testing.T, text string) model.Program {
	t.Helper()
	p, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestToGate: what fails now and then is made to fail every time, by a race of what mattered.
func TestToGate(t *testing.T) {
	service := &racy{}
	got, err := hunt.ToGate(t.Context(), parsed(t, racyText), met, hunt.GateOptions{Runner: service, Executions: 500})
	if err != nil || !got.Found {
		t.Fatalf("%+v, %v", got, err)
	}
	want := parsed(t, `program v1
mode gated
projects 3
sessions 3

setup
  #1 s0 index p1 rev=1 files=1
  #2 s0 index p0 rev=1 files=1
  #3 s2 search p2 own
  #4 s2 search p0 own
race
  #5 s1 index p1 rev=2 files=1
  #6 s0 search p1 own
schedule
  preempt #6 at message 2 to #5
`)
	if diff := cmp.Diff(want.String(), got.Program.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Free != 3 || got.Racing != 2 || got.Executions != service.free+len(service.gated) {
		t.Errorf("%+v", got)
	}
	for i, p := range service.gated {
		if first := i < got.Windows; first != (p.Strategy == model.Strategy{}) && len(p.Schedule) == 0 {
			t.Errorf("execution %d: %s", i, p.Strategy)
		}
	}
}

// TestToGateInVain ends when its executions are spent, claims nothing, and takes no fluke and no other
// fault for what it looks for.
func TestToGateInVain(t *testing.T) {
	for name, service := range map[string]*racy{"no schedule": {never: true}, "only once": {fluke: true}} {
		got, err := hunt.ToGate(t.Context(), parsed(t, racyText), met, hunt.GateOptions{Runner: service, Executions: 100})
		if err != nil || got.Found || got.Program.Len() > 0 || got.Executions < 100 || got.Executions > 101 || got.Windows < 3 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestToGateOfWhatDoesNotFailAgain goes by the times that were kept with the repro.
func TestToGateOfWhatDoesNotFailAgain(t *testing.T) {
	p := parsed(t, racyText)
	var spans []repro.Span
	for i, o := range p.Race {
		spans = append(spans, repro.Span{Op: o.ID, Start: time.Duration(i) * time.Second, End: time.Duration(i+1) * time.Second})
	}
	healthy := &racy{well: true}
	got, err := hunt.ToGate(t.Context(), p, met, hunt.GateOptions{Runner: healthy, Executions: 500, Spans: spans})
	if err != nil || !got.Found {
		t.Errorf("%+v, %v", got, err)
	}
	// Nothing known: all may race.
	got, err = hunt.ToGate(t.Context(), p, met, hunt.GateOptions{Runner: &racy{well: true}, Executions: 500})
	if err != nil || !got.Found || got.Windows != 1 || len(got.Program.Race) != 6 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestToGateInterrupted ends at once, with nothing claimed.
func TestToGateInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	service := &racy{never: true}
	got, err := hunt.ToGate(ctx, parsed(t, racyText), met, hunt.GateOptions{
		Runner: service, Budget: time.Hour, Progress: func(p hunt.Progress) {
			if p.Candidates == 20 {
				cancel()
			}
		},
	})
	if err != nil || got.Found || got.Executions != 20 {
		t.Errorf("%+v, %v", got, err)
	}
}
