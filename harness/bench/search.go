package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tenantstorm/tenantstorm/harness"
)

// DefaultSearchRuns is how many runs a search benchmark has where nothing else is said: enough for a slowdown of a tenth
// to be found, on a machine on which others are at work.
const DefaultSearchRuns = 30

// fewestRuns are needed on each side for a comparison of four metrics to come to a verdict at all.
const fewestRuns = 6

// SearchBound is what 95 of 100 searches must answer within, in milliseconds.
const SearchBound = 500

// SearchOptions say what to search for and how.
type SearchOptions struct {
	Repository *Repository
	// Project is the name of the project that is indexed, and then searched.
	Project string
	// Queries are how many searches a run has; Seed is what they are drawn from.
	Queries int
	Seed    uint64
	// Clients are the numbers of clients to measure with, each in every run.
	Clients []int
	// Rate, where it is not 0, is how many searches a second are meant to begin, whatever becomes of the ones before.
	Rate float64
	// Runs are how many runs are measured, after one that is not. At least 1.
	Runs int
	// Within, where it is not 0, is after how long no further run begins, once there are as many as a comparison needs.
	Within time.Duration
	// Bound is what p95 must stay below, in milliseconds; 0 means SearchBound.
	Bound float64
}

// Search measures how long searches take, and sets each run beside the same statements sent through bare pgx.
func (l *Lab) Search(ctx context.Context, o SearchOptions) (_ *Result, err error) {
	server, err := l.serverSettings(ctx)
	if err != nil {
		return nil, err
	}
	queries, err := o.Repository.Queries(o.Seed, o.Queries)
	if err != nil {
		return nil, err
	}
	r := newResult(KindSearch, l, server)
	o.describe(&r, queries)
	env := l.env(roomSearch, defaultMaxProjects, slices.Max(o.Clients)+1)
	defer func() { err = errors.Join(err, l.finish(ctx, roomSearch)) }()

	l.step(0, o.Runs+1, "indexing what is searched")
	if err := l.clear(ctx, roomSearch); err != nil {
		return nil, err
	}
	err = l.session(ctx, env, func(s harness.Session) error {
		if err := s.Index(ctx, harness.IndexRequest{Project: o.Project, Repo: o.Repository.FS()}); err != nil {
			return fmt.Errorf("index: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := l.observe(ctx, env, o.Project, queries)
	if errors.Is(err, errNoBare) {
		r.note("no ratio to bare SQL: %v", err)
		b, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = l.with(ctx, env, func(sys harness.System) (err error) {
		s := &searcher{lab: l, o: o, sys: sys, queries: queries, gathered: map[string]*gathered{}}
		if b != nil {
			s.bare, err = b.open(ctx, slices.Max(o.Clients))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.bare.close(ctx)) }()
		}
		if err := s.runs(ctx); err != nil {
			return err
		}
		if s.ran < o.Runs {
			r.note("%d runs of %d: %v were over", s.ran, o.Runs, o.Within)
		}
		return s.report(&r)
	})
	if err != nil {
		return nil, err
	}
	r.boundSearch(cmp.Or(o.Bound, SearchBound))
	r.judge()
	return &r, r.Validate()
}

// boundSearch says whether the specification's bound is met, by every number of clients.
func (r *Result) boundSearch(limit float64) {
	for _, h := range r.Histograms {
		if strings.HasPrefix(h.Name, byService+"_") {
			r.below(h.Name+" p95", "ms", h.P95, limit)
		}
	}
}

func (o SearchOptions) describe(r *Result, queries []Query) {
	r.set("project", o.Project)
	r.set("queries", o.Queries)
	r.set("query_seed", o.Seed)
	r.set("clients", strings.Trim(fmt.Sprint(o.Clients), "[]"))
	o.Repository.describe(r)
	kinds := map[QueryKind]int{}
	for _, q := range queries {
		kinds[q.Kind]++
	}
	r.note("queries: %d rare, %d common, %d absent, %d of two words, %d within a path",
		kinds[QueryRare], kinds[QueryCommon], kinds[QueryAbsent], kinds[QueryMulti], kinds[QueryPath])
	if o.Rate > 0 {
		r.set("load", fmt.Sprintf("open, %v/s", o.Rate))
		r.note("latencies count from the moment at which each search was meant to begin, whether a client was free or not")
		return
	}
	r.set("load", "closed")
	r.note("a closed load: a client asks when it has its last answer, so a service that stalls is asked less; --rate measures from the intended beginnings")
}

// searcher measures one service.
type searcher struct {
	lab      *Lab
	o        SearchOptions
	sys      harness.System
	queries  []Query
	bare     *bareClients
	gathered map[string]*gathered // by load
	batches  []Batch
	ran      int // runs that were measured
}

// gathered is what one load came to, over the runs.
type gathered struct {
	h         *hdrhistogram.Histogram
	batches   []Batch
	quotients []float64 // of each run, where there is something to divide by
}

const (
	byService = "search"
	byBare    = "bare"
)

func loadName(by string, clients int) string { return fmt.Sprintf("%s_c%d", by, clients) }

func (s *searcher) runs(ctx context.Context) error {
	var sessions []harness.Session
	for range slices.Max(s.o.Clients) {
		session, err := s.sys.Session(ctx)
		if err != nil {
			return fmt.Errorf("open a session: %w", err)
		}
		sessions = append(sessions, session)
	}
	service := func(ctx context.Context, client, i int) error {
		found, err := sessions[client].Search(ctx, s.queries[i].request(s.o.Project))
		if err != nil {
			return fmt.Errorf("search %q: %w", s.queries[i].Text, err)
		}
		return s.queries[i].check(found)
	}
	began := time.Now()
	// Run 0 warms up: connections are opened, statements prepared, pages read.
	for run := range s.o.Runs + 1 {
		if s.ran = run - 1; s.ran >= fewestRuns && s.o.Within > 0 && time.Since(began) > s.o.Within {
			return nil
		}
		for _, clients := range s.o.Clients {
			s.lab.step(run, s.o.Runs+1, "run %d of %d, clients %d", run, s.o.Runs, clients)
			turns := []*turn{{by: byService, do: service}}
			if s.bare != nil {
				turns = append(turns, &turn{by: byBare, do: s.bare.do})
			}
			if err := s.run(ctx, run, clients, turns); err != nil {
				return err
			}
		}
	}
	s.ran = s.o.Runs
	return nil
}

// turn is one of those that take turns in a run.
type turn struct {
	by       string
	do       func(ctx context.Context, c, i int) error
	recorder *recorder
	took     time.Duration
}

// run sends the queries by all, who take turns slice by slice, so that what else the machine does meets them alike.
func (s *searcher) run(ctx context.Context, run, clients int, turns []*turn) error {
	for _, t := range turns {
		t.recorder = newRecorder(len(s.queries))
	}
	slice := s.slice(clients)
	for n, from := run, 0; from < len(s.queries); n, from = n+1, from+slice {
		for k := range turns {
			t := turns[(n+k)%len(turns)] // neither always follows the other
			l := load{clients: clients, requests: len(s.queries), rate: s.o.Rate, do: t.do}
			took, err := l.slice(ctx, t.recorder, from, min(from+slice, len(s.queries)))
			if err != nil {
				return err
			}
			t.took += took
		}
	}
	if run == 0 {
		return nil
	}
	for _, t := range turns {
		s.gather(t, run, clients)
	}
	if len(turns) > 1 {
		g := s.gathered[loadName(byService, clients)]
		g.quotients = append(g.quotients, quotient(turns[0].recorder.each, turns[1].recorder.each))
	}
	return nil
}

// busy is how many requests a client sends in a slice at the least: few clients are idle at its end then.
const busy = 5

// slice is how many queries are sent before the next takes its turn: one where there is one client, all where they
// are meant to come at a rate.
func (s *searcher) slice(clients int) int {
	switch {
	case s.o.Rate > 0:
		return len(s.queries)
	case clients == 1:
		return 1
	}
	return busy * clients
}

// trimmed is the share of a run's quotients that is left out at each end.
const trimmed = 0.1

// quotient is the geometric mean of the quotients of each query's two latencies, without the tenth at each end: those
// are of queries that met something else on the machine.
func quotient(service, bare []float64) float64 {
	logs := make([]float64, len(service))
	for i := range service {
		logs[i] = math.Log(service[i] / bare[i])
	}
	slices.Sort(logs)
	cut := int(trimmed * float64(len(logs)))
	sum := 0.0
	for _, x := range logs[cut : len(logs)-cut] {
		sum += x
	}
	return math.Exp(sum / float64(len(logs)-2*cut))
}

func (s *searcher) gather(t *turn, run, clients int) {
	name := loadName(t.by, clients)
	g, ok := s.gathered[name]
	if !ok {
		g = &gathered{h: newRecorder(0).h}
		s.gathered[name] = g
	}
	g.h.Merge(t.recorder.h)
	batch := Batch{Name: name, Run: run, Clients: clients, Rate: s.o.Rate, Latency: t.recorder.latency(t.took)}
	g.batches = append(g.batches, batch)
	s.batches = append(s.batches, batch)
}

func (g *gathered) each(f func(Batch) float64) (xs []float64) {
	for _, b := range g.batches {
		xs = append(xs, f(b))
	}
	return xs
}

// report makes metrics of what was gathered. Where there is something to divide by, the quotients are judged and not the
// times: the machine is another one tomorrow, and that is no fault of the service.
func (s *searcher) report(r *Result) error {
	r.Batches = s.batches
	for _, clients := range s.o.Clients {
		name := loadName(byService, clients)
		g := s.gathered[name]
		floor, beside := s.gathered[loadName(byBare, clients)]
		for _, m := range []Metric{
			{Name: name + "_mean", Unit: "ms", Samples: g.each(func(b Batch) float64 { return b.Mean })},
			{Name: name + "_p50", Unit: "ms", Samples: g.each(func(b Batch) float64 { return b.P50 })},
			{Name: name + "_p95", Unit: "ms", Gate: !beside, Samples: g.each(func(b Batch) float64 { return b.P95 })},
			{Name: name + "_p99", Unit: "ms", Samples: g.each(func(b Batch) float64 { return b.P99 })},
			{Name: name + "_per_second", Unit: "1/s", Higher: true, Samples: g.each(func(b Batch) float64 { return float64(b.Requests) / b.Seconds })},
		} {
			r.metric(m)
		}
		if err := s.histogram(r, name, g); err != nil {
			return err
		}
		if !beside {
			continue
		}
		r.metric(Metric{Name: loadName(byBare, clients) + "_mean", Unit: "ms", Samples: floor.each(func(b Batch) float64 { return b.Mean })})
		r.metric(Metric{Name: name + "_over_bare", Unit: "×", Gate: true, Relative: true, Samples: g.quotients})
		ratio := g.each(func(b Batch) float64 { return b.P95 })
		for i, x := range floor.each(func(b Batch) float64 { return b.P95 }) {
			ratio[i] /= x
		}
		r.metric(Metric{Name: name + "_over_bare_p95", Unit: "×", Gate: true, Relative: true, Samples: ratio})
		if err := s.histogram(r, loadName(byBare, clients), floor); err != nil {
			return err
		}
	}
	return nil
}

func (s *searcher) histogram(r *Result, name string, g *gathered) error {
	h, err := histogram(name, g.h)
	r.Histograms = append(r.Histograms, h)
	return err
}
