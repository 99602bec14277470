package model_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

// trace is a case as lines, for a failure's report.
type trace struct{ strings.Builder }

func (t *trace) add(o model.Op, r model.Response) {
	t.WriteString(o.String())
	t.WriteString("  →  ")
	switch {
	case r.Status == model.StatusError:
		t.WriteString(string(r.Error))
	case r.Status != model.StatusOK:
		t.WriteString(statusWords[r.Status])
	case r.Stats != nil:
		t.WriteString("stats")
	default:
		t.WriteString("ok")
	}
	for _, m := range r.Matches {
		t.WriteString(" " + m.Path)
		for _, c := range model.FindCanaries(m.Content) {
			t.WriteString(" " + c.String())
		}
	}
	t.WriteString("\n")
}

var statusWords = map[model.Status]string{
	model.StatusUnknown: "unknown", model.StatusSkipped: "skipped", model.StatusHung: "hung",
	model.StatusPanicked: "panicked", model.StatusUnset: "unset",
}

// TestNoFalseAccusation: whatever a correct service answers is right. Of all the promises this is the
// first one.
func TestNoFalseAccusation(t *testing.T) {
	ops := 0
	for seed := range oracleSeeds() {
		p := drawn(seed)
		ref, state, tr := newReference(p), model.NewState(p), &trace{}
		ref.chunks = 1 + int(seed%3)
		for _, o := range p.Ops() {
			r := ref.do(o)
			tr.add(o, r)
			if m := state.Step(o, r); m != nil {
				t.Fatalf("seed %d: accused of %s: expected %s; got %s\n%s%s", seed, fingerprint(m), m.Want, m.Got, p, tr)
			}
			ops++
		}
		if !state.Exact() || !state.Judged() {
			t.Fatalf("seed %d: the oracle lost track without a reason\n%s", seed, tr)
		}
		audit(t, ref, state, p, tr)
	}
	t.Logf("%d operations", ops)
}

func TestNoFalseAccusationRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := model.Generate(&rapidSource{t}, model.DefaultBounds())
		ref, state, tr := newReference(p), model.NewState(p), &trace{}
		for _, o := range p.Ops() {
			r := ref.do(o)
			tr.add(o, r)
			if m := state.Step(o, r); m != nil {
				t.Fatalf("accused of %s\n%s", fingerprint(m), tr)
			}
		}
	})
}

// TestNothingUnknownIsAccused: an operation whose answer was lost may have happened, or not, or half.
// Whichever way it went, no later answer of a correct service is wrong.
func TestNothingUnknownIsAccused(t *testing.T) {
	ops, lost := 0, map[string]int{}
	for seed := range oracleSeeds() {
		p := drawn(seed)
		ref, state, tr := newReference(p), model.NewState(p), &trace{}
		ref.chunks = 1 + int(seed%3)
		r := rand.New(rand.NewPCG(seed, 1))
		ref.anomaly = func(string) int {
			if r.IntN(8) != 0 {
				return 0
			}
			return 1 + r.IntN(4)
		}
		for _, o := range p.Ops() {
			r := ref.do(o)
			tr.add(o, r)
			if r.Status == model.StatusUnknown {
				lost[o.Kind.String()]++
			}
			if m := state.Step(o, r); m != nil {
				t.Fatalf("seed %d: accused of %s: expected %s; got %s\n%s%s", seed, fingerprint(m), m.Want, m.Got, p, tr)
			}
			if r.Status == model.StatusUnknown && state.Exact() {
				t.Fatalf("seed %d: exact after an unknown outcome", seed)
			}
			ops++
		}
		ref.anomaly = nil
		audit(t, ref, state, p, tr)
	}
	t.Logf("%d operations, unknown: %v", ops, lost)
	for _, k := range model.Kinds() {
		if k != model.KindRestart && k != model.KindCancel && lost[k.String()] < 20 {
			t.Errorf("%s lost its answer %d times", k, lost[k.String()])
		}
	}
}

// audit asks what is stored at the end, as from outside the service: nothing is touched.
func audit(t *testing.T, ref *reference, state *model.State, p model.Program, tr *trace) {
	t.Helper()
	before := state.Resident()
	for i := range p.Projects {
		for _, o := range []model.Op{
			{Kind: model.KindSearch, Project: i},
			{Kind: model.KindSearch, Project: i, Query: model.QueryShared},
			{Kind: model.KindSearch, Project: i, Query: model.QueryForeign, Foreign: (i + 1) % p.Projects},
			{Kind: model.KindSearch, Project: i, Query: model.QueryRevision, Revision: 1},
		} {
			r := failed(model.ErrUnknownProject)
			if ref.stored[i] != nil {
				r = ref.search(i, o.QueryText(i), "", 10)
			}
			if m := state.CheckSearch(i, o, r); m != nil {
				t.Fatalf("at the end, %s: accused of %s: expected %s; got %s\n%s", o, fingerprint(m), m.Want, m.Got, tr)
			}
		}
	}
	if d := cmp.Diff(before, state.Resident()); d != "" {
		t.Fatalf("a look from outside touched: %s", d)
	}
}

// TestCloneIsIndependent: stepping a copy leaves the original as it was.
func TestCloneIsIndependent(t *testing.T) {
	for seed := range uint64(200) {
		p := drawn(seed)
		ref, state := newReference(p), model.NewState(p)
		ops := p.Ops()
		for _, o := range ops[:len(ops)/2] {
			state.Step(o, ref.do(o))
		}
		clone, again := state.Clone(), state.Clone()
		var responses []model.Response
		for _, o := range ops[len(ops)/2:] {
			responses = append(responses, ref.do(o))
		}
		rest := func(s *model.State) (ms []string) {
			for i, o := range ops[len(ops)/2:] {
				ms = append(ms, fingerprint(s.Step(o, responses[i])))
			}
			return ms
		}
		for _, o := range ops { // every way to change a state: unknown outcomes of everything
			clone.Step(o, unknown)
		}
		first := rest(state)
		if d := cmp.Diff(first, rest(again)); d != "" {
			t.Fatalf("seed %d: a copy and its original judge differently:\n%s", seed, d)
		}
		for i, f := range first {
			if f != "" {
				t.Fatalf("seed %d: the original was changed through its copy: %s at %d", seed, f, i)
			}
		}
	}
}
