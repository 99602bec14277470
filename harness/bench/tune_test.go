package bench_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func tuning(t *testing.T) bench.TuneOptions {
	return bench.TuneOptions{
		Repository: repository(t, 20), Projects: 4, MaxProjects: []int{2, 4}, Conns: []int{1, 2}, Clients: 3,
		Duration: 60 * time.Millisecond, Rounds: 2, Seed: 1,
	}
}

func TestTuneTriesEverything(t *testing.T) {
	l := newLab(t, fakeTarget())
	o := tuning(t)
	r, err := bench.Tune(t.Context(), []bench.TuneServer{{Lab: l}}, o)
	if err != nil {
		t.Fatal(err)
	}
	var tried []string
	for _, c := range r.Cells {
		tried = append(tried, c.String())
		for _, name := range []string{bench.CellPerSecond, bench.CellP95, bench.CellBackends, bench.CellEvictions, bench.CellHitRate, bench.CellFailures} {
			if m := r.Metric(c.Name + name); m == nil || len(m.Samples) != o.Rounds {
				t.Errorf("%s%s: %+v", c.Name, name, m)
			}
		}
		// As many pools as projects: nothing is evicted, and everything is found resident.
		evictions, hits := slices.Max(r.Metric(c.Name+bench.CellEvictions).Samples), slices.Min(r.Metric(c.Name+bench.CellHitRate).Samples)
		if c.MaxProjects == o.Projects && evictions > 0 || (evictions == 0) != (hits == 1) {
			t.Errorf("%s: %v evictions, hit rate %v", c, evictions, hits)
		}
	}
	if len(tried) != 4 || !strings.HasPrefix(tried[0], "2 pools of 1 connections") {
		t.Errorf("%v", tried)
	}
	if r.Choice == nil || !slices.ContainsFunc(r.Cells, func(c bench.Cell) bool { return c.Name == r.Choice.Cell }) || r.Choice.Reason == "" {
		t.Errorf("%+v", r.Choice)
	}
	if r.Kind != bench.KindTune || r.Verdict != bench.Pass {
		t.Errorf("%s, %s", r.Kind, r.Verdict)
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestInterruptedTuneKeepsWhatItHas(t *testing.T) {
	l := newLab(t, fakeTarget())
	for _, row := range []struct {
		at   string // the step that is interrupted
		kept bool
	}{{"round 0 of 2", false}, {"round 2 of 2", true}} {
		ctx, cancel := context.WithCancel(t.Context())
		l.Progress = func(s bench.Step) {
			if strings.HasPrefix(s.What, row.at) {
				cancel()
			}
		}
		r, err := bench.Tune(ctx, []bench.TuneServer{{Lab: l}}, tuning(t))
		if !errors.Is(err, context.Canceled) || (r != nil) != row.kept {
			t.Errorf("%s: %v, %v", row.at, r, err)
		}
		if r != nil && (r.Verdict != bench.Unclear || len(r.Cells) != 4 || !strings.Contains(strings.Join(r.Notes, "\n"), "interrupted after 1 of 2 rounds")) {
			t.Errorf("%s: %s, %d cells, %v", row.at, r.Verdict, len(r.Cells), r.Notes)
		}
		if names := left(t, l); len(names) > 0 {
			t.Errorf("%s: left behind: %v", row.at, names)
		}
		cancel()
	}
}

func TestTuneCountsFailuresAndRefusesWrongAnswers(t *testing.T) {
	l := newLab(t, fakeTarget("forget", "hidden"))
	if _, err := bench.Tune(t.Context(), []bench.TuneServer{{Lab: l}}, tuning(t)); !errors.Is(err, bench.ErrAnswer) {
		t.Errorf("%v, want ErrAnswer", err)
	}
}

// TestChoice has tunings that were not measured, and what is to be taken from each.
func TestChoice(t *testing.T) {
	type cell struct {
		max, conns               int
		buffers                  string
		perSecond, p95, failures float64
	}
	for _, row := range []struct {
		why   string
		cells []cell
		want  int // which of them; -1: none
		says  string
	}{
		{"the fastest by far", []cell{{5, 2, "128MB", 100, 10, 0}, {10, 2, "128MB", 200, 10, 0}}, 1, "none of the other 1"},
		{"as fast with fewer connections", []cell{{10, 2, "128MB", 199, 10, 0}, {10, 4, "128MB", 200, 10, 0}}, 0, "fewest connections"},
		{"as fast with less memory", []cell{{10, 2, "1GB", 200, 10, 0}, {10, 2, "32MB", 199, 10, 0}}, 1, "least memory"},
		{"as fast, but later", []cell{{10, 2, "128MB", 199, 50, 0}, {10, 4, "128MB", 200, 10, 0}}, 1, "none of the other 1"},
		{"the fastest fails", []cell{{10, 2, "128MB", 900, 1, 3}, {10, 4, "128MB", 200, 10, 0}}, 1, ""},
		{"all fail", []cell{{10, 2, "128MB", 900, 1, 3}}, -1, ""},
	} {
		r := result()
		for _, c := range row.cells {
			at := bench.Cell{Name: string(rune('a' + len(r.Cells))), MaxProjects: c.max, Conns: c.conns, SharedBuffers: c.buffers}
			r.Cells = append(r.Cells, at)
			for name, x := range map[string]float64{bench.CellPerSecond: c.perSecond, bench.CellP95: c.p95, bench.CellFailures: c.failures} {
				m := bench.Metric{Name: at.Name + name, Samples: []float64{x, x, x}}
				m.Summary = bench.Summarize(m.Samples)
				r.Metrics = append(r.Metrics, m)
			}
		}
		r.Choose()
		switch {
		case row.want < 0:
			if r.Choice != nil || len(r.Notes) == 0 {
				t.Errorf("%s: %+v, %v", row.why, r.Choice, r.Notes)
			}
		case r.Choice == nil || r.Choice.Cell != r.Cells[row.want].Name || !strings.Contains(r.Choice.Reason, row.says):
			t.Errorf("%s: %+v", row.why, r.Choice)
		}
	}
}
