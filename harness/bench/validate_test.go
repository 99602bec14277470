package bench_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// batch is a load that can have been: ten requests of 100 ms by two clients take half a second.
func batch() bench.Batch {
	return bench.Batch{Name: "b", Run: 1, Clients: 2, Latency: bench.Latency{
		Requests: 10, Seconds: 0.5, Mean: 100, P50: 90, P95: 120, P99: 130, Max: 130, Service: 100,
	}}
}

// held is a histogram of a hundred requests of 1 to 100 ms.
func held(t *testing.T, name string) []bench.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, 1e9, 3)
	for ms := range int64(100) {
		if err := h.RecordValue(1000 * (ms + 1)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return []bench.Histogram{{Name: name, Count: 100, P50: 50, P95: 95, P99: 99, Max: 100, Data: string(data)}}
}

func TestImpossibleFiguresAreRefused(t *testing.T) {
	ok := result(gate(1, 2, 3))
	ok.Batches = []bench.Batch{batch()}
	if err := ok.Validate(); err != nil {
		t.Fatalf("what is possible: %v", err)
	}
	for _, row := range []struct {
		why   string
		wrong func(*bench.Result)
		says  string
	}{
		{"more requests than clients have time for", func(r *bench.Result) { r.Batches[0].Requests = 11 }, "there is time for 10"},
		{"less time than the requests take", func(r *bench.Result) { r.Batches[0].Seconds = 0.4 }, "there is time for 8"},
		{"percentiles out of order", func(r *bench.Result) { r.Batches[0].P50 = 125 }, "out of order"},
		{"p99 above the maximum", func(r *bench.Result) { r.Batches[0].P99 = 140 }, "out of order"},
		{"a mean above the maximum", func(r *bench.Result) { r.Batches[0].Mean = 200 }, "the mean is 200"},
		{"served for longer than waited", func(r *bench.Result) { r.Batches[0].Mean = 50 }, "from being sent"},
		{"faster than they came", func(r *bench.Result) { r.Batches[0].Rate = 10 }, "10 requests at 10/s"},
		{"no clients", func(r *bench.Result) { r.Batches[0].Clients = 0 }, "0 clients"},
		{"no time", func(r *bench.Result) { r.Batches[0].Seconds = 0 }, "in 0 s"},
		{"no latency", func(r *bench.Result) { r.Batches[0].P50 = 0 }, "out of order"},
		{"a sample below zero", func(r *bench.Result) { r.Metrics[0].Samples[0] = -1 }, "a sample is -1"},
		{"a sample that is no number", func(r *bench.Result) { r.Metrics[0].Samples[0] = math.NaN() }, "a sample is NaN"},
		{"no samples", func(r *bench.Result) { r.Metrics[0].Samples = nil }, "no samples"},
		{"a summary of other samples", func(r *bench.Result) { r.Metrics[0].Summary.P95 = 2 }, "the summary says 2"},
		{"a name twice", func(r *bench.Result) { r.Metrics = append(r.Metrics, r.Metrics[0]) }, "two metrics"},
		{"a histogram out of order", func(r *bench.Result) { r.Histograms = []bench.Histogram{{Name: "h", P50: 3, P95: 2, P99: 3, Max: 3}} }, "histogram h"},
		{"a histogram of other requests", func(r *bench.Result) { r.Histograms = held(t, "h"); r.Histograms[0].Count++ }, "it holds 100 requests and says 101"},
		{"a histogram with other percentiles", func(r *bench.Result) { r.Histograms = held(t, "h"); r.Histograms[0].P95 = 99 }, "and it says 99 ms"},
		{"a histogram that is none", func(r *bench.Result) { r.Histograms = held(t, "h"); r.Histograms[0].Data = "x" }, "cannot be read"},
		{"a histogram of more than its loads", func(r *bench.Result) { r.Histograms = held(t, "b") }, "it holds 100 requests, and its loads 10"},
		{"a median above twice the mean", func(r *bench.Result) {
			r.Batches[0].Mean, r.Batches[0].Service, r.Batches[0].P50 = 40, 40, 90
		}, "0.5 of the requests took 90 ms or more"},
		{"a p95 that the mean has no room for", func(r *bench.Result) {
			r.Batches[0].P95, r.Batches[0].P99, r.Batches[0].Max = 2500, 2500, 2500
		}, "0.05 of the requests took 2500 ms or more"},
		{"a bound that is not met", func(r *bench.Result) { r.Bounds = []bench.Bound{{What: "b", Value: 2, Rule: "<", Limit: 1, Met: true}} }, "2 < 1, and met: true"},
		{"a rule there is not", func(r *bench.Result) { r.Bounds = []bench.Bound{{What: "b", Value: 2, Rule: ">", Limit: 1, Met: true}} }, "2 > 1"},
		{"a pass with a missed bound", func(r *bench.Result) { r.Bounds = []bench.Bound{{What: "b", Value: 2, Rule: "<", Limit: 1}} }, "the verdict is PASS"},
		{"a pass with a violation", func(r *bench.Result) { r.Violations = []bench.Violation{{Fingerprint: "a"}} }, "the verdict is PASS"},
	} {
		r := result(gate(1, 2, 3))
		r.Batches = []bench.Batch{batch()}
		row.wrong(r)
		if err := r.Validate(); !errors.Is(err, bench.ErrImpossible) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want ErrImpossible and %q", row.why, err, row.says)
		}
	}
}

func TestResultsAreReadAsTheyWereWritten(t *testing.T) {
	r := result(gate(1, 2, 3))
	r.Batches = []bench.Batch{batch()}
	r.Series = []bench.Series{{Name: "s", Points: [][2]float64{{0, 1}}}}
	r.Violations, r.Verdict = []bench.Violation{{Phase: "load", Fingerprint: "a/b/c", Sentence: "wrong"}}, bench.Fail
	r.Histograms = held(t, "h")
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := bench.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Error(d)
	}
	for _, row := range []struct{ why, data string }{
		{"not JSON", "x"},
		{"another version", strings.Replace(string(data), `"schema": 1`, `"schema": 2`, 1)},
		{"no version", `{"kind": "search", "verdict": "PASS"}`},
		{"another kind", strings.Replace(string(data), `"kind": "search"`, `"kind": "sarch"`, 1)},
		{"no verdict", strings.Replace(string(data), `"verdict": "FAIL"`, `"verdict": ""`, 1)},
	} {
		if _, err := bench.Decode([]byte(row.data)); !errors.Is(err, bench.ErrSchema) {
			t.Errorf("%s: %v, want ErrSchema", row.why, err)
		}
	}
}
