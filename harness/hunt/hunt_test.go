package hunt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// hunted runs a hunt that ends without an error.
func hunted(t *testing.T, o hunt.Options) hunt.Summary {
	t.Helper()
	s, err := hunt.Run(t.Context(), withBounds(o))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawnFindings are those of which a drawn program was the first to show it: others come on top.
func drawnFindings(s hunt.Summary) []hunt.Finding {
	return slices.DeleteFunc(slices.Clone(s.Findings), func(f hunt.Finding) bool { return f.Aside })
}

func withBounds(o hunt.Options) hunt.Options {
	if o.Bounds.Kinds == nil {
		o.Bounds = bounds
	}
	return o
}

func fingerprints(s hunt.Summary) (fs []string) {
	for _, f := range s.Findings {
		fs = append(fs, f.Fingerprint)
	}
	return fs
}

func status(s hunt.Summary, invariant string) check.Status {
	for _, i := range s.Invariants {
		if i.Name == invariant {
			return i.Status
		}
	}
	return check.Unset
}

func TestSameSeedSameCases(t *testing.T) {
	drawn := func(seed uint64, parallel int) map[int]string {
		f := &fake{}
		s := hunted(t, hunt.Options{Runner: f, Seed: seed, Parallel: parallel, MaxCases: 60})
		if s.Verdict != check.Pass || s.Executions != 60 || len(f.cases) != 60 {
			t.Fatalf("%s after %d executions of %d cases: %v", s.Verdict, s.Executions, len(f.cases), s.Unconfirmed)
		}
		programs := map[int]string{}
		for _, c := range f.cases {
			programs[c.ID] = c.Program
		}
		return programs
	}
	one, four := drawn(7, 1), drawn(7, 4)
	if d := cmp.Diff(one, four); d != "" {
		t.Errorf("with one worker and with four (-one +four):\n%s", d)
	}
	if len(one) != 60 {
		t.Errorf("%d different cases, want 60", len(one))
	}
	if cmp.Equal(one, drawn(8, 1)) {
		t.Error("another seed draws the same programs")
	}
}

// TestCleanSummary: what a hunt says that found nothing.
func TestCleanSummary(t *testing.T) {
	f := &fake{}
	s := hunted(t, hunt.Options{Runner: f, MaxCases: 40})
	ops := 0
	for _, c := range f.cases {
		p, err := model.Parse(c.Program)
		if err != nil {
			t.Fatal(err)
		}
		ops += p.Len()
	}
	if s.Operations != ops || s.Executions != 40 || s.Interrupted || s.Unknown+s.Accepted+len(s.Findings)+len(s.Unconfirmed) != 0 {
		t.Errorf("%+v", s)
	}
	for _, family := range check.Families {
		if got := status(s, family); got != check.Pass {
			t.Errorf("%s: %s", family, got)
		}
	}
}

// TestNothingSeenIsNoPass: a family that no case looked at leaves the hunt inconclusive, and one that
// the service cannot show does not.
func TestNothingSeenIsNoPass(t *testing.T) {
	o := hunt.Options{Runner: &fake{}, MaxCases: 5}
	without := func(family string, how check.Status) *fake {
		return &fake{instead: func(_ context.Context, _ int, _ worker.Case, p model.Program) (worker.Outcome, error, bool) {
			out := clean(p)
			for i, r := range out.Verdict.Results {
				if r.Invariant == family {
					out.Verdict.Results[i] = check.Result{Invariant: family, Status: how, Note: "not shown"}
				}
			}
			return out, nil, true
		}}
	}
	o.Runner = without("leak", check.Inconclusive)
	if s := hunted(t, o); s.Verdict != check.Inconclusive || status(s, "leak") != check.Inconclusive {
		t.Errorf("not looked at: %s, leak %s", s.Verdict, status(s, "leak"))
	}
	o.Runner = without("lru", check.NotApplicable)
	if s := hunted(t, o); s.Verdict != check.Pass || status(s, "lru") != check.NotApplicable {
		t.Errorf("not applicable: %s, lru %s", s.Verdict, status(s, "lru"))
	}
}

func TestFinding(t *testing.T) {
	dir := t.TempDir()
	f := &fake{mistakes: []string{noTouch}}
	s := hunted(t, hunt.Options{Runner: f, Seed: 3, MaxCases: 80, Out: dir, Meta: repro.Meta{Target: "fake"}})
	if s.Verdict != check.Fail || len(s.Findings) == 0 || len(s.Unconfirmed) > 0 {
		t.Fatalf("%s: %v, unconfirmed %v", s.Verdict, fingerprints(s), s.Unconfirmed)
	}
	seen := map[string]bool{}
	for _, found := range s.Findings {
		if seen[found.Fingerprint] {
			t.Errorf("%s is reported twice", found.Fingerprint)
		}
		seen[found.Fingerprint] = true
		t.Run(found.Fingerprint, func(t *testing.T) {
			examine(t, found, dir)
			family, _, _ := strings.Cut(found.Fingerprint, "/")
			if got := status(s, family); got != check.Fail {
				t.Errorf("the row of %s: %s", family, got)
			}
		})
	}
	if !seen["lru/order/stats"] && !seen["lru/resident-set/stats"] {
		t.Errorf("found only %v", fingerprints(s))
	}
	if status(s, "isolation") != check.Pass {
		t.Errorf("isolation: %s", status(s, "isolation"))
	}
}

// examine looks at one finding of a hunt with seed 3.
func examine(t *testing.T, found hunt.Finding, dir string) {
	t.Helper()
	if found.Reproduced != 3 || found.Trials != 3 || !found.Minimal || found.Shrink == 0 {
		t.Errorf("reproduced %d of %d, minimal %v, %d executions to shrink", found.Reproduced, found.Trials, found.Minimal, found.Shrink)
	}
	drawn := model.Generate(model.NewSource(model.CaseSeed(3, found.Case)), bounds)
	if v := faulty(drawn).Verdict.First(); v == nil || v.Fingerprint() != found.Fingerprint && !found.Aside {
		t.Errorf("case %d does not show it: %v", found.Case, v)
	}
	if n := found.Program.Len(); n > 5 || n >= drawn.Len() || n != found.Operations {
		t.Errorf("%d operations, said to be %d, of %d:\n%s", n, found.Operations, drawn.Len(), found.Program)
	}
	v := faulty(found.Program).Verdict.First()
	if v == nil || v.Fingerprint() != found.Fingerprint || v.Sentence != found.Violation.Sentence {
		t.Errorf("the smallest program does not show what is told of it: %v, %v", v, found.Violation)
	}
	if clean(found.Program).Verdict.Status != check.Pass {
		t.Error("the smallest program fails without the mistake")
	}
	r, err := repro.Load(found.Repro)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(found.Repro) != dir || r.Program.String() != found.Program.String() || r.Fingerprint() != found.Fingerprint {
		t.Errorf("the repro %s holds %s:\n%s", found.Repro, r.Fingerprint(), r.Program)
	}
	want := repro.Meta{Target: "fake", Seed: "3", Case: fmt.Sprint(found.Case), Reproduced: "3 of 3"}
	if diff := cmp.Diff(want, r.Meta); diff != "" {
		t.Errorf("(-want +meta):\n%s", diff)
	}
	if len(r.History) == 0 {
		t.Error("the repro has no history")
	}
}

// TestConfirmedOnFreshDatabases: a finding is run again before and after shrinking, provisioned for real.
func TestConfirmedOnFreshDatabases(t *testing.T) {
	f := &fake{mistakes: []string{noTouch}}
	s := hunted(t, hunt.Options{Runner: f, Seed: 3, MaxFindings: 1})
	found := s.Findings[slices.IndexFunc(s.Findings, func(f hunt.Finding) bool { return !f.Aside })]
	drawn := model.Generate(model.NewSource(model.CaseSeed(3, found.Case)), bounds).String()
	var fresh []string
	for _, c := range f.cases {
		if c.Fresh {
			fresh = append(fresh, c.Program)
		}
	}
	small := found.Program.String()
	if want := []string{drawn, drawn, drawn, small, small, small}; len(fresh) < len(want) || !slices.Equal(fresh[:len(want)], want) {
		t.Errorf("run on fresh databases:\n%s\nwant\n%s", strings.Join(fresh, "\n"), strings.Join(want, "\n"))
	}
}

func TestAccepted(t *testing.T) {
	f := &fake{mistakes: []string{noTouch, dropKeeps}}
	o := hunt.Options{Runner: f, Seed: 3, MaxCases: 80}
	known := fingerprints(hunted(t, o))
	if len(known) < 2 {
		t.Fatalf("found only %v", known)
	}
	o.Accept = known[:1]
	s := hunted(t, o)
	if slices.Contains(fingerprints(s), known[0]) || len(s.Findings) != len(known)-1 || s.Accepted == 0 || s.Verdict != check.Fail {
		t.Errorf("%s is accepted: found %v, accepted %d, %s", known[0], fingerprints(s), s.Accepted, s.Verdict)
	}
	o.Accept = known
	s = hunted(t, o)
	if len(s.Findings) > 0 || s.Accepted < len(known) || s.Verdict == check.Fail {
		t.Errorf("all are accepted: found %v, accepted %d, %s", fingerprints(s), s.Accepted, s.Verdict)
	}
	for _, c := range f.cases[len(f.cases)-80:] {
		if c.Fresh {
			t.Fatal("an accepted finding was confirmed")
		}
	}
}

// TestUnconfirmed: what does not show again on fresh databases is told, but is no finding, and no pass.
func TestUnconfirmed(t *testing.T) {
	f := &fake{instead: func(_ context.Context, _ int, c worker.Case, p model.Program) (worker.Outcome, error, bool) {
		if c.Fresh {
			return clean(p), nil, true
		}
		return faulty(p), nil, true
	}}
	s := hunted(t, hunt.Options{Runner: f, Seed: 3, MaxCases: 40})
	if s.Verdict != check.Inconclusive || len(s.Findings) > 0 || len(s.Unconfirmed) < 2 {
		t.Fatalf("%s: found %v, unconfirmed %v", s.Verdict, fingerprints(s), s.Unconfirmed)
	}
	// It may be a rare one: the next case that shows it gets its chance, too.
	times := map[string]int{}
	for _, u := range s.Unconfirmed {
		fingerprint, rest, _ := strings.Cut(u, " ")
		times[fingerprint]++
		if strings.Count(fingerprint, "/") != 2 || !strings.HasPrefix(rest, "in case ") {
			t.Errorf("unconfirmed: %s", u)
		}
	}
	if len(times) == len(s.Unconfirmed) {
		t.Errorf("each was tried once only: %v", times)
	}
}

// TestLessCertain: a smaller program that replays less often than the one that was drawn is no gain.
func TestLessCertain(t *testing.T) {
	var drawn string
	f := &fake{}
	f.instead = func(_ context.Context, _ int, c worker.Case, p model.Program) (worker.Outcome, error, bool) {
		out := faulty(p)
		if c.Fresh && drawn == "" {
			drawn = c.Program
		}
		if c.Fresh && c.Program != drawn {
			out = clean(p)
		}
		return out, nil, true
	}
	s := hunted(t, hunt.Options{Runner: f, Seed: 3, MaxFindings: 1})
	found := s.Findings[0]
	if found.Program.String() != drawn || found.Minimal || found.Reproduced != 3 {
		t.Errorf("minimal %v, reproduced %d of %d:\n%s\ndrawn was\n%s", found.Minimal, found.Reproduced, found.Trials, found.Program, drawn)
	}
}

// TestEnvironmentErrors: a few are passed over, three in a row end the hunt.
func TestEnvironmentErrors(t *testing.T) {
	failing := func(when func(n int) bool) *fake {
		return &fake{instead: func(_ context.Context, n int, _ worker.Case, _ model.Program) (worker.Outcome, error, bool) {
			return worker.Outcome{}, errBoom, when(n)
		}}
	}
	f := failing(func(n int) bool { return n >= 5 })
	s, err := hunt.Run(t.Context(), withBounds(hunt.Options{Runner: f, MaxCases: 100}))
	if !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "case 6") {
		t.Errorf("error %v", err)
	}
	if len(f.cases) != 7 || s.Executions != 4 {
		t.Errorf("%d cases begun, %d executed; want 7 and 4", len(f.cases), s.Executions)
	}

	for _, parallel := range []int{1, 4} {
		_, err = hunt.Run(t.Context(), withBounds(hunt.Options{Runner: failing(func(int) bool { return true }), Parallel: parallel, Budget: time.Hour}))
		if !errors.Is(err, errBoom) {
			t.Errorf("with %d workers: error %v", parallel, err)
		}
	}

	f = failing(func(n int) bool { return n%3 != 0 }) // never three in a row
	s = hunted(t, hunt.Options{Runner: f, MaxCases: 30})
	if s.Executions != 10 || len(f.cases) != 30 {
		t.Errorf("%d cases begun, %d executed; want 30 and 10", len(f.cases), s.Executions)
	}
	if want := "case 28: " + errBoom.Error(); s.EnvironmentErrors != 20 || s.LastEnvironmentError != want {
		t.Errorf("%d cases not run, the last %q; want 20 and %q", s.EnvironmentErrors, s.LastEnvironmentError, want)
	}
}

// TestNothingRun: a hunt that has run nothing has nothing to say.
func TestNothingRun(t *testing.T) {
	if _, err := hunt.Run(t.Context(), hunt.Options{Runner: &fake{}}); err == nil {
		t.Error("a hunt without an end was begun")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := hunt.Run(ctx, withBounds(hunt.Options{Runner: &fake{}, MaxCases: 10}))
	if err != nil || s.Verdict != check.Inconclusive || !s.Interrupted || s.Executions != 0 {
		t.Errorf("interrupted before it began: %v, %+v", err, s)
	}
}

// TestInterrupted: whenever it is, what is known is reported, and it is no error.
func TestInterrupted(t *testing.T) {
	interrupted := func(when func(n int, c worker.Case) bool, mistakes ...string) hunt.Summary {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := &fake{mistakes: mistakes}
		f.instead = func(_ context.Context, n int, c worker.Case, _ model.Program) (worker.Outcome, error, bool) {
			if when(n, c) {
				cancel()
			}
			return worker.Outcome{}, nil, false // then it sees that it is over
		}
		s, err := hunt.Run(ctx, withBounds(hunt.Options{Runner: f, Seed: 3, Parallel: 1, MaxCases: 200}))
		if err != nil || !s.Interrupted {
			t.Errorf("error %v, interrupted %v", err, s.Interrupted)
		}
		return s
	}
	if s := interrupted(func(n int, _ worker.Case) bool { return n == 21 }); s.Executions != 20 || s.Verdict == check.Fail {
		t.Errorf("while searching: %d executions, %s", s.Executions, s.Verdict)
	}

	// While it is confirmed it is not known to be true.
	s := interrupted(func(_ int, c worker.Case) bool { return c.Fresh }, noTouch)
	if len(s.Findings) > 0 || len(s.Unconfirmed) != 1 || !strings.Contains(s.Unconfirmed[0], "interrupted") || s.Verdict != check.Inconclusive {
		t.Errorf("while confirming: %+v", s)
	}

	// While it is shrunk it is known: not as small as it might be.
	confirmed := 0
	s = interrupted(func(_ int, c worker.Case) bool {
		if c.Fresh {
			confirmed++
		}
		return confirmed == 3 && !c.Fresh
	}, noTouch)
	if len(s.Findings) != 1 || s.Findings[0].Minimal || s.Findings[0].Reproduced != 3 || s.Verdict != check.Fail {
		t.Errorf("while shrinking: %+v", s)
	}
}

// TestBudget: it bounds the search; a case that has begun is finished, and shrinking has its own time.
func TestBudget(t *testing.T) {
	slow := func(mistakes ...string) *fake {
		return &fake{mistakes: mistakes, instead: func(context.Context, int, worker.Case, model.Program) (worker.Outcome, error, bool) {
			<-time.After(time.Second)
			return worker.Outcome{}, nil, false
		}}
	}
	synctest.Test(t, func(t *testing.T) {
		s := hunted(t, hunt.Options{Runner: slow(), Budget: 10*time.Second - time.Millisecond})
		if s.Executions != 10 || s.Elapsed != 10*time.Second || s.Interrupted {
			t.Errorf("%d executions in %v, interrupted %v; want 10 in 10s", s.Executions, s.Elapsed, s.Interrupted)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := hunted(t, hunt.Options{Runner: slow(noTouch), Seed: 3, Budget: time.Minute, MaxFindings: 1, ShrinkBudget: 20 * time.Second})
		if len(s.Findings) != 1 || s.Findings[0].Minimal || s.Findings[0].Shrink < 15 || s.Findings[0].Shrink > 25 {
			t.Errorf("shrunk for 20 s, one execution a second: %+v", s.Findings)
		}
	})
}

func TestLimits(t *testing.T) {
	f := &fake{mistakes: []string{noTouch, dropKeeps, deletedStay}}
	for _, parallel := range []int{1, 4} {
		s := hunted(t, hunt.Options{Runner: f, Seed: 3, Parallel: parallel, MaxFindings: 2, MaxCases: 1000})
		if len(drawnFindings(s)) != 2 || s.Executions >= 1000 {
			t.Errorf("with %d workers: findings %v after %d executions; want two", parallel, fingerprints(s), s.Executions)
		}
	}
	s := hunted(t, hunt.Options{Runner: f, Seed: 3, MaxFindings: 1, ShrinkExecutions: 7})
	if found := drawnFindings(s)[0]; found.Shrink != 7 || found.Minimal {
		t.Errorf("with 7 executions to shrink: %d, minimal %v", found.Shrink, found.Minimal)
	}
	f = &fake{}
	if s := hunted(t, hunt.Options{Runner: f, Parallel: 3, MaxCases: 10}); s.Executions != 10 || len(f.cases) != 10 {
		t.Errorf("%d executions of %d cases, want 10", s.Executions, len(f.cases))
	}
}

// TestProgress: it is told in order, from one goroutine at a time, and of every finding.
func TestProgress(t *testing.T) {
	var mu sync.Mutex
	var told []hunt.Progress
	s := hunted(t, hunt.Options{Runner: &fake{mistakes: []string{noTouch, dropKeeps}}, Seed: 3, Parallel: 4, MaxCases: 60, Progress: func(p hunt.Progress) {
		if !mu.TryLock() {
			t.Error("told from two goroutines at once")
			return
		}
		defer mu.Unlock()
		told = append(told, p)
	}})
	found, shrinking := []string{}, map[string]int{}
	var last hunt.Progress
	for _, p := range told {
		if p.Executions < last.Executions || p.Operations < last.Operations || p.Findings < last.Findings || p.Elapsed < last.Elapsed {
			t.Errorf("%+v came after %+v", p, last)
		}
		last = p
		if p.Found != nil {
			found = append(found, p.Found.Fingerprint)
		}
		if p.Shrinking != "" {
			shrinking[p.Shrinking]++
			if p.Candidates != shrinking[p.Shrinking] {
				t.Errorf("%s: candidate %d is told as number %d", p.Shrinking, shrinking[p.Shrinking], p.Candidates)
			}
		}
	}
	// They are told as they are found, and reported the smallest first.
	reported := slices.Sorted(slices.Values(fingerprints(s)))
	if d := cmp.Diff(reported, slices.Sorted(slices.Values(found))); d != "" {
		t.Errorf("findings, as reported and as told:\n%s", d)
	}
	for _, f := range s.Findings {
		if shrinking[f.Fingerprint] != f.Shrink {
			t.Errorf("%s: %d candidates, %d told", f.Fingerprint, f.Shrink, shrinking[f.Fingerprint])
		}
	}
	if last.Executions != s.Executions || last.Operations != s.Operations {
		t.Errorf("last told %+v, in the end %d executions, %d operations", last, s.Executions, s.Operations)
	}
}

// TestReproCannotBeWritten: the finding is reported all the same, and the hunt ends with an error.
func TestReproCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := hunt.Run(t.Context(), withBounds(hunt.Options{Runner: &fake{mistakes: []string{noTouch}}, Seed: 3, MaxFindings: 1, Out: file}))
	if err == nil || len(s.Findings) == 0 || s.Findings[0].Repro != "" {
		t.Errorf("error %v, findings %+v", err, s.Findings)
	}
}
