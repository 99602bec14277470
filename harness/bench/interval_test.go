package bench

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestUDistribution compares the counts with those of all orders, counted one by one.
func TestUDistribution(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for m := 1; m <= 5; m++ {
			want := make([]float64, n*m+1)
			for mask := range 1 << (n + m) {
				u, ones, zeros := 0, 0, 0
				for bit := range n + m {
					if mask>>bit&1 == 1 {
						ones++
						u += zeros
					} else {
						zeros++
					}
				}
				if ones == n {
					want[u]++
				}
			}
			if got := uDistribution(n, m); !slices.Equal(got, want) {
				t.Errorf("%d and %d: %v, want %v", n, m, got, want)
			}
		}
	}
}

// TestCriticalU has values of published tables of the Mann-Whitney test: largest U that is significant, plus one.
func TestCriticalU(t *testing.T) {
	for _, row := range []struct {
		n, m  int
		alpha float64
		want  int
	}{
		{3, 3, 0.05, 0}, {4, 4, 0.05, 1}, {5, 5, 0.05, 3}, {10, 10, 0.05, 24}, {20, 20, 0.05, 128}, {5, 5, 0.01, 1}, {10, 10, 0.01, 17}, {20, 20, 0.01, 106},
	} {
		if got := criticalU(row.n, row.m, row.alpha); got != row.want {
			t.Errorf("%d and %d at %v: %d, want %d", row.n, row.m, row.alpha, got, row.want)
		}
	}
	// Where counting ends and the normal distribution begins, the two agree.
	n := 2
	for orders(n+1, n+1) <= exactOrders {
		n++
	}
	exact, normal := criticalU(n, n, 0.01), criticalU(n+1, n+1, 0.01)
	if step := normal - exact; step < 0 || float64(step) > 2*float64(n) {
		t.Errorf("%d values give %d, %d give %d", n, exact, n+1, normal)
	}
}

func TestIntervalProperties(t *testing.T) {
	sample := rapid.SliceOfN(rapid.Float64Range(1, 1000), 5, 12)
	rapid.Check(t, func(t *rapid.T) {
		a, b := sample.Draw(t, "a"), sample.Draw(t, "b")
		s, back := interval(a, b, 0.05), interval(b, a, 0.05)
		if !s.bounded || s.lo > s.mid || s.mid > s.hi {
			t.Fatalf("%+v", s)
		}
		near := func(x, y float64) bool { return math.Abs(x-y) < 1e-9 }
		if !near(s.lo, -back.hi) || !near(s.mid, -back.mid) || !near(s.hi, -back.lo) {
			t.Fatalf("%+v, and the other way round %+v", s, back)
		}
		twice := slices.Clone(b)
		for i := range twice {
			twice[i] *= 2
		}
		d := interval(a, twice, 0.05)
		if !near(d.mid, s.mid+math.Ln2) || !near(d.lo, s.lo+math.Ln2) || !near(d.hi, s.hi+math.Ln2) {
			t.Fatalf("%+v, and of twice as much %+v", s, d)
		}
		if wide := interval(a, b, 0.02); wide.bounded && (wide.lo > s.lo || wide.hi < s.hi) {
			t.Fatalf("surer is narrower: %+v, %+v", s, wide)
		}
	})
}
