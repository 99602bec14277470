package bench

import (
	"math"
	"slices"
)

// span is the logarithm of a quotient and the interval it lies in.
type span struct {
	lo, mid, hi float64
	bounded     bool // there were samples enough for lo and hi
}

// interval estimates by which factor b is larger than a, as a logarithm: the median of the quotients of all pairs
// (Hodges and Lehmann), within the interval that belongs to the Mann-Whitney U-test of level alpha. It assumes nothing
// of the distributions but that they have the same shape. All samples must be above zero.
func interval(a, b []float64, alpha float64) span {
	d := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			d = append(d, math.Log(y/x))
		}
	}
	slices.Sort(d)
	s := span{mid: (d[(len(d)-1)/2] + d[len(d)/2]) / 2}
	if k := criticalU(len(a), len(b), alpha); k > 0 {
		s.lo, s.hi, s.bounded = d[k-1], d[len(d)-k], true
	}
	return s
}

// criticalU returns the largest k such that a U-statistic of samples of n and m values from one distribution is below k
// with a chance of at most alpha ÷ 2; 0 where there is none.
func criticalU(n, m int, alpha float64) int {
	if orders(n, m) > exactOrders {
		mean, deviation := float64(n)*float64(m)/2, math.Sqrt(float64(n)*float64(m)*float64(n+m+1)/12)
		return max(0, int(mean-deviation*math.Sqrt2*math.Erfinv(1-alpha)))
	}
	ways := uDistribution(n, m)
	total := 0.0
	for _, w := range ways {
		total += w
	}
	below := 0.0
	for k, w := range ways {
		below += w
		if below/total > alpha/2 {
			return k
		}
	}
	return 0
}

// exactOrders is how many orders are counted exactly: all counts are whole numbers that a float64 holds. Beyond, the
// distribution is as good as normal.
const exactOrders = 1e15

// orders is in how many ways n and m values can be mixed.
func orders(n, m int) float64 {
	a, _ := math.Lgamma(float64(n + m + 1))
	b, _ := math.Lgamma(float64(n + 1))
	c, _ := math.Lgamma(float64(m + 1))
	return math.Exp(a - b - c)
}

// uDistribution counts, for every value of U, the orders of n and m values that give it: the coefficients of the
// Gaussian binomial, by their recurrence as a product of (1-x^(m+i)) ÷ (1-x^i).
func uDistribution(n, m int) []float64 {
	ways := make([]float64, n*m+1)
	ways[0] = 1
	for i := 1; i <= n; i++ {
		for u := n * m; u >= m+i; u-- {
			ways[u] -= ways[u-m-i]
		}
		for u := i; u <= n*m; u++ {
			ways[u] += ways[u-i]
		}
	}
	return ways
}

// margin is by how much an interval is to be narrower than the room it has: its middle wanders, too, by about a third of
// half its width, and shall still leave room in nine of ten cases.
const margin = 1.5

// mostRuns bounds what is asked for: beyond it a quieter machine is the better way.
const mostRuns = 10_000

// moreRuns estimates how many more runs each side needs until a verdict can be expected: the interval narrows with
// the square root of the runs, and has to fit on one side of zero or of the tolerance, whichever the estimate is
// farther from.
func moreRuns(s span, most, alpha float64, runs int) int {
	need := runs
	for criticalU(need, need, alpha) == 0 {
		need++
	}
	if s.bounded {
		half, room := margin*(s.hi-s.lo)/2, max(most-s.mid, s.mid)
		need = max(need, int(math.Ceil(float64(runs)*min(half*half/(room*room), mostRuns))))
	}
	return min(max(1, need-runs), mostRuns)
}
