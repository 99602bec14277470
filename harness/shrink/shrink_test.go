package shrink_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

// anyFailing returns a program that fails for the fault, and how.
func anyFailing(t *testing.T, faults ...fault) (model.Program, string) {
	t.Helper()
	for fp, ps := range failingPrograms(t, 1, faults...) {
		return ps[0], fp
	}
	t.Fatal("failingPrograms returned none")
	return model.Program{}, ""
}

func TestTwoFaultsDoNotSlip(t *testing.T) {
	for fp, starts := range failingPrograms(t, 60, getNoTouch, dropKeeps, limitIgnored) {
		finals := map[string]bool{}
		for _, p := range starts {
			r, err := shrink.Shrink(context.Background(), p, fp, running(getNoTouch, dropKeeps, limitIgnored), shrink.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := judge(r.Program, getNoTouch, dropKeeps, limitIgnored).Fingerprint; got != fp {
				t.Errorf("slipped from %s to %s:\n%s", fp, got, r.Program)
			}
			finals[r.Program.String()] = true
		}
		if len(finals) > 2 {
			t.Errorf("%s: %d programs end in %d", fp, len(starts), len(finals))
		}
	}
}

func TestFlakyFailureWithTrials(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sometimes := func(_ context.Context, p model.Program) (shrink.Outcome, error) {
		if r.IntN(10) == 0 {
			return shrink.Outcome{}, nil
		}
		return judge(p, getNoTouch), nil
	}
	const fp = "lru/order/audit"
	starts := failingPrograms(t, 60, getNoTouch)[fp]
	sum, minimum := 0, 3
	for _, p := range starts {
		got, err := shrink.Shrink(context.Background(), p, fp, sometimes, shrink.Options{Trials: 5})
		if err != nil || !got.Complete {
			t.Fatalf("complete=%v: %v", got.Complete, err)
		}
		if judge(got.Program, getNoTouch).Fingerprint != fp {
			t.Errorf("does not fail:\n%s", got.Program)
		}
		sum += got.Program.Len()
	}
	// A candidate is passed over wrongly once in 100,000 times.
	if sum != minimum*len(starts) {
		t.Errorf("%d programs end in %d operations altogether, the minimum has %d", len(starts), sum, minimum)
	}
}

func TestCancelledContextLeavesTheBestSoFar(t *testing.T) {
	p, fp := anyFailing(t, getNoTouch)
	for _, after := range []int{0, 1, 7, 30} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		run := func(ctx context.Context, q model.Program) (shrink.Outcome, error) {
			if n++; n > after {
				cancel()
				return shrink.Outcome{}, ctx.Err()
			}
			return judge(q, getNoTouch), nil
		}
		r, err := shrink.Shrink(ctx, p, fp, run, shrink.Options{})
		if err != nil || r.Complete || !errors.Is(r.Stopped, context.Canceled) || r.Executions != after+1 {
			t.Errorf("after %d: complete=%v, stopped=%v, executions=%d, error=%v", after, r.Complete, r.Stopped, r.Executions, err)
		}
		if judge(r.Program, getNoTouch).Fingerprint != fp {
			t.Errorf("after %d: not failing:\n%s", after, r.Program)
		}
		if after == 30 && r.Program.Len() >= p.Len() {
			t.Errorf("nothing was dropped in %d executions", after)
		}
	}
}

func TestLimits(t *testing.T) {
	p, fp := anyFailing(t, getNoTouch)
	asked, progress := 0, 0
	for name, o := range map[string]shrink.Options{
		"executions": {MaxExecutions: 20, Progress: func(g shrink.Progress) {
			progress++
			if g.Executions != progress || g.Pass == "" || g.Operations > p.Len() {
				t.Errorf("progress %+v at call %d", g, progress)
			}
		}},
		"until": {Until: func() bool { asked++; return asked > 20 }},
	} {
		r, err := shrink.Shrink(context.Background(), p, fp, running(getNoTouch), o)
		if err != nil || r.Complete || !errors.Is(r.Stopped, shrink.ErrLimit) || r.Executions != 20 {
			t.Errorf("%s: complete=%v, stopped=%v, executions=%d, error=%v", name, r.Complete, r.Stopped, r.Executions, err)
		}
		if judge(r.Program, getNoTouch).Fingerprint != fp {
			t.Errorf("%s: not failing:\n%s", name, r.Program)
		}
	}
	if progress != 20 {
		t.Errorf("progress was told %d times of 20", progress)
	}
}

func TestProgramThatCannotBeShrunk(t *testing.T) {
	p, fp := anyFailing(t, getNoTouch)
	broken := errors.New("no database")
	invalid := p.Clone()
	invalid.Sessions = 0
	for name, c := range map[string]struct {
		program     model.Program
		fingerprint string
		run         shrink.Run
		want        error
	}{
		"passes":              {p, fp, running(), shrink.ErrNotFailing},
		"fails otherwise":     {p, "isolation/foreign/search", running(getNoTouch), shrink.ErrNotFailing},
		"without fingerprint": {p, "", running(), shrink.ErrNotFailing},
		"cannot be run": {p, fp, func(context.Context, model.Program) (shrink.Outcome, error) {
			return shrink.Outcome{}, broken
		}, broken},
	} {
		r, err := shrink.Shrink(context.Background(), c.program, c.fingerprint, c.run, shrink.Options{})
		if !errors.Is(err, c.want) || r.Complete || r.Program.String() != p.String() {
			t.Errorf("%s: complete=%v, error %v, want %v", name, r.Complete, err, c.want)
		}
	}
	var e *model.InvalidError
	if _, err := shrink.Shrink(context.Background(), invalid, fp, running(getNoTouch), shrink.Options{}); !errors.As(err, &e) {
		t.Errorf("invalid program: error %v", err)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	p, fp := anyFailing(t, getNoTouch)
	want, err := shrink.Shrink(context.Background(), p, fp, running(getNoTouch), shrink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("connection refused")

	n := 0
	everyThird := func(_ context.Context, q model.Program) (shrink.Outcome, error) {
		if n++; n%3 == 0 {
			return shrink.Outcome{}, broken
		}
		return judge(q, getNoTouch), nil
	}
	r, err := shrink.Shrink(context.Background(), p, fp, everyThird, shrink.Options{})
	if err != nil || !r.Complete || r.Program.String() != want.Program.String() {
		t.Errorf("one retry: complete=%v, error=%v\n%s", r.Complete, err, r.Program)
	}

	n = 0
	fromTheTenth := func(_ context.Context, q model.Program) (shrink.Outcome, error) {
		if n++; n >= 10 {
			return shrink.Outcome{}, broken
		}
		return judge(q, getNoTouch), nil
	}
	r, err = shrink.Shrink(context.Background(), p, fp, fromTheTenth, shrink.Options{})
	// Nine that could be run, and three candidates twice each.
	if err != nil || r.Complete || r.Executions != 9+3*2 || !errors.Is(r.Stopped, shrink.ErrUnrunnable) || !errors.Is(r.Stopped, broken) {
		t.Errorf("three in a row: complete=%v, stopped=%v, executions=%d, error=%v", r.Complete, r.Stopped, r.Executions, err)
	}

	// One program is never runnable: the rest is shrunk all the same, but not called complete.
	never := func(_ context.Context, q model.Program) (shrink.Outcome, error) {
		if q.String() == want.Program.String() {
			return shrink.Outcome{}, broken
		}
		return judge(q, getNoTouch), nil
	}
	r, err = shrink.Shrink(context.Background(), p, fp, never, shrink.Options{})
	if err != nil || r.Complete || !errors.Is(r.Stopped, broken) || judge(r.Program, getNoTouch).Fingerprint != fp {
		t.Errorf("passed over: complete=%v, stopped=%v, error=%v\n%s", r.Complete, r.Stopped, err, r.Program)
	}
}

func TestRunMayChangeItsProgram(t *testing.T) {
	p, fp := anyFailing(t, getNoTouch)
	want, _ := shrink.Shrink(context.Background(), p, fp, running(getNoTouch), shrink.Options{})
	r, err := shrink.Shrink(context.Background(), p, fp, func(_ context.Context, q model.Program) (shrink.Outcome, error) {
		out := judge(q, getNoTouch)
		clear(q.Setup)
		return out, nil
	}, shrink.Options{})
	if err != nil || r.Program.String() != want.Program.String() {
		t.Errorf("error %v, ended in\n%s", err, r.Program)
	}
}

func TestCandidatesAreValidAndRunOnce(t *testing.T) {
	p, fp := anyFailing(t, switchGlobal)
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
		return judge(q, switchGlobal), nil
	}
	r, err := shrink.Shrink(context.Background(), p, fp, run, shrink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	executions, accepted := 0, 0
	for _, c := range r.Passes {
		executions += c.Executions
		accepted += c.Accepted
	}
	if executions != r.Executions || len(seen) != r.Executions || accepted == 0 || r.Candidates < r.Executions-1 {
		t.Errorf("%d executions, %d candidates; passes say %d executions, %d accepted", r.Executions, r.Candidates, executions, accepted)
	}
}
