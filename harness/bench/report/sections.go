package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

const title = "tenantstorm v2: performance report"

// document is the report, in the order of the specification.
func (r *Report) document() ([]block, error) {
	r.compare()
	search, err := r.search()
	if err != nil {
		return nil, err
	}
	tenants, err := r.tenants()
	if err != nil {
		return nil, err
	}
	all := []block{heading{1, title}}
	for _, section := range [][]block{
		r.summary(), r.indexing(), search, tenants, r.memory(), r.pools(), r.regressions(), r.recommendations(), r.conclusion(),
	} {
		all = append(all, section...)
	}
	return all, nil
}

func (r *Report) summary() []block {
	blocks := []block{
		paragraph{fmt.Sprintf("Verdict: **%s**. %s", r.Verdict(), r.inOneBreath())},
		heading{2, "Executive summary"},
		r.table(append(r.boundRows(r.Index, ""), append(append(r.metricRows(r.Index, "index_over_copy"), r.boundRows(r.Search, "")...),
			append(r.metricRows(r.Search, overBare(r.Search)...), r.stressRows()...)...)...)),
	}
	if r.Quick {
		blocks = append(blocks, paragraph{"Made with `--quick`: every load is smaller and shorter than that of the report proper, and its figures are not to be quoted."})
	}
	return append(blocks, r.circumstances()...)
}

// inOneBreath counts what was found.
func (r *Report) inOneBreath() string {
	bounds, missed, violations, worse, unclear := 0, 0, 0, 0, 0
	for _, now := range r.kinds() {
		violations += len(now.Violations)
		for _, b := range now.Bounds {
			bounds++
			if !b.Met {
				missed++
			}
		}
		if c := r.comparisons[now.Kind]; c != nil {
			for _, row := range c.Rows {
				switch {
				case row.Verdict == bench.Fail:
					worse++
				case row.Judged && row.Verdict != bench.Pass:
					unclear++
				}
			}
		}
	}
	text := fmt.Sprintf("%d of %s met; %s of invariants", bounds-missed, plural(bounds, "bound"), plural(violations, "violation"))
	if len(r.comparisons) == 0 {
		return text + "; there was no baseline to compare with."
	}
	return text + fmt.Sprintf("; against the baselines %s worse and %d too noisy to tell.", plural(worse, "metric"), unclear)
}

// circumstances are what the figures have to be read with.
func (r *Report) circumstances() []block {
	all := r.kinds()
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	items := []string{"machine: " + first.Machine.String(), "versions: " + pairs(first.Versions), "server: " + pairs(first.Server)}
	for _, now := range all {
		items = append(items, fmt.Sprintf("%s, %s%s: %s", now.Kind, now.Recorded.Format("2006-01-02 15:04 UTC"), r.file(now.Kind), pairs(now.Settings)))
	}
	return []block{
		paragraph{fmt.Sprintf("Made by `%s`, %s. Every figure is read from a result that was measured in that run; none is typed by hand.", r.Command, r.Made.UTC().Format("2006-01-02 15:04 UTC"))},
		list{items: items},
	}
}

func (r *Report) file(kind bench.Kind) string {
	if name := r.Files[kind]; name != "" {
		return " (`" + name + "`)"
	}
	return ""
}

func pairs(m map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+m[name])
	}
	return strings.Join(parts, ", ")
}

func (r *Report) indexing() []block {
	blocks := []block{heading{2, "Indexing"}}
	if r.Index == nil {
		return append(blocks, paragraph{"Not measured."})
	}
	rows := r.boundRows(r.Index, "")
	rows = append(rows, r.metricRows(r.Index, "index_seconds", "copy_seconds", "index_over_copy", "files_per_second", "megabytes_per_second", "wal_bytes", "database_bytes")...)
	return append(blocks, r.table(rows), percentiles(r.Index, "index_seconds", "copy_seconds"),
		drawn(runs("Indexing, run by run", "s", r.Index, map[string]string{"index_seconds": "index", "copy_seconds": "raw COPY of the same rows"})),
		notes(r.Index))
}

func (r *Report) search() ([]block, error) {
	blocks := []block{heading{2, "Search"}}
	if r.Search == nil {
		return append(blocks, paragraph{"Not measured."}), nil
	}
	rows := r.boundRows(r.Search, "")
	var names, over []string
	series := map[string]string{}
	for _, m := range r.Search.Metrics {
		switch {
		case strings.Contains(m.Name, "_over_bare"):
			over = append(over, m.Name)
			if !strings.HasSuffix(m.Name, "_p95") {
				series[m.Name] = shownName(m.Name)
			}
		default:
			names = append(names, m.Name)
		}
	}
	rows = append(rows, r.metricRows(r.Search, append(names, over...)...)...)
	all, err := latencies("Latency of searches", r.Search)
	if err != nil {
		return nil, err
	}
	return append(blocks, r.table(rows), requests(r.Search), drawn(all, runs("Searches ÷ the same statements, bare", "×", r.Search, series)), notes(r.Search)), nil
}

func (r *Report) tenants() ([]block, error) {
	blocks := []block{heading{2, "Multi-tenant"}}
	s := r.Stress
	if s == nil {
		return append(blocks, paragraph{"Not measured."}), nil
	}
	blocks = append(blocks, r.table(append(r.boundRows(s, ""), r.stressRows()...)), requests(s))
	if len(s.Evicted) > 0 {
		blocks = append(blocks, paragraph{"Evicted in the sequence, in this order: " + strings.Join(s.Evicted, ", ") + "."})
	}
	var looked []string
	for _, family := range slices.Sorted(maps.Keys(s.Checks)) {
		looked = append(looked, fmt.Sprintf("%s %d", family, s.Checks[family]))
	}
	blocks = append(blocks, paragraph{"Looked at, by family of invariants: " + strings.Join(looked, ", ") + "."})
	for _, v := range s.Violations {
		blocks = append(blocks, verbatim{fmt.Sprintf("Violation (%s): %s: %s", v.Phase, v.Fingerprint, v.Sentence), v.Evidence})
	}
	all, err := latencies("Latency under load", s)
	if err != nil {
		return nil, err
	}
	return append(blocks, drawn(all,
		rate("Throughput over time", "operations/s", s, "operations", series(0)),
		rate("Evictions over time", "evictions/s", s, "evictions", series(1))), notes(s)), nil
}

func (r *Report) memory() []block {
	rows := r.metricRows(r.Index, "client_peak_bytes")
	for _, what := range []struct {
		series, name string
	}{
		{"client_resident_bytes", "client, resident, at most under load"}, {"server_private_bytes", "backends, private, at most under load"},
		{"goroutines", "goroutines, at most under load"}, {"backends", "backends, at most under load"},
	} {
		rows = append(rows, r.seriesRows(what.series, what.name)...)
	}
	return []block{
		heading{2, "Memory"}, r.table(rows),
		drawn(overTime("Memory over time", "MB", r.Stress, 1e-6, [][2]string{{"client_resident_bytes", "client, resident"}, {"server_private_bytes", "backends, private"}}),
			overTime("Backends and goroutines", "", r.Stress, 1, [][2]string{{"backends", "backends"}, {"goroutines", "goroutines"}})),
	}
}

func (r *Report) pools() []block {
	blocks := []block{heading{2, "Pool efficiency"}, r.table(r.metricRows(r.Stress, "pool_hit_rate", "evictions"))}
	occupancy := overTime("Pool occupancy over time", "pools", r.Stress, 1, [][2]string{{"active_pools", "resident"}, {"draining_pools", "draining"}})
	if r.Stress != nil {
		if most, ok := number(r.Stress.Settings["max_projects"]); ok {
			occupancy.limits = append(occupancy.limits, limit{"MAX_PROJECTS", most})
		}
	}
	blocks = append(blocks, drawn(occupancy, overTime("Pool hit rate so far", "", r.Stress, 1, [][2]string{{"pool_hit_rate", ""}})))
	if r.Tune == nil {
		return append(blocks, paragraph{"Nothing was tried with other numbers of pools and connections."})
	}
	blocks = append(blocks, heading{3, "Other numbers of pools and connections"}, Tuning(r.Tune), drawn(tuneCharts(r.Tune)...))
	if c := r.Tune.Choice; c != nil {
		blocks = append(blocks, paragraph{"Best: **" + cellNamed(r.Tune, c.Cell) + "**: " + c.Reason + "."})
	}
	return append(blocks, notes(r.Tune))
}

// Tuning is the table of what was tried.
func Tuning(r *bench.Result) block {
	t := table{columns: []string{">MAX_PROJECTS", ">connections a pool", ">shared_buffers", ">searches/s", ">p95, ms", ">evictions per 1,000", ">hit rate", ">backends", ">failures"}}
	for _, c := range r.Cells {
		row := []string{fmt.Sprint(c.MaxProjects), fmt.Sprint(c.Conns), c.SharedBuffers}
		for _, m := range []string{bench.CellPerSecond, bench.CellP95, bench.CellEvictions, bench.CellHitRate, bench.CellBackends, bench.CellFailures} {
			if x, ok := r.Of(c, m); ok {
				row = append(row, figure(x))
			} else {
				row = append(row, none)
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func cellNamed(r *bench.Result, name string) string {
	for _, c := range r.Cells {
		if c.Name == name {
			return c.String()
		}
	}
	return name
}
