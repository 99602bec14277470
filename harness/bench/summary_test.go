package bench_test

import (
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func TestSummarize(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // not in order
	}
	for _, row := range []struct {
		why    string
		sample []float64
		want   bench.Summary
	}{
		{"one value is all of them", []float64{7}, bench.Summary{Mean: 7, P50: 7, P95: 7, P99: 7}},
		{"nearest rank of an even number is the lower middle", []float64{4, 1, 3, 2}, bench.Summary{Mean: 2.5, P50: 2, P95: 4, P99: 4}},
		{"of nineteen the 95th percentile is the largest", append(spread(18, 5, 0), 9), bench.Summary{Mean: 99.0 / 19, P50: 5, P95: 9, P99: 9}},
		{"of twenty it is not", append(spread(19, 5, 0), 9), bench.Summary{Mean: 104.0 / 20, P50: 5, P95: 5, P99: 9}},
		{"of a hundred each is a rank", hundred, bench.Summary{Mean: 50.5, P50: 50, P95: 95, P99: 99}},
	} {
		if got := bench.Summarize(row.sample); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.why, got, row.want)
		}
	}
}
