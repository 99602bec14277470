package report

import (
	"time"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// Report is what a report is made of.
type Report struct {
	// Index, Search, Stress and Tune are what was measured; nil where it was not.
	Index, Search, Stress, Tune *bench.Result
	// Baselines are what each is compared with.
	Baselines map[bench.Kind]*bench.Result
	// Unusable says why there is no baseline of a kind.
	Unusable map[bench.Kind]error
	// Evidence is what was gathered where something failed.
	Evidence []*bench.Evidence
	// Quick says that everything was made shorter than it should be.
	Quick bool
	// Command is what makes the report again; Files are the results' files, by kind, as the report names them.
	Command string
	Files   map[bench.Kind]string
	// Made is when.
	Made time.Time

	comparisons map[bench.Kind]*bench.Comparison
}

// kinds are the results in the order of the report.
func (r *Report) kinds() []*bench.Result {
	var all []*bench.Result
	for _, m := range []*bench.Result{r.Index, r.Search, r.Stress, r.Tune} {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// compare judges every result that has a baseline.
func (r *Report) compare() {
	if r.comparisons != nil {
		return
	}
	r.comparisons = map[bench.Kind]*bench.Comparison{}
	if r.Unusable == nil {
		r.Unusable = map[bench.Kind]error{}
	}
	for _, now := range r.kinds() {
		before := r.Baselines[now.Kind]
		if before == nil {
			continue
		}
		c, err := bench.Compare(before, now, bench.CompareOptions{})
		if err != nil {
			r.Unusable[now.Kind] = err
			continue
		}
		r.comparisons[now.Kind] = c
	}
}

// Verdict is that of the whole: FAIL if a bound was missed, an invariant broken or a metric became worse.
func (r *Report) Verdict() string {
	r.compare()
	verdict := bench.Pass
	for _, now := range r.kinds() {
		switch {
		case now.Verdict == bench.Fail:
			return bench.Fail
		case now.Verdict != bench.Pass:
			verdict = bench.Unclear
		}
		if c := r.comparisons[now.Kind]; c != nil && judged(c) {
			switch c.Verdict {
			case bench.Fail:
				return bench.Fail
			case bench.Unclear:
				verdict = bench.Unclear
			}
		}
	}
	if len(r.kinds()) == 0 {
		return bench.Unclear
	}
	return verdict
}

// judged says whether a comparison judged anything: a stress has no runs to be judged by.
func judged(c *bench.Comparison) bool {
	for _, row := range c.Rows {
		if row.Judged {
			return true
		}
	}
	return false
}

// A document is a list of blocks, for every renderer.
type block interface{ block() }

type (
	heading struct {
		level int
		text  string
	}
	paragraph struct{ text string }
	list      struct {
		items   []string
		ordered bool
	}
	table struct {
		columns []string // "figure" and the like; one that begins with > is of numbers
		rows    [][]string
	}
	verbatim struct {
		summary string
		lines   []string
	}
	figures struct{ charts []chart } // those that have something to draw
)

func (heading) block()   {}
func (paragraph) block() {}
func (list) block()      {}
func (table) block()     {}
func (verbatim) block()  {}
func (figures) block()   {}
