package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// tuned is a cell and what its turns came to, a value a round.
type tuned struct {
	Cell
	lab  *Lab
	warm float64 // throughput of the turn that does not count

	perSecond, p95, evictions, hitRate, backends, failures []float64
	batches                                                []Batch
	latencies                                              *recorder
}

func newTuned(l *Lab, most, conns int, buffers string) *tuned {
	return &tuned{
		Cell: Cell{Name: fmt.Sprintf("m%d_c%d_%s", most, conns, buffers), MaxProjects: most, Conns: conns, SharedBuffers: buffers},
		lab:  l, latencies: newRecorder(0),
	}
}

const (
	// mostTuneRequests bounds a load that lasts for a time.
	mostTuneRequests = 10_000_000
	// patience is how many times its duration a load at a rate may take. What was not sent by then counts with the
	// time that it has waited: a cell that cannot keep up is slow, not endless.
	patience = 3
)

// trial is one service that is measured, by all clients.
type trial struct {
	t        *tuner
	sessions []harness.Session
	failures atomic.Int64
	begun    atomic.Int64
	until    time.Time // no search is sent after it; zero: always
}

// turn measures one cell once: as many searches as the clients can do, and then as many as the rate says.
func (t *tuner) turn(ctx context.Context, c *tuned, round int) error {
	env := c.lab.env(roomTune, c.MaxProjects, c.Conns)
	return c.lab.with(ctx, env, func(sys harness.System) error {
		try := &trial{t: t}
		if err := try.open(ctx, sys); err != nil {
			return err
		}
		closed := load{clients: t.o.Clients, requests: mostTuneRequests, lasting: t.o.Duration, do: try.search}
		if round == 0 {
			l, _, err := closed.run(ctx)
			if err != nil {
				return err
			}
			c.warm = float64(l.Requests) / l.Seconds
			return nil
		}
		before, err := statsOf(ctx, sys)
		if err != nil {
			return err
		}
		m := &monitor{
			lab: c.lab, prefix: env.Prefix, sys: sys,
			failures: func() int { return int(try.failures.Load()) }, begun: func() int { return int(try.begun.Load()) },
		}
		m.start(ctx)
		free, paced, recorded, err := try.loads(ctx, closed)
		series, watching := m.end()
		if err = errors.Join(err, watching); err != nil {
			return err
		}
		after, err := statsOf(ctx, sys)
		if err != nil {
			return err
		}
		c.take(round, t, free, paced, recorded)
		c.takeStats(before, after, try.begun.Load())
		c.backends = append(c.backends, highest(series, "backends"))
		c.failures = append(c.failures, float64(try.failures.Load()))
		return nil
	})
}

// open makes the sessions and asks every project once, so that no first connection is measured.
func (try *trial) open(ctx context.Context, sys harness.System) error {
	for range try.t.o.Clients {
		s, err := sys.Session(ctx)
		if err != nil {
			return fmt.Errorf("open a session: %w", err)
		}
		try.sessions = append(try.sessions, s)
	}
	for project := try.t.o.Projects - 1; project >= 0; project-- { // the most wanted last
		if _, err := try.sessions[0].Search(ctx, try.t.queries[0].request(projectName(project))); err != nil {
			return fmt.Errorf("warm up: search %s: %w", projectName(project), err)
		}
	}
	return nil
}

func (try *trial) loads(ctx context.Context, closed load) (free, paced Latency, recorded *recorder, err error) {
	if free, _, err = closed.run(ctx); err != nil {
		return free, paced, nil, err
	}
	open := load{clients: closed.clients, rate: try.t.rate, do: try.search}
	open.requests = max(1, int(try.t.rate*try.t.o.Duration.Seconds()))
	try.until = time.Now().Add(patience * try.t.o.Duration)
	paced, recorded, err = open.run(ctx)
	return free, paced, recorded, err
}

// search sends request i. One that fails is counted: the cell is then no good, which is an answer, too.
func (try *trial) search(ctx context.Context, client, i int) error {
	if !try.until.IsZero() && time.Now().After(try.until) {
		return nil
	}
	try.begun.Add(1)
	q := try.t.queries[i%len(try.t.queries)]
	asked, cancel := context.WithTimeout(ctx, stressDeadline)
	defer cancel()
	found, err := try.sessions[client].Search(asked, q.request(projectName(try.t.targets[i%len(try.t.targets)])))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		try.failures.Add(1)
		return nil
	}
	return q.check(found)
}

func (c *tuned) take(round int, t *tuner, free, paced Latency, recorded *recorder) {
	c.perSecond = append(c.perSecond, float64(free.Requests)/free.Seconds)
	c.p95 = append(c.p95, paced.P95)
	c.latencies.h.Merge(recorded.h)
	c.batches = append(c.batches,
		Batch{Name: c.Name + "_closed", Run: round, Clients: t.o.Clients, Latency: free},
		Batch{Name: c.Name + "_open", Run: round, Clients: t.o.Clients, Rate: t.rate, Latency: paced})
}

// takeStats notes what became of the pools, if the service tells.
func (c *tuned) takeStats(before, after *model.Stats, requests int64) {
	if before == nil || after == nil {
		return
	}
	const each = 1000
	c.evictions = append(c.evictions, each*float64(after.Evictions-before.Evictions)/float64(requests))
	hits, misses := after.CacheHits-before.CacheHits, after.CacheMisses-before.CacheMisses
	if asked := hits + misses; asked > 0 {
		c.hitRate = append(c.hitRate, float64(hits)/float64(asked))
	}
}

// highest is the most that was seen of a figure.
func highest(series []Series, name string) (most float64) {
	for _, s := range series {
		if s.Name != name {
			continue
		}
		for _, p := range s.Points {
			most = max(most, p[1])
		}
	}
	return most
}

func (c *tuned) report(r *Result) {
	r.Cells = append(r.Cells, c.Cell)
	r.Batches = append(r.Batches, c.batches...)
	for _, m := range []Metric{
		{Name: CellPerSecond, Unit: "1/s", Higher: true, Samples: c.perSecond},
		{Name: CellP95, Unit: "ms", Samples: c.p95},
		{Name: CellEvictions, Unit: "per 1,000", Samples: c.evictions},
		{Name: CellHitRate, Higher: true, Relative: true, Samples: c.hitRate},
		{Name: CellBackends, Samples: c.backends},
		{Name: CellFailures, Samples: c.failures},
	} {
		m.Name = c.Name + m.Name
		r.metric(m)
	}
	if h, err := histogram(c.Name, c.latencies.h); err == nil {
		r.Histograms = append(r.Histograms, h)
	}
}

// Of returns the median of one of a cell's metrics, and whether there is one.
func (r *Result) Of(c Cell, metric string) (float64, bool) {
	m := r.Metric(c.Name + metric)
	if m == nil {
		return 0, false
	}
	return m.Summary.P50, true
}
