package props

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// property is what one test checks: which programs, and which families of invariants they are about.
// A violation of another family fails the test, too: it is never kept quiet.
type property struct {
	bounds   func(*model.Bounds)
	families []string
	each     func(model.Program, worker.Outcome) // told of every case; nil: nobody is
}

func all(except ...model.Kind) []model.Kind {
	return slices.DeleteFunc(model.Kinds(), func(k model.Kind) bool { return slices.Contains(except, k) })
}

// TestIsolation: no session ever sees another project's bytes, whatever the projects are called and
// whoever switches where.
func TestIsolation(t *testing.T) {
	property{
		bounds: func(b *model.Bounds) {
			b.Kinds = all(model.KindHold, model.KindRelease, model.KindCancel)
			b.MaxProjects, b.Projects = 5, 8
		},
		families: []string{"isolation"},
	}.check(t)
}

// TestLRU: never more pools than MAX_PROJECTS, evicted in strict LRU order, leases and all.
func TestLRU(t *testing.T) {
	property{
		bounds:   func(b *model.Bounds) { b.Kinds = all(model.KindCancel) },
		families: []string{"lru"},
	}.check(t)
}

// TestFreshness: what was indexed is found, whole, in its newest revision, and nothing else.
func TestFreshness(t *testing.T) {
	property{
		bounds: func(b *model.Bounds) {
			b.Kinds = all(model.KindHold, model.KindRelease)
			b.MaxProjects, b.Projects = 3, 4
		},
		families: []string{"search"},
	}.check(t)
}

// TestAccounting: every counter is what the operations make it, and no operation fails unexplained.
func TestAccounting(t *testing.T) {
	property{
		bounds: func(b *model.Bounds) {
			b.Kinds = all(model.KindCancel)
			b.MaxProjects, b.Projects = 4, 9
		},
		families: []string{"accounting", "errors"},
	}.check(t)
}

// TestNoLeaks: after a case no connection, goroutine, lease or evicted pool is left, and nothing hangs.
func TestNoLeaks(t *testing.T) {
	property{
		bounds:   func(b *model.Bounds) { b.MaxProjects, b.Projects = 3, 8 },
		families: []string{"leak", "progress", "panic"},
	}.check(t)
}

// TestLinearizability: with all sessions at once, what each project's operations saw is what some order
// of them, one at a time, would have shown; and so are the pools.
func TestLinearizability(t *testing.T) {
	property{
		bounds: func(b *model.Bounds) {
			b.Mode = model.Free
			b.MaxProjects, b.Projects, b.Sessions = 3, 5, 6
		},
		families: []string{"search", "isolation", "lru"},
	}.check(t)
}

// TestInterleavings: whatever the order in which the messages of several sessions reach PostgreSQL, and
// wherever an operation is cancelled, every invariant holds.
func TestInterleavings(t *testing.T) {
	property{
		bounds:   func(b *model.Bounds) { b.Mode = model.Gated },
		families: []string{"search", "isolation", "errors"},
	}.check(t)
}

// TestLatencyBounds: 95 of 100 searches answer within half a second while every session works. That is
// a bound for users of the service, far above what it takes here, so a slow machine does not break it.
func TestLatencyBounds(t *testing.T) {
	latency := check.NewLatency()
	property{
		bounds: func(b *model.Bounds) {
			b.Mode = model.Free
			b.Kinds = []model.Kind{model.KindIndex, model.KindSearch}
		},
		families: []string{"search"},
		each:     func(p model.Program, out worker.Outcome) { latency.Add(p.Mode, out.History) },
	}.check(t)
	r := latency.Judge(check.LatencyBound)
	t.Logf("%s: %s", r.Status, r.Note)
	if r.Status == check.Fail {
		t.Error(r.Violations[0].Sentence)
	}
	if r.Status != check.Pass && !testing.Short() {
		t.Errorf("latency: %s", r.Note)
	}
}

// caseTime is how long one case may take, everything included, before the test gives up on it.
const caseTime = 5 * time.Minute

func (p property) check(t *testing.T) {
	t.Parallel()
	bounds := model.DefaultBounds()
	p.bounds(&bounds)
	var first *hunt.Finding // what failed first: rapid runs it again, and must see it fail again
	checked := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		prog := model.Generate(rapidSource{rt}, bounds)
		if first == nil {
			first = p.run(t, prog, checked)
		}
		if first != nil {
			rt.Fatalf("%s", first.Fingerprint) // one line for all: rapid knows failures by their place
		}
	})
	for _, family := range p.families {
		if checked[family] == 0 {
			t.Errorf("%s was never checked: inconclusive", family)
		}
	}
}

// run executes one program and returns what it found, if anything.
func (p property) run(t *testing.T, prog model.Program, checked map[string]int) *hunt.Finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), caseTime)
	defer cancel()
	out, err := clean.Do(ctx, worker.Case{Program: prog.String()})
	if err != nil {
		t.Fatalf("the case could not be run: %v", err)
	}
	if p.each != nil {
		p.each(prog, out)
	}
	for _, r := range out.Verdict.Results {
		checked[r.Invariant] += r.Checked
	}
	if v := out.Verdict.First(); v != nil {
		return pursue(ctx, t, prog, *v)
	}
	return nil
}

// pursue shrinks a failing program and tells the user everything: the smallest program, what is wrong
// in a sentence, where the repro is and how to replay it.
func pursue(ctx context.Context, t *testing.T, prog model.Program, v check.Violation) *hunt.Finding {
	t.Helper()
	out := filepath.Join("testdata", "findings")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	f, confirmed, err := hunt.Pursue(ctx, hunt.Options{
		Runner: clean, ShrinkBudget: time.Minute, Out: out, Meta: repro.Meta{Target: "codesearch"},
	}, prog, v)
	if err != nil {
		t.Errorf("shrink %s: %v", v.Fingerprint(), err)
	}
	if !confirmed {
		t.Errorf("%s showed once and not again on fresh databases:\n%s\n%s", v.Fingerprint(), v.Sentence, prog)
		return &f
	}
	t.Errorf("%s\n\n%s\n\n%s\nreproduced %d of %d; replay: go run ./cmd/tenantstorm replay props/%s",
		f.Fingerprint, f.Violation.Sentence, f.Program, f.Reproduced, f.Trials, f.Repro)
	return &f
}
