package check

import (
	"fmt"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// LatencyBound is what 95 of 100 searches must answer within, where nothing else is said.
const LatencyBound = 500 * time.Millisecond

// latencySamples is how many searches a p95 needs to be worth anything: five lie above it.
const latencySamples = 100

// The range of the histogram: 1 µs to 10 min, three significant digits.
const (
	latencyLowest  = int64(time.Microsecond)
	latencyHighest = int64(10 * time.Minute)
	latencyDigits  = 3
)

// Latency gathers how long searches took in free-running cases, over as many cases as there are. One
// case is too few for a percentile. Time counts from when the session meant to ask: a session asks as
// soon as it has its last answer, so that is when it did, and no wait is left out (no coordinated
// omission within a session). Sequential and gated cases say nothing of time and are passed over.
// Not for concurrent use.
type Latency struct{ h *hdrhistogram.Histogram }

// NewLatency returns an empty one.
func NewLatency() *Latency {
	return &Latency{hdrhistogram.New(latencyLowest, latencyHighest, latencyDigits)}
}

// Add takes the searches of a case.
func (l *Latency) Add(mode model.Mode, h history.History) {
	if mode != model.Free {
		return
	}
	for _, e := range h.Entries {
		if e.Op.Kind == model.KindSearch && !e.Audit && e.Response.Status == model.StatusOK {
			d := min(max(int64(e.End-e.Start), latencyLowest), latencyHighest)
			_ = l.h.RecordValue(d) // within the range by the line above
		}
	}
}

// Judge says whether 95 of 100 searches answered within the bound.
func (l *Latency) Judge(bound time.Duration) Result {
	r := Result{Invariant: LatencyFamily, Checked: int(l.h.TotalCount())}
	at := func(q float64) time.Duration {
		return time.Duration(l.h.ValueAtQuantile(q)).Round(10 * time.Microsecond)
	}
	switch {
	case r.Checked == 0:
		r.Status, r.Note = NotApplicable, "latency is judged in free mode, round trips in gated mode"
		return r
	case r.Checked < latencySamples:
		r.Status, r.Note = Inconclusive, fmt.Sprintf("%d searches are too few, %d are needed", r.Checked, latencySamples)
		return r
	}
	r.Note = fmt.Sprintf("searches p50 %s, p95 %s, p99 %s; bound: p95 %s", at(50), at(95), at(99), bound)
	if r.Status = Pass; at(95) > bound {
		r.Status = Fail
		r.Violations = []Violation{{
			Invariant: LatencyFamily, Kind: "p95", Verb: model.KindSearch.String(),
			Sentence: fmt.Sprintf("expected 95 of 100 searches within %s; got %s", bound, at(95)),
		}}
	}
	return r
}
