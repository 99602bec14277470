package bench_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func compare(t *testing.T, a, b *bench.Result) *bench.Comparison {
	t.Helper()
	c, err := bench.Compare(a, b, bench.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerdicts(t *testing.T) {
	higher := func(m bench.Metric) bench.Metric { m.Higher = true; return m }
	shown := func(m bench.Metric) bench.Metric { m.Gate = false; return m }
	for _, row := range []struct {
		why           string
		before, after bench.Metric
		verdict, says string
	}{
		{"the same", gate(spread(20, 100, 0.02)...), gate(spread(20, 100, 0.02)...), bench.Pass, "not worse"},
		{"slower by a tenth", gate(spread(20, 100, 0.02)...), gate(spread(20, 110, 0.02)...), bench.Fail, "worse"},
		{"slower, but within the tolerance for certain", gate(spread(20, 100, 0.02)...), gate(spread(20, 105, 0.02)...), bench.Pass, "worse, but by less"},
		{"faster", gate(spread(20, 100, 0.02)...), gate(spread(20, 80, 0.02)...), bench.Pass, "better"},
		{"more, where more is better", higher(gate(spread(20, 100, 0.02)...)), higher(gate(spread(20, 150, 0.02)...)), bench.Pass, "better"},
		{"less, where more is better", higher(gate(spread(20, 100, 0.02)...)), higher(gate(spread(20, 80, 0.02)...)), bench.Fail, "worse"},
		{"noise as wide as the tolerance", gate(spread(20, 100, 0.5)...), gate(spread(20, 104, 0.5)...), bench.Unclear, "too noisy to tell, needs "},
		{"too few runs, however clear", gate(100, 101), gate(200, 201), bench.Unclear, "too noisy to tell, needs "},
		{"a figure that never changes", gate(spread(10, 100, 0)...), gate(spread(10, 100, 0)...), bench.Pass, "not worse"},
		{"a figure that changed once and for all", gate(spread(10, 100, 0)...), gate(spread(10, 111, 0)...), bench.Fail, "worse"},
		{"zeros on both sides", gate(0, 0, 0), gate(0, 0, 0), bench.Pass, "the same"},
		{"zeros on one side", gate(0, 0, 0), gate(1, 1, 1), bench.Unclear, "zero"},
		{"nothing to judge", shown(gate(spread(20, 100, 0)...)), shown(gate(spread(20, 200, 0)...)), bench.Unclear, "shown only"},
	} {
		c := compare(t, result(row.before), result(row.after))
		if got := c.Rows[0]; c.Verdict != row.verdict || !strings.Contains(got.Why, row.says) {
			t.Errorf("%s: %s (%s, %+.3f in %+.3f … %+.3f), want %s and %q", row.why, c.Verdict, got.Why, got.Change, got.Lo, got.Hi, row.verdict, row.says)
		}
	}
}

// TestMoreRunsAreEnough takes as many runs as were asked for of the same noise: then there is a verdict.
func TestMoreRunsAreEnough(t *testing.T) {
	for seed := range uint64(20) {
		draw := rand.New(rand.NewPCG(seed, 1))
		sample := func(n int) (xs []float64) {
			for range n {
				xs = append(xs, 100+20*draw.NormFloat64())
			}
			return xs
		}
		const runs = 10
		c := compare(t, result(gate(sample(runs)...)), result(gate(sample(runs)...)))
		if c.Verdict != bench.Unclear {
			continue
		}
		// The request is an estimate from ten runs; twice of it is enough for all of these seeds.
		n := runs + 2*c.Rows[0].More
		if c = compare(t, result(gate(sample(n)...)), result(gate(sample(n)...))); c.Verdict == bench.Unclear {
			t.Errorf("seed %d: still %s after %d runs", seed, c.Rows[0].Why, n)
		}
	}
}

func TestOtherExperimentsAreRefusedAndOtherPlacesSaid(t *testing.T) {
	other := result(gate(1, 2))
	other.Settings["files"] = "11"
	if _, err := bench.Compare(result(gate(1, 2)), other, bench.CompareOptions{}); !errors.Is(err, bench.ErrOtherExperiment) || !strings.Contains(err.Error(), `files: "10", and "11"`) {
		t.Errorf("other settings: %v", err)
	}
	other = result(gate(1, 2))
	other.Kind = bench.KindIndex
	if _, err := bench.Compare(result(gate(1, 2)), other, bench.CompareOptions{}); !errors.Is(err, bench.ErrOtherExperiment) {
		t.Errorf("another kind: %v", err)
	}

	ratio := bench.Metric{Name: "ratio", Unit: "×", Gate: true, Relative: true, Samples: spread(20, 2, 0.01)}
	slow := gate(spread(20, 200, 0.01)...)
	for _, row := range []struct {
		why   string
		place func(*bench.Result)
		says  string
		judge bool // are absolute figures judged?
	}{
		{"another machine", func(r *bench.Result) { r.Machine.Cores = 8 }, "machine:", false},
		{"another server", func(r *bench.Result) { r.Server["fsync"] = "on" }, `fsync: "off", and "on"`, false},
		{"another version, which is what one compares", func(r *bench.Result) { r.Versions["go"] = "2" }, `go: "1", and "2"`, true},
	} {
		after := result(slow, ratio)
		row.place(after)
		c := compare(t, result(gate(spread(20, 100, 0.01)...), ratio), after)
		if len(c.Elsewhere) != 1 || !strings.Contains(c.Elsewhere[0], row.says) {
			t.Errorf("%s: said %q", row.why, c.Elsewhere)
		}
		if c.Rows[0].Judged != row.judge || !c.Rows[1].Judged {
			t.Errorf("%s: judged %v and %v", row.why, c.Rows[0].Judged, c.Rows[1].Judged)
		}
		if want := map[bool]string{true: bench.Fail, false: bench.Pass}[row.judge]; c.Verdict != want {
			t.Errorf("%s: %s, want %s", row.why, c.Verdict, want)
		}
	}
	for _, tolerance := range []float64{-0.1, 1, 2} {
		if _, err := bench.Compare(result(gate(1)), result(gate(1)), bench.CompareOptions{Tolerance: tolerance}); err == nil {
			t.Errorf("tolerance %v was taken", tolerance)
		}
	}
}
