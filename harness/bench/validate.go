package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// ErrImpossible says that a result's figures cannot all be true.
var ErrImpossible = errors.New("impossible figures")

// Slack of the arithmetic: clocks and histograms have three digits.
const slack = 1.01

// finest is what a histogram tells apart at the least, in milliseconds.
const finest = 1e-3

// Validate reports figures that contradict one another.
func (r *Result) Validate() error {
	if !slices.Contains([]Kind{KindIndex, KindSearch, KindStress, KindTune}, r.Kind) {
		return fmt.Errorf("%w: kind %q", ErrSchema, r.Kind)
	}
	if !slices.Contains([]string{Pass, Fail, Unclear}, r.Verdict) {
		return fmt.Errorf("%w: verdict %q", ErrSchema, r.Verdict)
	}
	seen := map[string]bool{}
	for _, m := range r.Metrics {
		if seen[m.Name] {
			return fmt.Errorf("%w: two metrics are called %s", ErrImpossible, m.Name)
		}
		seen[m.Name] = true
		if err := m.validate(); err != nil {
			return fmt.Errorf("%w: metric %s: %w", ErrImpossible, m.Name, err)
		}
	}
	for _, b := range r.Batches {
		if err := b.validate(); err != nil {
			return fmt.Errorf("%w: %s, run %d: %w", ErrImpossible, b.Name, b.Run, err)
		}
	}
	for _, h := range r.Histograms {
		if err := r.validateHistogram(h); err != nil {
			return fmt.Errorf("%w: histogram %s: %w", ErrImpossible, h.Name, err)
		}
	}
	return r.validateVerdict()
}

// validateHistogram sets a histogram's percentiles beside what it holds, and what it holds beside the loads it is of.
func (r *Result) validateHistogram(h Histogram) error {
	if err := ordered(h.P50, h.P95, h.P99, h.Max); err != nil {
		return err
	}
	held, err := hdrhistogram.Decode([]byte(h.Data))
	if err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	if held.TotalCount() != h.Count {
		return fmt.Errorf("it holds %d requests and says %d", held.TotalCount(), h.Count)
	}
	for _, q := range []struct{ percentile, says float64 }{{50, h.P50}, {95, h.P95}, {99, h.P99}} {
		if has := float64(held.ValueAtQuantile(q.percentile)) / 1e3; has > q.says*slack || q.says > has*slack {
			return fmt.Errorf("p%v is %v ms, and it says %v ms", q.percentile, has, q.says)
		}
	}
	loads, requests := 0, int64(0)
	for _, b := range r.Batches {
		if b.Name == h.Name {
			loads, requests = loads+1, requests+int64(b.Requests)
		}
	}
	if loads > 0 && requests != h.Count {
		return fmt.Errorf("it holds %d requests, and its loads %d", h.Count, requests)
	}
	return nil
}

// validateVerdict sets every bound beside its own figures, and the verdict beside the bounds.
func (r *Result) validateVerdict() error {
	failed := len(r.Violations) > 0
	for _, b := range r.Bounds {
		met := map[string]bool{"<": b.Value < b.Limit, "<=": b.Value <= b.Limit, "==": b.Value == b.Limit}
		if is, known := met[b.Rule]; !known || is != b.Met {
			return fmt.Errorf("%w: bound %q: %v %s %v, and met: %v", ErrImpossible, b.What, b.Value, b.Rule, b.Limit, b.Met)
		}
		failed = failed || !b.Met
	}
	if failed && r.Verdict == Pass {
		return fmt.Errorf("%w: the verdict is %s, though a bound was missed or an invariant broken", ErrImpossible, r.Verdict)
	}
	return nil
}

func (m *Metric) validate() error {
	if len(m.Samples) == 0 {
		return errors.New("no samples")
	}
	for _, x := range m.Samples {
		if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
			return fmt.Errorf("a sample is %v", x)
		}
	}
	want := Summarize(m.Samples)
	for _, pair := range [][2]float64{
		{m.Summary.Mean, want.Mean}, {m.Summary.P50, want.P50}, {m.Summary.P95, want.P95}, {m.Summary.P99, want.P99},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-6*math.Max(1, math.Abs(pair[1])) {
			return fmt.Errorf("the summary says %v where the samples say %v", pair[0], pair[1])
		}
	}
	return nil
}

func (b *Batch) validate() error {
	if b.Requests < 1 || b.Clients < 1 || !(b.Seconds > 0) || math.IsInf(b.Seconds, 0) || b.Rate < 0 {
		return fmt.Errorf("%d requests by %d clients in %v s", b.Requests, b.Clients, b.Seconds)
	}
	if err := ordered(b.P50, b.P95, b.P99, b.Max); err != nil {
		return err
	}
	if !(b.Mean > 0) || b.Mean > b.Max*slack {
		return fmt.Errorf("the mean is %v ms, the maximum %v ms", b.Mean, b.Max)
	}
	if !(b.Service > 0) || b.Service > b.Mean*slack {
		return fmt.Errorf("requests took %v ms from being sent, but %v ms from being meant", b.Service, b.Mean)
	}
	// A percentile cannot be so far above the mean: what lies beyond it would have to weigh less than nothing.
	for _, q := range []struct{ beyond, ms float64 }{{0.50, b.P50}, {0.05, b.P95}, {0.01, b.P99}} {
		if most := b.Mean/q.beyond + finest; q.ms > most*slack {
			return fmt.Errorf("%v of the requests took %v ms or more, and the mean is %v ms", q.beyond, q.ms, b.Mean)
		}
	}
	// Little's law: so many clients can only have done so much in that time.
	if most := float64(b.Clients) * b.Seconds * 1e3 / b.Service; float64(b.Requests) > most*slack+1e-9 {
		return fmt.Errorf("%d requests of %v ms each by %d clients in %v s: there is time for %.0f", b.Requests, b.Service, b.Clients, b.Seconds, most)
	}
	if b.Rate > 0 && float64(b.Requests-1) > b.Rate*b.Seconds*slack {
		return fmt.Errorf("%d requests at %v/s take longer than %v s", b.Requests, b.Rate, b.Seconds)
	}
	return nil
}

func ordered(p50, p95, p99, most float64) error {
	if !(p50 > 0) || math.IsInf(most, 0) || !(p50 <= p95 && p95 <= p99 && p99 <= most*slack) {
		return fmt.Errorf("percentiles are out of order: p50 %v, p95 %v, p99 %v, max %v", p50, p95, p99, most)
	}
	return nil
}
