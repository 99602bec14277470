package report

import (
	"fmt"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func (r *Report) regressions() []block {
	blocks := []block{heading{2, "Regression analysis"}}
	any := false
	for _, now := range r.kinds() {
		if now.Kind == bench.KindTune {
			continue
		}
		c := r.comparisons[now.Kind]
		if c == nil {
			why := "there is no baseline"
			if err := r.Unusable[now.Kind]; err != nil {
				why = err.Error()
			}
			blocks = append(blocks, paragraph{fmt.Sprintf("%s: not compared: %s.", now.Kind, why)})
			continue
		}
		any = true
		blocks = append(blocks, heading{3, string(now.Kind)})
		if len(c.Elsewhere) > 0 {
			blocks = append(blocks, paragraph{"Measured elsewhere or with other versions; where machine or server differ, only ratios are judged:"}, list{items: c.Elsewhere})
		}
		if !judged(c) {
			blocks = append(blocks, paragraph{"Its metrics have a single sample each and are shown, not judged."})
		}
		t := table{columns: []string{"metric", ">baseline", ">current", ">delta", fmt.Sprintf(">%.2f %% interval", 100*c.Confidence), ">p", "verdict"}}
		for _, row := range c.Rows {
			between := none
			if row.Bounded {
				between = fmt.Sprintf("%+.1f … %+.1f %%", 100*row.Lo, 100*row.Hi)
			}
			t.rows = append(t.rows, []string{shownName(row.Name), withUnit(row.Before.Median, row.Unit), withUnit(row.After.Median, row.Unit), delta(row), between, fmt.Sprintf("%.4f", row.P), rowVerdict(row)})
		}
		blocks = append(blocks, t)
	}
	if any {
		blocks = append(blocks, paragraph{fmt.Sprintf("A metric fails when it is certainly worse and may be worse by %.0f %%; all together give a false alarm in at most one of %.0f comparisons.", 100*bench.DefaultTolerance, 1/bench.FalseAlarm)})
	}
	for _, e := range r.Evidence {
		blocks = append(blocks, verbatim{"Evidence: " + string(e.Kind), strings.Split(strings.TrimSpace(e.Markdown(4)), "\n")})
	}
	return blocks
}

func (r *Report) recommendations() []block {
	var items []string
	for _, now := range r.kinds() {
		for _, missed := range now.Missed() {
			items = append(items, fmt.Sprintf("%s: %s", now.Kind, missed))
		}
		if c := r.comparisons[now.Kind]; c != nil {
			for _, worse := range c.Worse() {
				items = append(items, fmt.Sprintf("%s became worse: %s", now.Kind, worse))
			}
			if n := moreRuns(c); n > 0 {
				items = append(items, fmt.Sprintf("%s: too noisy to tell; add %s to both sides (`baseline save --append`), on a quieter machine if there is one", now.Kind, plural(n, "run")))
			}
		}
	}
	for _, e := range r.Evidence {
		for _, a := range e.Advice {
			items = append(items, fmt.Sprintf("%s: %s", e.Kind, a))
		}
	}
	if t := r.Tune; t != nil && t.Choice != nil {
		items = append(items, fmt.Sprintf("%s: %s", cellNamed(t, t.Choice.Cell), t.Choice.Reason))
	}
	for _, now := range r.kinds() {
		if r.Baselines[now.Kind] == nil && now.Kind != bench.KindTune && r.Files[now.Kind] != "" {
			items = append(items, fmt.Sprintf("%s has no baseline: keep this one with `tenantstorm baseline save %s %s`", now.Kind, r.Files[now.Kind], BaselineFile(now.Kind)))
		}
	}
	blocks := []block{heading{2, "Recommendations"}}
	if len(items) == 0 {
		return append(blocks, paragraph{"None: every bound is met, nothing became worse, and nothing was tuned."})
	}
	return append(blocks, list{items: items, ordered: true})
}

// moreRuns is the most that a row needs.
func moreRuns(c *bench.Comparison) (most int) {
	for _, row := range c.Rows {
		most = max(most, row.More)
	}
	return most
}

func (r *Report) conclusion() []block {
	text := map[string]string{
		bench.Pass:    "Every bound is met, no invariant was broken, and nothing that could be compared became worse by the tolerance.",
		bench.Fail:    "Something failed: the recommendations begin with it.",
		bench.Unclear: "Nothing failed, but not everything could be told: the regression analysis says what is too noisy or was cut short.",
	}[r.Verdict()]
	return []block{heading{2, "Conclusion"}, paragraph{"**" + r.Verdict() + "**: " + text + " " + r.inOneBreath()}}
}

// BaselineFile is the name of a kind's baseline.
func BaselineFile(kind bench.Kind) string { return baseName[kind] + "-baseline.json" }

// ResultFile is the name of a kind's result.
func ResultFile(kind bench.Kind) string {
	if kind == bench.KindStress {
		return "multi-tenant-stress.json"
	}
	if kind == bench.KindTune {
		return "tune.json"
	}
	return baseName[kind] + "-after.json"
}

var baseName = map[bench.Kind]string{bench.KindIndex: "indexing", bench.KindSearch: "search", bench.KindStress: "multi-tenant-stress", bench.KindTune: "tune"}
