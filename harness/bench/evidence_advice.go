package bench

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// From when on something is worth advice.
const (
	manyScans     = 10   // full scans of a table: fewer are a matter of setting up and of looking
	fewRows       = 1000 // a smaller table is read as fast without an index
	misestimate   = 10   // times: the planner expected so many more or fewer rows
	slowStatement = 20 * time.Millisecond
	longWait      = 5 * time.Millisecond
	goodHitRate   = 0.9
	manyReads     = 0.05 // share of blocks that were not in shared_buffers
	mostOfAll     = 0.5
	matters       = 0.05 // share of the time in statements: below it, nothing is gained
)

// advise says what to try, in this order: indexes, statistics, statements, connections, pools, the server's memory, the
// service itself. What comes earlier is cheaper to change or makes more of a difference to what comes later.
func (e *Evidence) advise() {
	for _, of := range []func() []string{e.aboutIndexes, e.aboutEstimates, e.aboutStatements, e.aboutConnections, e.aboutPools, e.aboutMemory} {
		e.Advice = append(e.Advice, of()...)
	}
	if len(e.Advice) == 0 {
		e.Advice = append(e.Advice, "nothing of the server stands out: no table without an index that is read often, no plan far from its estimate, no wait for connections")
	}
	if len(e.CPU) > 0 {
		e.Advice = append(e.Advice, "look where the client's process spends its time and memory: go tool pprof -top cpu.pprof; go tool pprof -top -sample_index=inuse_space heap.pprof")
	}
}

// Hint says of a table that it seems to lack an index; "" where it does not.
func (t TableReads) Hint() string {
	if t.Scans < manyScans || t.Rows < fewRows || t.ScanRows < t.Scans*t.Rows/2 {
		return ""
	}
	return fmt.Sprintf("%s (%d rows) was read from end to end %d times, and %d times by an index: an index on what these statements ask for may be missing", t.Name, t.Rows, t.Scans, t.IndexUses)
}

func (e *Evidence) aboutIndexes() (advice []string) {
	for _, t := range e.Tables {
		if hint := t.Hint(); hint != "" {
			advice = append(advice, "missing index: "+hint)
		}
	}
	for _, p := range e.Plans {
		for _, line := range p.Text {
			m := removed.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if n, err := strconv.Atoi(m[1]); err == nil && n >= fewRows {
				advice = append(advice, fmt.Sprintf("missing index: %d rows were read and thrown away by a filter, each time, in: %s", n, short(p.SQL)))
				break
			}
		}
	}
	return advice
}

// removed finds what a plan's node read for nothing.
var removed = regexp.MustCompile(`Rows Removed by Filter: (\d+)`)

// nodeRows finds a plan node's estimated and real rows.
var nodeRows = regexp.MustCompile(`^\s*(?:->\s*)?(.*?)\s+\(cost=[^)]* rows=(\d+) [^)]*\) \(actual[^)]* rows=([0-9.]+) loops=(\d+)\)`)

// estimates are the plan's worst misjudgement: how many times more or fewer rows came than were expected.
func estimates(plan []string) (node string, expected, real, times float64) {
	for _, line := range plan {
		m := nodeRows.FindStringSubmatch(line)
		if m == nil || m[4] == "0" { // never executed
			continue
		}
		want, err1 := strconv.ParseFloat(m[2], 64)
		got, err2 := strconv.ParseFloat(m[3], 64)
		if err1 != nil || err2 != nil {
			continue
		}
		// One row expected where none came is no mistake.
		off := max(max(want, 1)/max(got, 1), max(got, 1)/max(want, 1))
		if off >= times { // the deepest is where it comes from
			node, expected, real, times = m[1], want, got, off
		}
	}
	return node, expected, real, times
}

func (e *Evidence) aboutEstimates() (advice []string) {
	for _, p := range e.Plans {
		if node, want, got, times := estimates(p.Text); times >= misestimate && max(want, got) >= fewRows/misestimate {
			advice = append(advice, fmt.Sprintf("statistics: the planner expected %.0f rows of %q and got %.0f: ANALYZE after indexing, or a statement that can be estimated", want, node, got))
		}
	}
	return advice
}

// inStatements is the time in all of them.
func (e *Evidence) inStatements() (all time.Duration) {
	for _, s := range e.Statements {
		all += s.Total
	}
	return all
}

func (e *Evidence) aboutStatements() (advice []string) {
	all := e.inStatements()
	for _, s := range e.Statements {
		share := float64(s.Total) / float64(max(1, all))
		if share >= mostOfAll || s.Max >= slowStatement && s.Total/time.Duration(s.Times) >= slowStatement/4 {
			advice = append(advice, fmt.Sprintf("statement: %.0f %% of all time in statements, %d times, %s each, at most %s: %s",
				100*share, s.Times, round(s.Total/time.Duration(s.Times)), round(s.Max), short(s.SQL)))
		}
	}
	return advice
}

func (e *Evidence) aboutConnections() (advice []string) {
	worth := time.Duration(matters * float64(e.inStatements()))
	if n := e.Acquire.Times; n > 0 && e.Acquire.Max >= longWait && e.Acquire.Total > worth {
		advice = append(advice, fmt.Sprintf("connections: a pool's connection took %s to get on average over %d times, at most %s: more connections a pool, where the server has cores for them (tenantstorm tune)",
			round(e.Acquire.Total/time.Duration(n)), n, round(e.Acquire.Max)))
	}
	if n := e.Connect.Times; n > 0 && e.Connect.Max >= longWait && e.Connect.Total > worth {
		advice = append(advice, fmt.Sprintf("connections: %d were opened, %s each: pools that are evicted less often, or that keep idle connections", n, round(e.Connect.Total/time.Duration(n))))
	}
	return advice
}

func (e *Evidence) aboutPools() []string {
	if e.HitRate == nil || *e.HitRate >= goodHitRate {
		return nil
	}
	return []string{fmt.Sprintf("pools: only %.0f %% of the operations found their project's pool resident: a larger MAX_PROJECTS (tenantstorm tune)", 100**e.HitRate)}
}

// blocks finds a plan's total of blocks that were in shared_buffers and that were not: its first line of buffers is the top node's.
var blocks = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)

func (e *Evidence) aboutMemory() []string {
	hit, read := 0.0, 0.0
	for _, p := range e.Plans {
		if m := blocks.FindStringSubmatch(strings.Join(p.Text, "\n")); m != nil {
			h, _ := strconv.ParseFloat("0"+m[1], 64)
			r, _ := strconv.ParseFloat("0"+m[2], 64)
			hit, read = hit+h, read+r
		}
	}
	if share := read / math.Max(1, hit+read); share >= manyReads {
		return []string{fmt.Sprintf("memory: %.0f %% of the blocks that the worst statements needed were not in shared_buffers: more of it (tenantstorm tune --shared-buffers)", 100*share)}
	}
	return nil
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}
