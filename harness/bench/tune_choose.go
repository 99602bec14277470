package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Choice is the cell to take.
type Choice struct {
	Cell   string `json:"cell"`
	Reason string `json:"reason"`
}

// How much worse than the best a cell may be and still count as good as it, at least: what varied more between rounds
// is the noise.
const (
	nearThroughput = 0.05
	nearP95        = 0.20
)

// Choose says which cell to take: of those whose throughput, and then whose p95, cannot be told from the best one's, the
// one that costs the server least: the fewest connections, then the least memory.
func (r *Result) Choose() {
	var good []Cell
	for _, c := range r.Cells {
		if n := r.Metric(c.Name + CellFailures); n == nil || slices.Max(n.Samples) == 0 {
			good = append(good, c)
		}
	}
	if len(good) == 0 {
		r.note("searches failed in every cell: there is nothing to recommend")
		return
	}
	of := func(c Cell, metric string) float64 { x, _ := r.Of(c, metric); return x }
	best := slices.MaxFunc(good, func(a, b Cell) int { return cmp.Compare(of(a, CellPerSecond), of(b, CellPerSecond)) })
	within := max(nearThroughput, r.noise(best, CellPerSecond))
	near := keep(good, func(c Cell) bool { return of(c, CellPerSecond) >= of(best, CellPerSecond)*(1-within) })
	quick := slices.MinFunc(near, func(a, b Cell) int { return cmp.Compare(of(a, CellP95), of(b, CellP95)) })
	later := max(nearP95, r.noise(quick, CellP95))
	alike := keep(near, func(c Cell) bool { return of(c, CellP95) <= of(quick, CellP95)*(1+later) })
	chosen := slices.MinFunc(alike, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.MaxProjects*a.Conns, b.MaxProjects*b.Conns), cmp.Compare(size(a.SharedBuffers), size(b.SharedBuffers)),
			cmp.Compare(of(a, CellP95), of(b, CellP95)))
	})
	r.Choice = &Choice{Cell: chosen.Name, Reason: r.reason(chosen, best, quick, within, later, len(alike), len(good))}
}

func keep(cells []Cell, good func(Cell) bool) (kept []Cell) {
	for _, c := range cells {
		if good(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// noise is how far a metric's rounds were from their median, as a share of it.
func (r *Result) noise(c Cell, metric string) float64 {
	m := r.Metric(c.Name + metric)
	if m == nil || m.Summary.P50 == 0 {
		return 0
	}
	return max(slices.Max(m.Samples)-m.Summary.P50, m.Summary.P50-slices.Min(m.Samples)) / m.Summary.P50
}

func (r *Result) reason(c, best, quick Cell, within, later float64, alike, good int) string {
	of := func(c Cell, metric string) float64 { x, _ := r.Of(c, metric); return x }
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f searches/s and a p95 of %.1f ms", of(c, CellPerSecond), of(c, CellP95))
	if c != best {
		fmt.Fprintf(&b, "; the best throughput, %.0f/s, is within %.0f %% of it, which is no more than the noise or not worth its %d connections", of(best, CellPerSecond), 100*within, best.MaxProjects*best.Conns)
	}
	if c != quick {
		fmt.Fprintf(&b, "; the best p95 among those as fast, %.1f ms, is within %.0f %%", of(quick, CellP95), 100*later)
	}
	if alike == 1 {
		fmt.Fprintf(&b, "; none of the other %d cells without failures is as good", good-1)
	} else {
		fmt.Fprintf(&b, "; of %d cells as good as that it needs the fewest connections (at most %d), then the least memory", alike, c.MaxProjects*c.Conns)
	}
	if hit, ok := r.Of(c, CellHitRate); ok {
		fmt.Fprintf(&b, "; %.0f %% of the searches found their pool resident, %.1f of 1,000 evicted one", 100*hit, of(c, CellEvictions))
	}
	if len(r.Metric(c.Name+CellPerSecond).Samples) < 3 {
		b.WriteString("; fewer than three rounds say little about noise")
	}
	return b.String()
}

// size is a setting such as 128MB in kilobytes, to be compared; 0 where it is not one.
func size(s string) int {
	for unit, factor := range map[string]int{"kB": 1, "MB": 1 << 10, "GB": 1 << 20, "TB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n * factor
			}
		}
	}
	return 0
}
