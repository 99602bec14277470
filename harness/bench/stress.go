package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/model"
)

// StressOptions say how hard the service is pressed.
type StressOptions struct {
	// Projects are how many tenants there are; MaxProjects how many pools may be resident.
	Projects, MaxProjects int
	// Searches are how many clients search at once; Indexers how many index meanwhile, each projects of its own.
	Searches, Indexers int
	// Conns are how many connections one project's pool may have.
	Conns int
	// Duration is how long the load lasts.
	Duration time.Duration
	// Seed is what the load is drawn from.
	Seed uint64
	// Deadline is how long one operation may take; 0 means half a minute.
	Deadline time.Duration
	// Settle is how long a service may take to come to rest, and its connections and goroutines to go once it is
	// closed; 0 means a few seconds.
	Settle time.Duration
}

// Phases of a stress.
const (
	phaseSequence = "sequence"
	phaseLoad     = "load"
)

const stressDeadline = 30 * time.Second

// Stress presses the service: first a fixed sequence, one operation at a time, after which the pools, the evictions
// and their order are known exactly; then many clients at once, with everything they see recorded and judged by the
// same checkers as a storm's cases. Violations are in the result; the error is the environment's.
func (l *Lab) Stress(ctx context.Context, o StressOptions) (_ *Result, err error) {
	if o.Deadline == 0 {
		o.Deadline = stressDeadline
	}
	server, err := l.serverSettings(ctx)
	if err != nil {
		return nil, err
	}
	r := newResult(KindStress, l, server)
	for _, s := range []struct {
		name  string
		value any
	}{
		{"projects", o.Projects}, {"max_projects", o.MaxProjects}, {"concurrent_searches", o.Searches}, {"indexers", o.Indexers},
		{"conns_per_pool", o.Conns}, {"duration", o.Duration}, {"seed", o.Seed},
	} {
		r.set(s.name, s.value)
	}
	r.Checks = map[string]int{}
	defer func() { err = errors.Join(err, l.finish(ctx, roomStress)) }()
	for i, phase := range []func(context.Context, StressOptions, *Result) error{l.sequence, l.load} {
		l.step(i, 2, "%s", []string{"a fixed sequence", "load"}[i])
		if err := l.clear(ctx, roomStress); err != nil {
			return nil, err
		}
		if err := phase(ctx, o, &r); err != nil {
			return nil, err
		}
	}
	r.judge()
	if r.Verdict == Pass && r.Checks["lru"] == 0 {
		r.Verdict = Unclear
		r.note("the service reports no statistics: its pools could not be judged")
	}
	return &r, r.Validate()
}

// take adds a verdict of the checkers to the result.
func (r *Result) take(phase string, v check.Verdict) {
	for _, row := range v.Results {
		r.Checks[row.Invariant] += row.Checked
		if row.Status == check.Inconclusive && row.Note != "" {
			r.note("%s: %s: %s", phase, row.Invariant, row.Note)
		}
		seen := map[string]int{}
		for _, bad := range row.Violations {
			if seen[bad.Fingerprint()]++; seen[bad.Fingerprint()] > alike {
				continue
			}
			r.Violations = append(r.Violations, Violation{Phase: phase, Fingerprint: bad.Fingerprint(), Sentence: bad.Sentence, Evidence: firstLines(bad.Evidence)})
		}
		for _, fingerprint := range slices.Sorted(maps.Keys(seen)) {
			if n := seen[fingerprint]; n > alike {
				r.note("%s: %s: %d violations, of which the first %d are kept", phase, fingerprint, n, alike)
			}
		}
	}
}

// alike is how many violations of one fingerprint are kept: the others say no more.
const alike = 5

// evidenceLines is how much of its evidence a violation keeps.
const evidenceLines = 20

func firstLines(lines []string) []string {
	if len(lines) > evidenceLines {
		return append(slices.Clone(lines[:evidenceLines]), fmt.Sprintf("… and %d lines more", len(lines)-evidenceLines))
	}
	return lines
}

func projectName(i int) string { return model.NamesPlain.Name(i) }
