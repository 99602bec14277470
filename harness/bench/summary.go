package bench

import (
	"math"
	"slices"
)

// Summary describes a sample. Percentiles are by nearest rank: values that were measured, so with fewer than
// twenty runs p95 is the largest.
type Summary struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
}

// Summarize describes a sample that is not empty.
func Summarize(sample []float64) Summary {
	sorted := slices.Sorted(slices.Values(sample))
	sum := 0.0
	for _, x := range sorted {
		sum += x
	}
	at := func(q float64) float64 {
		return sorted[max(0, int(math.Ceil(q*float64(len(sorted))-1e-9))-1)]
	}
	return Summary{Mean: sum / float64(len(sorted)), P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}
