package bench_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// small is a stress that takes a moment. How much it gets done in that is no matter.
func small() bench.StressOptions {
	return bench.StressOptions{Projects: 5, MaxProjects: 3, Searches: 8, Indexers: 2, Conns: 4, Duration: 100 * time.Millisecond, Seed: 1}
}

func TestStressOfASoundService(t *testing.T) {
	l := newLab(t, fakeTarget())
	r, err := l.Stress(t.Context(), small())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Errorf("%s: %s: %s\n%s", v.Phase, v.Fingerprint, v.Sentence, strings.Join(v.Evidence, "\n"))
	}
	if r.Verdict != bench.Pass {
		t.Errorf("%s: %+v", r.Verdict, r.Bounds)
	}
	if d := cmp.Diff([]string{"p0", "p1"}, r.Evicted); d != "" {
		t.Error(d)
	}
	for _, family := range []string{"isolation", "search", "lru", "accounting", "errors", "progress", "leak"} {
		if r.Checks[family] == 0 {
			t.Errorf("nothing of %s was looked at", family)
		}
	}
	var sampled []string
	for _, s := range r.Series {
		sampled = append(sampled, s.Name)
		if len(s.Points) == 0 {
			t.Errorf("%s was never sampled", s.Name)
		}
	}
	for _, name := range []string{"failures", "goroutines", "active_pools", "evictions", "backends", "pool_hit_rate"} {
		if !slices.Contains(sampled, name) {
			t.Errorf("%s was not sampled: %v", name, sampled)
		}
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestStressFindsFaults has services that are each wrong in one way, and where that must show.
func TestStressFindsFaults(t *testing.T) {
	l := newLab(t, fakeTarget())
	for _, row := range []struct {
		fault  string
		phase  string
		family string // of a violation
		bound  string // that is missed
	}{
		{"foreign", "sequence", "isolation/", ""},
		{"foreign", "load", "isolation/", ""},
		{"forget", "sequence", "search/", ""},
		{"forget", "load", "search/", ""},
		{"torn", "load", "search/", ""},
		{"evict-newest", "sequence", "lru/", "sequence: projects evicted"},
		{"lose-hit", "sequence", "accounting/", ""},
		{"lose-hit", "load", "", "load: hits and misses"},
		{"error", "load", "errors/", ""},
		{"panic", "load", "panic/", ""},
		{"hang", "load", "progress/", ""},
		{"leave-backend", "load", "leak/", ""},
	} {
		t.Run(row.fault+" in the "+row.phase, func(t *testing.T) {
			l.Target = fakeTarget(row.fault)
			o := small()
			if row.fault == "hang" {
				o.Deadline = 200 * time.Millisecond
			}
			if row.fault == "hang" || row.fault == "leave-backend" {
				o.Settle = 300 * time.Millisecond // what is there then stays: nothing is wrongly accused
			}
			r, err := l.Stress(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != bench.Fail {
				t.Errorf("verdict %s", r.Verdict)
			}
			found := slices.ContainsFunc(r.Violations, func(v bench.Violation) bool {
				return v.Phase == row.phase && strings.HasPrefix(v.Fingerprint, row.family) && v.Sentence != ""
			})
			if row.family != "" && !found {
				t.Errorf("no violation of %s: %+v", row.family, r.Violations)
			}
			if n := len(r.Violations); n > 40 {
				t.Errorf("%d violations are more than anybody reads", n)
			}
			missed := slices.ContainsFunc(r.Bounds, func(b bench.Bound) bool { return !b.Met && strings.HasPrefix(b.What, row.bound) })
			if row.bound != "" && !missed {
				t.Errorf("%s was not missed: %+v", row.bound, r.Bounds)
			}
		})
	}
}

func TestInterruptedStressLeavesNothing(t *testing.T) {
	l := newLab(t, fakeTarget())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.Progress = func(s bench.Step) {
		if s.What == "load" {
			cancel()
		}
	}
	if r, err := l.Stress(ctx, small()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", r, err)
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func ExampleBound() {
	b := bench.Bound{What: "search p95", Value: 12, Rule: "<", Limit: bench.SearchBound, Unit: "ms", Met: true}
	fmt.Println(b.What, b.Value, b.Rule, b.Limit, b.Unit)
	// Output: search p95 12 < 500 ms
}
