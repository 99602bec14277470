package hunt_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// wider is a transformation that can be told by looking.
func wider(p model.Program) model.Program {
	p = p.Clone()
	p.MaxProjects = 77
	return p
}

// TestTransform: what is executed is made of what would have been, case by case.
func TestTransform(t *testing.T) {
	programs := func(transform func(model.Program) model.Program) (all []string) {
		f := &fake{}
		hunted(t, hunt.Options{Runner: f, Seed: 7, MaxCases: 20, Transform: transform})
		for _, c := range f.cases {
			all = append(all, c.Program)
		}
		return all
	}
	var want []string
	for _, text := range programs(nil) {
		p, err := model.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, wider(p).String())
	}
	if diff := cmp.Diff(want, programs(wider)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSeek: it ends with the first case that shows what is wanted, which is the one that a hunt comes upon.
func TestSeek(t *testing.T) {
	sum := hunted(t, hunt.Options{Runner: &fake{mistakes: []string{noTouch}}, Seed: 3, MaxCases: 200, MaxFindings: 1})
	want := drawnFindings(sum)[0]
	seek := func(f *fake, o hunt.Options, fingerprint string) hunt.Sought {
		t.Helper()
		o.Runner, o.Seed, o.MaxCases = f, 3, 200
		s, err := hunt.Seek(t.Context(), withBounds(o), func(shown string) bool { return shown == fingerprint })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := &fake{mistakes: []string{noTouch}}
	if s := seek(f, hunt.Options{}, want.Fingerprint); !s.Found || s.Executions != want.Executions || s.Executions != len(f.cases) ||
		s.Program.String() != f.cases[len(f.cases)-1].Program {
		t.Errorf("%+v after %d cases, want %d", s, len(f.cases), want.Executions)
	}
	if s := seek(&fake{mistakes: []string{noTouch}}, hunt.Options{}, "lru/nothing/search"); s.Found || s.Executions != 200 {
		t.Errorf("sought what does not show: %+v", s)
	}
	if s := seek(&fake{mistakes: []string{noTouch}}, hunt.Options{Transform: wider}, want.Fingerprint); s.Found {
		t.Errorf("without evictions: %+v", s)
	}
}

// TestSeekGivesUp: a server that is gone, or a user who has had enough, is no search that found nothing.
func TestSeekGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{instead: func(_ context.Context, n int, _ worker.Case, _ model.Program) (worker.Outcome, error, bool) {
		if n == 5 {
			cancel()
		}
		return worker.Outcome{}, nil, false
	}}
	never := func(string) bool { return false }
	if s, err := hunt.Seek(ctx, withBounds(hunt.Options{Runner: f, MaxCases: 50}), never); !errors.Is(err, context.Canceled) || s.Executions != 4 {
		t.Errorf("interrupted: %+v, %v", s, err)
	}
	broken := []int{2, 10, 11, 12}
	f = &fake{instead: func(_ context.Context, n int, _ worker.Case, _ model.Program) (worker.Outcome, error, bool) {
		return worker.Outcome{}, errBoom, slices.Contains(broken, n)
	}}
	if s, err := hunt.Seek(t.Context(), withBounds(hunt.Options{Runner: f, MaxCases: 50}), never); !errors.Is(err, errBoom) || s.Executions != 8 {
		t.Errorf("with a server that is gone: %+v, %v", s, err)
	}
}
