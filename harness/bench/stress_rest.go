package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// restLimit is how long a closed service's connections and goroutines may take to go; restPoll how often that is
// looked at.
const (
	restLimit = 5 * time.Second
	restPoll  = 5 * time.Millisecond
)

// left looks for what a closed service left behind.
func (l *Lab) left(ctx context.Context, prefix string, settle time.Duration, goroutines int, rest *history.Rest) (err error) {
	control := harness.NewControl(l.DSN)
	defer func() { err = errors.Join(err, control.Close(context.WithoutCancel(ctx))) }()
	late := time.NewTimer(cmp.Or(settle, restLimit))
	defer late.Stop()
	tick := time.NewTicker(restPoll)
	defer tick.Stop()
	for waiting := true; waiting; {
		backends, err := control.Backends(ctx, prefix)
		if err != nil {
			return err
		}
		now := runtime.NumGoroutine()
		if len(backends) == 0 && now <= goroutines {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			waiting = false
		}
		if n := len(backends); n > 0 {
			rest.Leaks = append(rest.Leaks, history.Leak{What: "backends", Got: n, Detail: fmt.Sprintf("still connected after Close: %v", backends)})
		}
		if now > goroutines {
			rest.Leaks = append(rest.Leaks, history.Leak{What: "goroutines", Got: now - goroutines, Detail: harness.Stacks()})
		}
	}
	return nil
}

// counters judges the service's counters over the load, from one moment of rest to another.
func (r *Result) counters(o StressOptions, h history.History, setup int, before, after *model.Stats) {
	if before == nil || after == nil {
		return
	}
	acquired := int64(0)
	for _, e := range h.Entries[setup:] {
		if e.Audit {
			continue
		}
		touched, certain := e.Op.Touches(e.Response)
		if !certain {
			r.note("load: an operation failed, so the counters of hits and misses could not be judged")
			return
		}
		if touched {
			acquired++
		}
	}
	hits, misses := after.CacheHits-before.CacheHits, after.CacheMisses-before.CacheMisses
	r.equal("load: hits and misses, of so many operations that acquire a pool", hits+misses, acquired)
	r.equal("load: creations, of resident pools, evictions and drops", after.Creations, int64(after.ActivePools)+after.Evictions+after.Drops)
	r.atMost("load: active pools at the end", int64(after.ActivePools), int64(o.MaxProjects))
	most := 0.0
	for _, series := range r.Series {
		if series.Name == "active_pools" {
			for _, point := range series.Points {
				most = max(most, point[1])
			}
		}
	}
	r.atMost("load: active pools at any moment looked at", int64(most), int64(o.MaxProjects))
	r.Checks["accounting"] += 2
	if acquired > 0 {
		r.metric(Metric{Name: "pool_hit_rate", Unit: "", Higher: true, Relative: true, Samples: []float64{float64(hits) / float64(acquired)}})
		r.metric(Metric{Name: "evictions", Unit: "", Samples: []float64{float64(after.Evictions - before.Evictions)}})
	}
}

// report puts the load's latencies and throughput into the result.
func (p *press) report(r *Result, setup int, took time.Duration) {
	for _, kind := range []model.Kind{model.KindSearch, model.KindIndex} {
		rec := newRecorder(0)
		clients := p.o.Searches
		if kind == model.KindIndex {
			clients = p.o.Indexers
		}
		for _, e := range p.h.Entries[setup:] {
			if e.Op.Kind == kind && !e.Audit && e.Response.Status == model.StatusOK {
				rec.add(p.began.Add(e.Start), p.began.Add(e.Start), p.began.Add(e.End))
			}
		}
		if rec.h.TotalCount() == 0 {
			r.note("load: no %s succeeded", kind)
			continue
		}
		name := "load_" + kind.String()
		latency := rec.latency(took)
		r.Batches = append(r.Batches, Batch{Name: name, Run: 1, Clients: clients, Latency: latency})
		if h, err := histogram(name, rec.h); err == nil {
			r.Histograms = append(r.Histograms, h)
		}
		r.metric(Metric{Name: name + "_p95", Unit: "ms", Samples: []float64{latency.P95}})
		r.metric(Metric{Name: name + "_per_second", Unit: "1/s", Higher: true, Samples: []float64{float64(latency.Requests) / latency.Seconds}})
	}
	if p.taken.Load() > mostOperations {
		r.note("load: it ended after %d operations, before its time: more could not be kept to be judged", mostOperations)
	}
	r.metric(Metric{Name: "failures", Unit: "", Samples: []float64{float64(p.failures.Load())}})
}
