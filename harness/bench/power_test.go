package bench_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// The recordings: metrics of search benchmarks of many runs, each beside bare SQL by turns. See testdata/README.
const (
	noisy = "search_runs.json"
	busy  = "busy_runs.json"
)

func recorded(t *testing.T, name string) []bench.Metric {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var metrics []bench.Metric
	if err := json.Unmarshal(data, &metrics); err != nil {
		t.Fatal(err)
	}
	return metrics
}

// pair are the numbers of the runs that two results are made of.
type pair struct{ before, after []int }

// resampled draws runs at random, none twice.
func resampled(all, runs, trials int) (pairs []pair) {
	draw := rand.New(rand.NewPCG(7, 11))
	for range trials {
		order := draw.Perm(all)
		pairs = append(pairs, pair{order[:runs], order[runs : 2*runs]})
	}
	return pairs
}

// interleaved takes runs by turns from a window drawn at random; who comes first is drawn, too, each time. Windows overlap, so
// without that few of them would be all there is.
func interleaved(all, runs, trials int) (pairs []pair) {
	draw := rand.New(rand.NewPCG(13, 17))
	for range trials {
		from := draw.IntN(all - 2*runs + 1)
		var p pair
		for i := range runs {
			first := draw.IntN(2)
			p.before, p.after = append(p.before, from+2*i+first), append(p.after, from+2*i+1-first)
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// consecutive takes one half of every window after the other, as when a baseline is kept and something measured later.
func consecutive(all, runs int) (pairs []pair) {
	for from := range all - 2*runs + 1 {
		var p pair
		for i := range runs {
			p.before, p.after = append(p.before, from+i), append(p.after, from+runs+i)
		}
		pairs = append(pairs, p, pair{p.after, p.before})
	}
	return pairs
}

// failures counts the comparisons in which a quotient fails, the second result's samples being multiplied by slowdown. What one
// run measured stays together. As many metrics are judged as a benchmark has gates.
func failures(t *testing.T, metrics []bench.Metric, pairs []pair, slowdown float64) (n int) {
	t.Helper()
	pick := func(runs []int, factor float64) *bench.Result {
		var picked []bench.Metric
		for _, m := range metrics {
			var samples []float64
			for _, at := range runs {
				samples = append(samples, m.Samples[at]*factor)
			}
			m.Samples = samples
			picked = append(picked, m)
		}
		return result(picked...)
	}
	relative := map[string]bool{}
	for _, m := range metrics {
		relative[m.Name] = m.Relative
	}
	for _, p := range pairs {
		c := compare(t, pick(p.before, 1), pick(p.after, slowdown))
		if slices.ContainsFunc(c.Rows, func(r bench.Row) bool { return relative[r.Name] && r.Verdict == bench.Fail }) {
			n++
		}
	}
	t.Logf("slowdown %v: %d of %d comparisons fail", slowdown, n, len(pairs))
	return n
}

func ways(all int) map[string][]pair {
	const runs = bench.DefaultSearchRuns
	return map[string][]pair{"resampled": resampled(all, runs, 2000), "interleaved": interleaved(all, runs, 2000), "consecutive": consecutive(all, runs)}
}

// TestFalseAlarms compares the service with itself: at most one comparison in a hundred may fail, however the runs were
// taken, on a machine that is noisy and on one that is hardly there.
func TestFalseAlarms(t *testing.T) {
	for _, name := range []string{noisy, busy} {
		metrics := recorded(t, name)
		for way, pairs := range ways(len(metrics[0].Samples)) {
			t.Run(name+" "+way, func(t *testing.T) {
				if n := failures(t, metrics, pairs, 1); n > len(pairs)/100 {
					t.Errorf("%d of %d comparisons of the same failed", n, len(pairs))
				}
			})
		}
	}
}

// TestPower compares the service with one that is slower by a tenth, at the default number of runs: at least 95 of 100
// comparisons must find it.
func TestPower(t *testing.T) {
	metrics := recorded(t, noisy)
	for way, pairs := range ways(len(metrics[0].Samples)) {
		t.Run(way, func(t *testing.T) {
			if n := failures(t, metrics, pairs, 1.10); n < len(pairs)*95/100 {
				t.Errorf("a slowdown of a tenth was found in %d of %d comparisons", n, len(pairs))
			}
		})
	}
}
