package bench_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func repository(t *testing.T, files int) *bench.Repository {
	t.Helper()
	r, err := bench.GenerateRepository(t.Context(), t.TempDir(), 42, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIndexIsSetBesideACopyOfItsRows(t *testing.T) {
	l := newLab(t, fakeTarget())
	const files, runs = 30, 3
	r, err := l.Index(t.Context(), bench.IndexOptions{Repository: repository(t, files), Project: "benchmark", Runs: runs})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"index_seconds", "copy_seconds", "index_over_copy", "files_per_second", "megabytes_per_second", "wal_bytes", "database_bytes"} {
		if m := r.Metric(name); m == nil || len(m.Samples) != runs || slices.Min(m.Samples) <= 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	for i, ratio := range r.Metric("index_over_copy").Samples {
		if want := r.Metric("index_seconds").Samples[i] / r.Metric("copy_seconds").Samples[i]; ratio != want {
			t.Errorf("run %d: ratio %v, want %v", i, ratio, want)
		}
	}
	// The copy is of the table that has rows, with all of them, and not of the one that has none.
	if all := strings.Join(r.Notes, "\n"); !strings.Contains(all, `"Docs" 30 rows`) || strings.Contains(all, "empty") {
		t.Errorf("%s", all)
	}
	if r.Settings["files"] != "30" || r.Settings["seed"] != "42" {
		t.Errorf("%v", r.Settings)
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestSearchIsSetBesideItsStatements(t *testing.T) {
	l := newLab(t, fakeTarget())
	for _, row := range []struct {
		why   string
		fault string
		rate  float64
		ratio bool
	}{
		{"closed", "", 0, true},
		{"open", "", 5000, true},
		{"a service that shows nothing of what it sends", "hidden", 0, false},
	} {
		t.Run(row.why, func(t *testing.T) {
			l.Target = fakeTarget(row.fault)
			const runs, queries = 3, 20
			r, err := l.Search(t.Context(), bench.SearchOptions{
				Repository: repository(t, 30), Project: "benchmark", Queries: queries, Seed: 1, Clients: []int{1, 3}, Rate: row.rate, Runs: runs,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"search_c1_mean", "search_c1_p95", "search_c3_p99", "search_c3_per_second"} {
				if m := r.Metric(name); m == nil || len(m.Samples) != runs {
					t.Errorf("%s: %+v", name, m)
				}
			}
			if m := r.Metric("search_c3_over_bare"); (m != nil) != row.ratio {
				t.Errorf("ratio %+v", m)
			}
			// What can be divided is judged by its quotient.
			for _, m := range r.Metrics {
				if m.Gate && m.Relative != row.ratio {
					t.Errorf("%s is judged", m.Name)
				}
			}
			if all := strings.Join(r.Notes, "\n"); strings.Contains(all, "no ratio") == row.ratio || strings.Contains(all, "closed load") != (row.rate == 0) {
				t.Errorf("%s", all)
			}
			for _, h := range r.Histograms {
				if h.Count != runs*queries {
					t.Errorf("%s has %d requests, want %d: the run that warms up does not count", h.Name, h.Count, runs*queries)
				}
			}
			if names := left(t, l); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			append, err := bench.Append(r, r)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(append.Metric("search_c1_mean").Samples); n != 2*runs || append.Histograms[0].Count != 2*runs*queries || len(append.Bounds) != len(r.Bounds) {
				t.Errorf("appended: %d samples, %d requests", n, append.Histograms[0].Count)
			}
		})
	}
}

// TestSearchEndsWithin has no time at all, and still as many runs as a comparison needs.
func TestSearchEndsWithin(t *testing.T) {
	l := newLab(t, fakeTarget())
	r, err := l.Search(t.Context(), bench.SearchOptions{
		Repository: repository(t, 20), Project: "p", Queries: 5, Seed: 1, Clients: []int{1, 2}, Runs: 1000, Within: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Metric("search_c1_mean").Samples); n != 6 || !strings.Contains(strings.Join(r.Notes, "\n"), "6 runs of 1000") {
		t.Errorf("%d runs: %v", n, r.Notes)
	}
	same, err := bench.Compare(r, r, bench.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range same.Rows {
		if row.Judged && !row.Bounded {
			t.Errorf("%s: %d runs are too few to judge it", row.Name, row.Before.Runs)
		}
	}
}

// TestWrongAnswersAreNotMeasured has services that are fast because they find nothing.
func TestWrongAnswersAreNotMeasured(t *testing.T) {
	l := newLab(t, fakeTarget())
	for _, fault := range []string{"forget", "lose-path"} {
		l.Target = fakeTarget(fault, "hidden")
		_, err := l.Search(t.Context(), bench.SearchOptions{Repository: repository(t, 30), Project: "p", Queries: 50, Seed: 1, Clients: []int{2}, Runs: 1})
		if !errors.Is(err, bench.ErrAnswer) {
			t.Errorf("%s: %v, want ErrAnswer", fault, err)
		}
	}
}

func TestInterruptedMeasurementsLeaveNothing(t *testing.T) {
	l := newLab(t, fakeTarget())
	repo := repository(t, 30)
	for _, row := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"index", func(ctx context.Context) error {
			_, err := l.Index(ctx, bench.IndexOptions{Repository: repo, Project: "p", Runs: 3})
			return err
		}},
		{"search", func(ctx context.Context) error {
			_, err := l.Search(ctx, bench.SearchOptions{Repository: repo, Project: "p", Queries: 10, Clients: []int{2}, Runs: 3})
			return err
		}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		l.Progress = func(s bench.Step) {
			if s.Done == 2 {
				cancel()
			}
		}
		if err := row.run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", row.name, err)
		}
		cancel()
		if names := left(t, l); len(names) > 0 {
			t.Errorf("%s left behind: %v", row.name, names)
		}
	}
}
