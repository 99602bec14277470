package hunt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// died is a case whose worker did not survive its last operation.
func died(kind string, p model.Program) worker.Outcome {
	d := &worker.Death{Kind: kind, Crash: "panic: boom"}
	for _, o := range p.Ops() {
		d.Op, d.Verb = o.ID, o.Kind.String()
		d.History.Entries = append(d.History.Entries, history.Entry{Op: o, Response: model.Response{Status: model.StatusUnknown}})
	}
	return worker.Outcome{Verdict: worker.JudgeDeath(d), History: d.History, Died: d}
}

// TestKilledWorkers: what was killed from outside says nothing of the service.
func TestKilledWorkers(t *testing.T) {
	f := &fake{instead: func(_ context.Context, n int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
		return died(worker.Killed, p), nil, n%4 == 0
	}}
	s := hunted(t, hunt.Options{Runner: f, MaxCases: 40})
	if s.Unknown != 10 || len(s.Findings)+len(s.Unconfirmed) > 0 || s.Verdict == check.Fail {
		t.Errorf("%+v", s)
	}
	f.instead = func(_ context.Context, _ int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
		return died(worker.Killed, p), nil, true
	}
	if s := hunted(t, hunt.Options{Runner: f, MaxCases: 5}); s.Verdict != check.Inconclusive || s.Unknown != 5 {
		t.Errorf("every worker was killed: %s, %d unknown", s.Verdict, s.Unknown)
	}
}

// TestPastTheGate: of a case whose service dialled by itself nothing is said, but why is.
func TestPastTheGate(t *testing.T) {
	f := &fake{instead: func(_ context.Context, n int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
		h := run(p, []string{noTouch, dropKeeps})
		h.Outside = []string{"psql of p0"}
		h.Steps = []history.Step{{Label: fmt.Sprint(n)}} // another time, other steps
		return judged(p, h), nil, true
	}}
	racing := bounds
	racing.Mode = model.Gated
	s := hunted(t, hunt.Options{Runner: f, Bounds: racing, MaxCases: 30, Recheck: 2})
	if s.Unknown != 30 || !strings.Contains(s.LastUnknown, "psql of p0") || s.Verdict != check.Inconclusive {
		t.Errorf("%d unknown (%s), %s", s.Unknown, s.LastUnknown, s.Verdict)
	}
	if len(s.Findings)+len(s.Unconfirmed)+len(s.Differing) > 0 {
		t.Errorf("claimed of what the gate did not see: %+v", s)
	}
}

// TestDeadlyFinding: a service that ends its process is found, and its program is shrunk like any other.
func TestDeadlyFinding(t *testing.T) {
	f := &fake{instead: func(_ context.Context, _ int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
		for i, o := range p.Ops() {
			if o.Kind == model.KindDrop {
				p.Setup = p.Setup[:i+1]
				return died(worker.Panicked, p), nil, true
			}
		}
		return worker.Outcome{}, nil, false
	}}
	s := hunted(t, hunt.Options{Runner: f, MaxFindings: 1, MaxCases: 1000})
	if len(s.Findings) != 1 || s.Findings[0].Fingerprint != "panic/panic/drop" || s.Findings[0].Program.Len() != 1 {
		t.Errorf("%+v", s.Findings)
	}
}

type strayRunner struct {
	*fake
	strays []worker.Stray
}

func (r strayRunner) Strays() []worker.Stray { return r.strays }

// TestStrays: a worker that died between two cases is told, though no case is to blame.
func TestStrays(t *testing.T) {
	r := strayRunner{&fake{}, []worker.Stray{{Case: 17, Death: &worker.Death{Kind: worker.Panicked, Idle: true}}}}
	s := hunted(t, hunt.Options{Runner: r, MaxCases: 30})
	if s.Verdict != check.Inconclusive || len(s.Unconfirmed) != 1 || !strings.Contains(s.Unconfirmed[0], "panic") || !strings.Contains(s.Unconfirmed[0], "case 17") {
		t.Errorf("%s: %v", s.Verdict, s.Unconfirmed)
	}
	r.strays = nil
	if s := hunted(t, hunt.Options{Runner: r, MaxCases: 30}); s.Verdict != check.Pass {
		t.Errorf("without strays: %s, %v", s.Verdict, s.Unconfirmed)
	}
}

// TestHangsAreShrunkQuickly: candidates get a short deadline; what is confirmed and reported has its own.
func TestHangsAreShrunkQuickly(t *testing.T) {
	hangs := func(p model.Program) worker.Outcome {
		h := run(p, nil)
		for i, e := range h.Entries {
			if e.Op.Kind == model.KindDrop {
				h.Entries = h.Entries[:i+1]
				h.Entries[i].Response = model.Response{Status: model.StatusHung, Text: "no answer"}
				break
			}
		}
		return judged(p, h)
	}
	f := &fake{}
	candidates := 0
	f.instead = func(_ context.Context, _ int, c worker.Case, p model.Program) (worker.Outcome, error, bool) {
		switch {
		case c.Fresh && p.Deadline != 0:
			t.Errorf("confirmed with deadline %v", p.Deadline)
		case !c.Fresh && p.Deadline != 0:
			candidates++
			if p.Deadline > time.Second {
				t.Errorf("a candidate has %v", p.Deadline)
			}
		}
		return hangs(p), nil, true
	}
	s := hunted(t, hunt.Options{Runner: f, MaxFindings: 1, MaxCases: 1000})
	if len(s.Findings) != 1 || s.Findings[0].Fingerprint != "progress/hang/drop" || s.Findings[0].Program.Deadline != 0 || candidates == 0 {
		t.Errorf("%d quick candidates: %+v", candidates, s.Findings)
	}
}

// TestFreeFinding: a race shows now and then; how often is what is reported.
func TestFreeFinding(t *testing.T) {
	free := bounds
	free.Mode = model.Free
	turn := 0
	f := &fake{instead: func(_ context.Context, _ int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
		if turn++; turn%2 == 0 {
			return clean(p), nil, true
		}
		return faulty(p), nil, true
	}}
	s, err := hunt.Run(t.Context(), hunt.Options{Runner: f, Seed: 3, Bounds: free, MaxFindings: 1, MaxCases: 1000, ShrinkExecutions: 300})
	if err != nil || len(s.Findings) != 1 {
		t.Fatalf("%v: %+v", err, s)
	}
	if found := s.Findings[0]; found.Reproduced != 5 || found.Trials != 10 {
		t.Errorf("reproduced %d of %d, where every second execution shows it; want 5 of 10", found.Reproduced, found.Trials)
	}
}

func failing(t *testing.T) (model.Program, string) {
	t.Helper()
	for i := range 100 {
		p := model.Generate(model.NewSource(model.CaseSeed(3, i)), bounds)
		if v := faulty(p).Verdict.First(); v != nil {
			return p, v.Fingerprint()
		}
	}
	t.Fatal("no program shows the mistake")
	return model.Program{}, ""
}

func TestReplay(t *testing.T) {
	p, fingerprint := failing(t)
	other := func(p model.Program) worker.Outcome { return died(worker.Panicked, p) }
	f := &fake{}
	f.instead = func(_ context.Context, n int, c worker.Case, p model.Program) (worker.Outcome, error, bool) {
		if !c.Fresh || c.Program != p.String() {
			t.Errorf("case %+v", c)
		}
		switch n {
		case 1, 5:
			return faulty(p), nil, true
		case 2:
			return clean(p), nil, true
		case 3:
			return other(p), nil, true
		case 4:
			return died(worker.Killed, p), nil, true
		}
		return worker.Outcome{}, errBoom, true
	}
	r, err := hunt.Replay(t.Context(), f, p, fingerprint, 5)
	if err != nil || r.Times != 5 || r.Same != 2 || len(r.Other) != 1 || r.Unknown != 1 {
		t.Errorf("error %v, %d times: same %d, other %v, unknown %d", err, r.Times, r.Same, r.Other, r.Unknown)
	}
	if r.Violation == nil || r.Violation.Fingerprint() != fingerprint || len(r.History.Entries) == 0 || r.Last == nil {
		t.Errorf("the last one that showed it: %+v", r.Violation)
	}

	// What cannot be run ends it; what is known stands.
	f.cases = nil
	r, err = hunt.Replay(t.Context(), f, p, fingerprint, 100)
	if !errors.Is(err, errBoom) || r.Times != 5 || r.Same != 2 {
		t.Errorf("error %v, %d times: same %d", err, r.Times, r.Same)
	}

	// Where nothing is expected, what shows first is what is meant.
	f.cases = nil
	if r, err = hunt.Replay(t.Context(), f, p, "", 3); err != nil || r.Same != 1 || len(r.Other) != 1 {
		t.Errorf("error %v, same %d, other %v", err, r.Same, r.Other)
	}
}

func TestPursue(t *testing.T) {
	p, fingerprint := failing(t)
	v := *faulty(p).Verdict.First()
	f, confirmed, err := hunt.Pursue(t.Context(), hunt.Options{Runner: &fake{mistakes: []string{noTouch}}}, p, v)
	if err != nil || !confirmed || f.Fingerprint != fingerprint || f.Program.Len() >= p.Len() || f.Reproduced != 3 || !f.Minimal {
		t.Errorf("error %v, confirmed %v: %+v", err, confirmed, f)
	}
	if _, confirmed, err := hunt.Pursue(t.Context(), hunt.Options{Runner: &fake{}}, p, v); err != nil || confirmed {
		t.Errorf("what does not show again: error %v, confirmed %v", err, confirmed)
	}
	broken := &fake{instead: func(context.Context, int, worker.Case, model.Program) (worker.Outcome, error, bool) {
		return worker.Outcome{}, errBoom, true
	}}
	if _, confirmed, err := hunt.Pursue(t.Context(), hunt.Options{Runner: broken}, p, v); !errors.Is(err, errBoom) || confirmed {
		t.Errorf("what cannot be run: error %v, confirmed %v", err, confirmed)
	}
}
