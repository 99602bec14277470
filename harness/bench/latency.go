package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// The range of the histograms, in microseconds, and their precision.
const (
	latencyLowest  = 1
	latencyHighest = int64(10 * time.Minute / time.Microsecond)
	latencyDigits  = 3
)

// recorder gathers the latencies of a load. It is safe for concurrent use.
type recorder struct {
	mu      sync.Mutex
	h       *hdrhistogram.Histogram
	sum     time.Duration // from the intended beginnings
	service time.Duration // from the real ones
	each    []float64     // of the first requests of a load, by number; from the real beginnings, in any unit
}

func newRecorder(requests int) *recorder {
	return &recorder{each: make([]float64, requests), h: hdrhistogram.New(latencyLowest, latencyHighest, latencyDigits)}
}

func (r *recorder) add(meant, sent, ended time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := ended.Sub(meant)
	r.sum += d
	r.service += ended.Sub(sent)
	// Within the range by construction.
	_ = r.h.RecordValue(min(max(d.Microseconds(), latencyLowest), latencyHighest))
}

const millisecond = float64(time.Millisecond)

func (r *recorder) latency(took time.Duration) Latency {
	n := r.h.TotalCount()
	at := func(q float64) float64 { return float64(r.h.ValueAtQuantile(q)) / 1e3 }
	return Latency{
		Requests: int(n), Seconds: took.Seconds(), Mean: float64(r.sum) / float64(n) / millisecond, P50: at(50), P95: at(95), P99: at(99),
		Max: float64(r.h.Max()) / 1e3, Service: float64(r.service) / float64(n) / millisecond,
	}
}

// histogram gives all of it a form that can be stored.
func histogram(name string, h *hdrhistogram.Histogram) (Histogram, error) {
	data, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return Histogram{}, fmt.Errorf("encode the histogram %s: %w", name, err)
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return Histogram{Name: name, Count: h.TotalCount(), P50: at(50), P95: at(95), P99: at(99), Max: float64(h.Max()) / 1e3, Data: string(data)}, nil
}

// load is a number of requests by some clients.
type load struct {
	clients, requests int
	// rate is of arrivals, in 1/s: an open model. 0 is a closed one: a client asks when it has its last answer.
	rate float64
	// lasting, where it is not 0, is after how long no further request begins.
	lasting time.Duration
	// do sends request i as client c.
	do func(ctx context.Context, c, i int) error
}

// run sends the requests and returns their latencies; it ends at the first that fails. All clients are joined.
func (l load) run(ctx context.Context) (Latency, *recorder, error) {
	r := newRecorder(l.requests)
	took, err := l.slice(ctx, r, 0, l.requests)
	if err != nil {
		return Latency{}, nil, err
	}
	return r.latency(took), r, nil
}

// slice sends the requests from one number up to another, takes down their latencies, and returns how long it took.
//
// In the open model request i is meant to begin at i ÷ rate, whether a client is free then or not, so that a
// service which stalls is charged for everybody who would have come meanwhile.
func (l load) slice(ctx context.Context, r *recorder, from, to int) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	began := time.Now()
	for c := range l.clients {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= to || ctx.Err() != nil || l.lasting > 0 && time.Since(began) >= l.lasting {
					return
				}
				meant := time.Now()
				if l.rate > 0 {
					meant = began.Add(time.Duration(float64(i-from) / l.rate * float64(time.Second)))
					if !waitUntil(ctx, meant) {
						return
					}
				}
				sent := time.Now()
				if err := l.do(ctx, c, i); err != nil {
					cancel(err)
					return
				}
				ended := time.Now()
				r.add(meant, sent, ended)
				if i < len(r.each) {
					r.each[i] = float64(max(1, ended.Sub(sent)))
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began), context.Cause(ctx)
}

// waitUntil waits for a moment, and reports whether it came before ctx ended.
func waitUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Percentile reads a percentile off a histogram, in milliseconds.
func (h Histogram) Percentile(p float64) (float64, error) {
	read, err := hdrhistogram.Decode([]byte(h.Data))
	if err != nil {
		return 0, fmt.Errorf("histogram %s: %w", h.Name, err)
	}
	return float64(read.ValueAtQuantile(p)) / 1e3, nil
}
