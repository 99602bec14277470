package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// none is what stands where there is no figure.
const none = "–"

// table is one of the report's main tables.
func (r *Report) table(rows [][]string) block {
	if len(rows) == 0 {
		return paragraph{"Not measured."}
	}
	return table{columns: []string{"figure", ">baseline", ">current", ">delta", "verdict"}, rows: rows}
}

// boundRows are the bounds of a result whose names begin with prefix.
func (r *Report) boundRows(now *bench.Result, prefix string) (rows [][]string) {
	if now == nil {
		return nil
	}
	for _, b := range now.Bounds {
		if !strings.HasPrefix(b.What, prefix) {
			continue
		}
		row := []string{boundName(b.What), none, withUnit(b.Value, b.Unit), none, fmt.Sprintf("%s: %s %s", verdict(b.Met), b.Rule, withUnit(b.Limit, b.Unit))}
		if before := r.comparable(now.Kind); before != nil {
			at := slices.IndexFunc(before.Bounds, func(o bench.Bound) bool { return o.What == b.What })
			if at >= 0 {
				row[1], row[3] = withUnit(before.Bounds[at].Value, b.Unit), change(before.Bounds[at].Value, b.Value)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// boundName is what a bound is of, in words.
func boundName(what string) string {
	if load, ok := strings.CutSuffix(what, " p95"); ok && strings.HasPrefix(load, "search_c") {
		return "all searches, " + strings.TrimPrefix(seriesName(load), "service, ") + ": p95"
	}
	return what
}

func verdict(met bool) string {
	if met {
		return bench.Pass
	}
	return bench.Fail
}

// comparable is the baseline of a kind, where it is of the same experiment.
func (r *Report) comparable(kind bench.Kind) *bench.Result {
	if r.comparisons[kind] == nil {
		return nil
	}
	return r.Baselines[kind]
}

// metricRows are the medians of some metrics, those that were measured.
func (r *Report) metricRows(now *bench.Result, names ...string) (rows [][]string) {
	if now == nil {
		return nil
	}
	for _, name := range names {
		m := now.Metric(name)
		if m == nil {
			continue
		}
		row := []string{shownName(name), none, withUnit(median(m.Samples), m.Unit), none, "no baseline"}
		if c := r.comparisons[now.Kind]; c != nil {
			at := slices.IndexFunc(c.Rows, func(o bench.Row) bool { return o.Name == name })
			if at < 0 {
				row[4] = "not in the baseline"
			} else {
				found := c.Rows[at]
				row[1], row[3], row[4] = withUnit(found.Before.Median, m.Unit), delta(found), rowVerdict(found)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *Report) stressRows() [][]string {
	return r.metricRows(r.Stress, "load_search_p95", "load_search_per_second", "load_index_p95", "load_index_per_second", "pool_hit_rate", "evictions", "failures")
}

// seriesRows are the most that was sampled of a figure.
func (r *Report) seriesRows(name, shown string) [][]string {
	if r.Stress == nil {
		return nil
	}
	most := func(in *bench.Result) (string, float64, bool) {
		s := sampled(in, name)
		if s == nil || len(s.Points) == 0 {
			return "", 0, false
		}
		x := s.Points[0][1]
		for _, p := range s.Points {
			x = max(x, p[1])
		}
		return s.Unit, x, true
	}
	unit, x, ok := most(r.Stress)
	if !ok {
		return nil
	}
	row := []string{shown, none, withUnit(x, unit), none, "no baseline"}
	if before := r.comparable(bench.KindStress); before != nil {
		row[4] = "shown only"
		if _, was, ok := most(before); ok {
			row[1], row[3] = withUnit(was, unit), change(was, x)
		}
	}
	return [][]string{row}
}

// overBare are the names of the ratios to bare SQL.
func overBare(r *bench.Result) (names []string) {
	if r == nil {
		return nil
	}
	for _, m := range r.Metrics {
		if strings.HasSuffix(m.Name, "_over_bare") {
			names = append(names, m.Name)
		}
	}
	return names
}

// percentiles are those of some metrics over their runs.
func percentiles(r *bench.Result, names ...string) block {
	t := table{columns: []string{"over the runs", ">runs", ">mean", ">p50", ">p95", ">p99"}}
	for _, name := range names {
		if m := r.Metric(name); m != nil {
			s := m.Summary
			t.rows = append(t.rows, []string{shownName(name), fmt.Sprint(len(m.Samples)), withUnit(s.Mean, m.Unit), withUnit(s.P50, m.Unit), withUnit(s.P95, m.Unit), withUnit(s.P99, m.Unit)})
		}
	}
	return t
}

// requests are the percentiles of every single request.
func requests(r *bench.Result) block {
	t := table{columns: []string{"all requests", ">count", ">p50, ms", ">p95, ms", ">p99, ms", ">max, ms"}}
	for _, h := range r.Histograms {
		t.rows = append(t.rows, []string{seriesName(h.Name), fmt.Sprint(h.Count), figure(h.P50), figure(h.P95), figure(h.P99), figure(h.Max)})
	}
	return t
}

func notes(r *bench.Result) block { return list{items: r.Notes} }

// drawn leaves out charts that have nothing to show.
func drawn(charts ...chart) block {
	return figures{slices.DeleteFunc(charts, func(c chart) bool { return !c.drawn() })}
}

func rowVerdict(r bench.Row) string {
	if !r.Judged || r.Verdict == "" {
		return r.Why
	}
	return r.Verdict + ": " + r.Why
}

func delta(r bench.Row) string { return fmt.Sprintf("%+.1f %%", 100*r.Change) }

func change(before, now float64) string {
	switch {
	case before == now:
		return "±0"
	case before == 0:
		return none
	}
	return fmt.Sprintf("%+.1f %%", 100*(now/before-1))
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// shownName is a metric's name in words.
func shownName(name string) string {
	if words, ok := map[string]string{
		"index_seconds": "index", "copy_seconds": "raw COPY of the same rows", "index_over_copy": "index ÷ raw COPY",
		"files_per_second": "files a second", "megabytes_per_second": "megabytes a second", "client_peak_bytes": "client's peak memory while indexing",
		"wal_bytes": "WAL written by an index", "database_bytes": "databases after an index", "pool_hit_rate": "pool hit rate under load",
		"evictions": "evictions under load", "failures": "failures under load", "load_search_p95": "searches under load, p95",
		"load_search_per_second": "searches under load", "load_index_p95": "indexes under load, p95", "load_index_per_second": "indexes under load",
	}[name]; ok {
		return words
	}
	by, rest, ok := strings.Cut(name, "_c")
	clients, what, cut := strings.Cut(rest, "_")
	n, err := strconv.Atoi(clients)
	if !ok || !cut || err != nil {
		return name
	}
	who := map[string]string{"search": "search", "bare": "bare SQL"}[by]
	how := map[string]string{"over_bare": "÷ bare SQL", "over_bare_p95": "÷ bare SQL, of p95", "per_second": "a second"}[what]
	if how == "" {
		how = what
	}
	return fmt.Sprintf("%s, %s: %s", who, plural(n, "client"), how)
}

// withUnit is a figure with its unit, bytes in megabytes.
func withUnit(x float64, unit string) string {
	switch unit {
	case "B":
		return figure(x/1e6) + " MB"
	case "", "×":
		return figure(x) + unit
	case "1/s":
		return figure(x) + "/s"
	}
	return figure(x) + " " + unit
}

// figure gives three significant digits, and all digits of what is whole or large.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case x == math.Trunc(x) || a >= 1000:
		return fmt.Sprintf("%.0f", x)
	case a >= 100:
		return fmt.Sprintf("%.1f", x)
	case a >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

func number(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}
