package bench_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// batch is a load that can have been: ten requests of 100 ms by two clients take half a second.
func batch() bench.Batch {
	return bench.Batch{Name: "b", Run: 1, Clients: 2, Latency: bench.Latency{
		Requests: 10, Seconds: 0.5, Mean: 100, P50: 90, P95: 120, P99: 130, Max: 130, Service: 100,
	}}
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
	r.Violations = []bench.Violation{{Phase: "load", Fingerprint: "a/b/c", Sentence: "wrong"}}
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
		{"no verdict", strings.Replace(string(data), `"verdict": "PASS"`, `"verdict": ""`, 1)},
	} {
		if _, err := bench.Decode([]byte(row.data)); !errors.Is(err, bench.ErrSchema) {
			t.Errorf("%s: %v, want ErrSchema", row.why, err)
		}
	}
}
