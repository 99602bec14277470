package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/bench"
	"github.com/tenantstorm/tenantstorm/harness/bench/report"
)

// recorded is a report of results that `tenantstorm report --quick` left; see testdata.
func recorded(t *testing.T) *report.Report {
	t.Helper()
	load := func(kind bench.Kind) *bench.Result {
		r, err := bench.Load(filepath.Join("testdata", report.ResultFile(kind)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return &report.Report{
		Index: load(bench.KindIndex), Search: load(bench.KindSearch), Stress: load(bench.KindStress), Tune: load(bench.KindTune),
		Baselines: map[bench.Kind]*bench.Result{}, Unusable: map[bench.Kind]error{}, Command: "tenantstorm report", Made: time.Unix(1, 0),
		Files: map[bench.Kind]string{bench.KindIndex: "indexing-after.json"},
	}
}

// faster is a result of the same experiment with samples that are smaller by a factor, each ten times, so that one can
// tell.
func faster(t *testing.T, r *bench.Result, factor float64) *bench.Result {
	t.Helper()
	copied := *r
	copied.Metrics = nil
	for _, m := range r.Metrics {
		var samples []float64
		for range 10 {
			for _, x := range m.Samples {
				samples = append(samples, x*factor)
			}
		}
		m.Samples, m.Summary = samples, bench.Summarize(samples)
		copied.Metrics = append(copied.Metrics, m)
	}
	return &copied
}

func render(t *testing.T, r *report.Report) (markdown, page string) {
	t.Helper()
	text, err := r.Markdown("page.html")
	if err != nil {
		t.Fatal(err)
	}
	html, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), string(html)
}

func TestSectionsAreThoseOfTheSpecification(t *testing.T) {
	text, _ := render(t, recorded(t))
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
	}
	want := "Executive summary, Indexing, Search, Multi-tenant, Memory, Pool efficiency, Regression analysis, Recommendations, Conclusion"
	if strings.Join(got, ", ") != want {
		t.Errorf("%v", got)
	}
	if !strings.Contains(text, "\n| figure | baseline | current | delta | verdict |\n") {
		t.Error("the columns are missing")
	}
}

func TestFiguresAreThoseOfTheResults(t *testing.T) {
	r := recorded(t)
	// A figure that nobody would type by hand, in the place of one that was measured.
	m := r.Index.Metric("index_over_copy")
	m.Samples = []float64{7.654321}
	m.Summary = bench.Summarize(m.Samples)
	text, page := render(t, r)
	for _, at := range []string{text, page} {
		if !strings.Contains(at, "7.65×") {
			t.Error("the ratio is not the result's")
		}
	}
}

func TestVerdictAndRows(t *testing.T) {
	for _, row := range []struct {
		why     string
		change  func(*report.Report)
		verdict string
		says    string // in the Markdown
	}{
		{"no baseline", func(*report.Report) {}, bench.Pass, "index: not compared: there is no baseline."},
		{"as fast as before", func(r *report.Report) {
			r.Baselines[bench.KindIndex], r.Index = faster(t, r.Index, 1), faster(t, r.Index, 1)
		}, bench.Pass, "PASS: not worse by the tolerance"},
		{"slower", func(r *report.Report) {
			r.Baselines[bench.KindIndex], r.Index = faster(t, r.Index, 0.5), faster(t, r.Index, 1)
		}, bench.Fail, "+100.0 % | FAIL: worse"},
		{"too few runs", func(r *report.Report) { r.Baselines[bench.KindIndex] = r.Index }, bench.Unclear, "add "},
		{"missed", func(r *report.Report) { r.Search.Bounds[0].Met, r.Search.Verdict = false, bench.Fail }, bench.Fail, "FAIL: < 500 ms"},
		{"interrupted", func(r *report.Report) { r.Tune.Verdict = bench.Unclear }, bench.Unclear, "**INCONCLUSIVE**"},
		{
			"another experiment", func(r *report.Report) {
				r.Baselines[bench.KindSearch] = r.Index
				r.Baselines[bench.KindSearch].Kind = bench.KindIndex
			},
			bench.Pass, "search: not compared: not the same experiment: one is of index, the other of search",
		},
		{
			"another schema", func(r *report.Report) { r.Unusable[bench.KindStress] = errors.New("it has schema 2") }, bench.Pass, "stress: not compared: it has schema 2.",
		},
		{
			"another machine", func(r *report.Report) {
				base := faster(t, r.Index, 1)
				base.Machine.Cores = 64
				r.Baselines[bench.KindIndex], r.Index = base, faster(t, r.Index, 1)
				slow := r.Index.Metric("index_seconds") // which is not judged then: only ratios are
				slow.Samples = faster(t, r.Index, 3).Metric("index_seconds").Samples
			}, bench.Pass, "64 cores",
		},
		{
			"a violation", func(r *report.Report) {
				r.Stress.Violations = []bench.Violation{{Phase: "load", Fingerprint: "isolation/foreign", Sentence: "p1 was seen in p0", Evidence: []string{"<b>"}}}
				r.Stress.Verdict = bench.Fail
			}, bench.Fail, "isolation/foreign: p1 was seen in p0",
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			r := recorded(t)
			row.change(r)
			if got := r.Verdict(); got != row.verdict {
				t.Errorf("verdict %s, want %s", got, row.verdict)
			}
			text, page := render(t, r)
			if !strings.Contains(text, row.says) {
				t.Errorf("it does not say %q:\n%s", row.says, text)
			}
			if strings.Contains(page, "<b>") {
				t.Error("the page holds what was not escaped")
			}
		})
	}
}

// TestPageNeedsNothingElse: no address of anything, and no plot with a colour that only suits one ground.
func TestPageNeedsNothingElse(t *testing.T) {
	_, page := render(t, recorded(t))
	for _, not := range []string{`src=`, `<script`, `url(`, `@import`, `<link rel="stylesheet"`} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %s", not)
		}
	}
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(plots) < 12 {
		t.Errorf("%d plots", len(plots))
	}
	for _, svg := range plots {
		wellFormed(t, []byte(svg))
		if left := regexp.MustCompile(`#[0-9A-Fa-f]{6}`).FindString(svg); left != "" {
			t.Errorf("a plot is drawn with %s, whatever the ground:\n%.200s", left, svg)
		}
	}
}

func TestNothingMeasuredIsAReportToo(t *testing.T) {
	r := &report.Report{}
	text, page := render(t, r)
	if r.Verdict() != bench.Unclear || !strings.Contains(text, "Not measured.") || strings.Contains(page, "<figure>") {
		t.Errorf("%s\n%s", r.Verdict(), text)
	}
}

func TestTunePlotIsAFile(t *testing.T) {
	r := recorded(t).Tune
	svg, err := report.TunePlot(r)
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, svg)
	for _, want := range []string{"<style>", "prefers-color-scheme", "2 connections a pool", "searches/s", `xmlns="http://www.w3.org/2000/svg"`} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("no %s in it", want)
		}
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v:\n%.300s", err, svg)
		}
	}
}
