package bench_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// recorded are the metrics of a search benchmark of many runs, each beside bare SQL, made on a machine on which others
// were at work. See testdata/README.
func recorded(t *testing.T) []bench.Metric {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "search_runs.json"))
	if err != nil {
		t.Fatal(err)
	}
	var metrics []bench.Metric
	if err := json.Unmarshal(data, &metrics); err != nil {
		t.Fatal(err)
	}
	return metrics
}

// resample draws two results of so many runs each from what was recorded, no run twice. What one run measured stays
// together. The second result's latencies are multiplied by slowdown.
func resample(draw *rand.Rand, metrics []bench.Metric, runs int, slowdown float64) (before, after *bench.Result) {
	order := draw.Perm(len(metrics[0].Samples))
	pick := func(from int, factor float64) *bench.Result {
		var picked []bench.Metric
		for _, m := range metrics {
			var samples []float64
			for _, at := range order[from : from+runs] {
				samples = append(samples, m.Samples[at]*factor)
			}
			m.Samples = samples
			picked = append(picked, m)
		}
		return result(picked...)
	}
	return pick(0, 1), pick(runs, slowdown)
}

// verdicts counts the verdicts of comparisons at the default number of runs.
func verdicts(t *testing.T, trials int, slowdown float64) map[string]int {
	t.Helper()
	metrics := recorded(t)
	draw := rand.New(rand.NewPCG(7, 11))
	seen := map[string]int{}
	for range trials {
		before, after := resample(draw, metrics, bench.DefaultSearchRuns, slowdown)
		seen[compare(t, before, after).Verdict]++
	}
	t.Logf("slowdown %v: %v of %d", slowdown, seen, trials)
	return seen
}

// TestFalseAlarms compares the service with itself: at most one comparison in a hundred may fail.
func TestFalseAlarms(t *testing.T) {
	const trials = 5000
	if n := verdicts(t, trials, 1)[bench.Fail]; n > trials/100 {
		t.Errorf("%d of %d comparisons of the same failed", n, trials)
	}
}

// TestPower compares the service with one that is slower by a tenth: at least 95 of 100 comparisons must find it.
func TestPower(t *testing.T) {
	const trials = 1000
	if n := verdicts(t, trials, 1.10)[bench.Fail]; n < trials*95/100 {
		t.Errorf("a slowdown of a tenth was found in %d of %d comparisons", n, trials)
	}
}
