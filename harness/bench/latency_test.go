package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// TestOpenLoadCountsFromTheIntendedStart has a service whose first answer takes until all others are due: they are
// charged for having waited, although each is served at once.
func TestOpenLoadCountsFromTheIntendedStart(t *testing.T) {
	const requests, rate = 10, 1000.0 // 1 ms apart
	last := time.Now().Add(30 * time.Millisecond)
	l := load{clients: 1, requests: requests, rate: rate, do: func(ctx context.Context, _, i int) error {
		if i == 0 {
			waitUntil(ctx, last)
		}
		return nil
	}}
	latency, r, err := l.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The last was meant to begin after 9 ms and could only begin after 30: it waited for 20 ms at the least.
	if least := int64(15_000); r.h.Min() < least {
		t.Errorf("a request behind the stalled one counts %d µs, want %d at the least", r.h.Min(), least)
	}
	if latency.Requests != requests || latency.Service*2 > latency.Mean {
		t.Errorf("%+v: served at once, but waited for", latency)
	}
	if err := (&Batch{Clients: 1, Rate: rate, Latency: latency}).validate(); err != nil {
		t.Error(err)
	}
}

func TestClosedLoadSendsEachRequestOnce(t *testing.T) {
	const clients, requests = 7, 50
	var mu sync.Mutex
	seen := map[int]int{}
	var at, most atomic.Int64
	l := load{clients: clients, requests: requests, do: func(_ context.Context, c, i int) error {
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer at.Add(-1)
		mu.Lock()
		defer mu.Unlock()
		seen[i]++
		if c < 0 || c >= clients {
			t.Errorf("client %d", c)
		}
		return nil
	}}
	latency, r, err := l.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		if seen[i] != 1 {
			t.Errorf("request %d was sent %d times", i, seen[i])
		}
	}
	if latency.Requests != requests || r.h.TotalCount() != requests || most.Load() > clients {
		t.Errorf("%d requests, %d recorded, %d at once", latency.Requests, r.h.TotalCount(), most.Load())
	}
	back, err := histogram("h", r.h)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := hdrhistogram.Decode([]byte(back.Data))
	if err != nil || decoded.TotalCount() != requests {
		t.Errorf("%v, %v", decoded, err)
	}
}

func TestLoadEndsAtTheFirstFailure(t *testing.T) {
	boom := errors.New("boom")
	var sent atomic.Int64
	l := load{clients: 3, requests: 1_000_000, do: func(_ context.Context, _, i int) error {
		sent.Add(1)
		if i == 5 {
			return boom
		}
		return nil
	}}
	if _, _, err := l.run(t.Context()); !errors.Is(err, boom) {
		t.Errorf("%v, want boom", err)
	}
	if n := sent.Load(); n == 1_000_000 {
		t.Error("the load went on")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
}
