package bench_test

import (
	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// result is a result of search with some metrics, whose arithmetic is right.
func result(metrics ...bench.Metric) *bench.Result {
	r := &bench.Result{
		Schema: bench.SchemaVersion, Kind: bench.KindSearch, Machine: bench.Machine{OS: "os", Cores: 2}, Versions: map[string]string{"go": "1"},
		Settings: map[string]string{"files": "10"}, Server: map[string]string{"fsync": "off"}, Bounds: []bench.Bound{}, Verdict: bench.Pass,
	}
	for _, m := range metrics {
		m.Summary = bench.Summarize(m.Samples)
		r.Metrics = append(r.Metrics, m)
	}
	return r
}

func gate(samples ...float64) bench.Metric {
	return bench.Metric{Name: "m", Unit: "ms", Gate: true, Samples: samples}
}

// spread gives n values evenly around a middle, up to a share away from it.
func spread(n int, middle, share float64) (xs []float64) {
	for i := range n {
		xs = append(xs, middle*(1+share*(2*float64(i)/float64(max(1, n-1))-1)))
	}
	return xs
}
