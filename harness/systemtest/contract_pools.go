package systemtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func poolContracts() []contract {
	stats, drop := []string{"stats"}, []string{"stats", "drop"}
	return []contract{
		{name: "pools stand in the order of their use, within the bound", needs: stats, holds: poolOrder},
		{name: "every acquisition is counted", needs: stats, holds: counters},
		{name: "a new service begins to count anew", needs: stats, holds: countersAnew},
		{name: "a dropped project is unknown, its contents gone", needs: []string{"drop"}, holds: dropped},
		{name: "a drop is no eviction", needs: drop, holds: dropCounts},
		{name: "every connection is made by Env.Dial", holds: dial},
		{name: "Env.ConfigurePool sees every pool", holds: configurePool},
	}
}

// stats returns the statistics, which must agree with themselves.
func (s *service) stats(ctx context.Context) (model.Stats, error) {
	st, err := s.System.(harness.StatsReporter).Stats(ctx)
	switch {
	case err != nil:
		return st, fmt.Errorf("Stats: %w", err)
	case st.ActivePools != len(st.Pools):
		return st, fmt.Errorf("Stats: active_pools %d, but %d pools are listed", st.ActivePools, len(st.Pools))
	case st.ActivePools > st.MaxProjects:
		return st, fmt.Errorf("Stats: %d active pools, max_projects %d", st.ActivePools, st.MaxProjects)
	}
	return st, nil
}

// order returns the projects with a pool as they stand, most recently used first, and the counters.
func (s *service) order(ctx context.Context) ([]string, error) {
	st, err := s.stats(ctx)
	if err != nil {
		return nil, err
	}
	var order []string
	for _, p := range st.Pools {
		order = append(order, p.Project)
	}
	return append(order, fmt.Sprintf("hits %d, misses %d, creations %d, evictions %d, drops %d",
		st.CacheHits, st.CacheMisses, st.Creations, st.Evictions, st.Drops)), nil
}

// pools looks whether the projects with a pool are these, most recently used first.
func (s *service) pools(ctx context.Context, after string, want ...string) error {
	st, err := s.stats(ctx)
	if err != nil {
		return err
	}
	var got []string
	for _, p := range st.Pools {
		got = append(got, p.Project)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("after %s: pools of [%s]; want [%s], most recently used first", after, quote(got), quote(want))
	}
	return nil
}

func poolOrder(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	alpha, beta, gamma := content{0, 1, 1}, content{1, 1, 1}, content{2, 1, 1}
	return first(
		svc.pools(ctx, "opening"),
		c.store(ctx, "alpha", alpha), svc.pools(ctx, "an index of alpha", "alpha"),
		c.store(ctx, "beta", beta), svc.pools(ctx, "an index of beta", "beta", "alpha"),
		finds(ctx, c, "alpha", alpha), svc.pools(ctx, "a search in alpha", "alpha", "beta"),
		c.to(ctx, "beta"), svc.pools(ctx, "a switch to beta, which touches nothing", "alpha", "beta"),
		c.store(ctx, "gamma", gamma), svc.pools(ctx, "an index of gamma, for which beta has to leave", "gamma", "alpha"),
		finds(ctx, c, "", beta), svc.pools(ctx, "a search in beta, for which alpha has to leave", "beta", "gamma"),
		c.store(ctx, "gamma", gamma), svc.pools(ctx, "another index of gamma", "gamma", "beta"),
	)
}

func counters(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	search := func(project string) error {
		_, err := c.search(ctx, harness.SearchRequest{Project: project, Query: model.SharedWord})
		return err
	}
	counts := func(after string, hits, misses, evictions int64) error {
		st, err := svc.stats(ctx)
		if err != nil {
			return err
		}
		want := model.Stats{CacheHits: hits, CacheMisses: misses, Creations: misses, Evictions: evictions}
		got := model.Stats{CacheHits: st.CacheHits, CacheMisses: st.CacheMisses, Creations: st.Creations, Evictions: st.Evictions}
		if fmt.Sprint(got) != fmt.Sprint(want) || st.MaxProjects != 1 || st.Drops != 0 {
			return fmt.Errorf("after %s: hits %d, misses %d, creations %d, evictions %d, drops %d, max_projects %d; want %d, %d, %d, %d, 0, 1", after,
				got.CacheHits, got.CacheMisses, got.Creations, got.Evictions, st.Drops, st.MaxProjects, hits, misses, misses, evictions)
		}
		return nil
	}
	return first(
		counts("opening", 0, 0, 0),
		c.store(ctx, "alpha", content{0, 1, 1}), counts("a first index", 0, 1, 0),
		search("alpha"), counts("a search in it", 1, 1, 0),
		c.store(ctx, "alpha", content{0, 2, 1}), counts("a second index", 2, 1, 0),
		c.store(ctx, "beta", content{1, 1, 1}), counts("an index of another project, for which the first has to leave", 2, 2, 1),
		search("alpha"), counts("a search in the first, for which the other has to leave", 2, 3, 2),
	)
}

func countersAnew(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), svc.close(ctx)); err != nil {
		return err
	}
	next, err := tr.open(ctx, 3)
	if err != nil {
		return err
	}
	st, err := next.stats(ctx)
	if err != nil {
		return err
	}
	if st.CacheHits+st.CacheMisses+st.Creations+st.Evictions+st.Drops != 0 || st.ActivePools != 0 || st.MaxProjects != 3 {
		return fmt.Errorf("a service that was just opened reports %+v", st)
	}
	return nil
}

func dropped(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	drop := svc.System.(harness.Dropper).Drop
	if err := first(c.store(ctx, "alpha", content{0, 1, 4}), c.store(ctx, "beta", content{1, 1, 1}), c.to(ctx, "beta")); err != nil {
		return err
	}
	for _, name := range []string{"alpha", "beta"} { // evicted, and resident
		if err := drop(ctx, name); err != nil {
			return fmt.Errorf("Drop of %q: %w", name, err)
		}
		if err := wants("a second Drop", drop(ctx, name), harness.ErrUnknownProject); err != nil {
			return err
		}
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Query: model.SharedWord})
	if err := wants("Search in the active project after it was dropped", err, harness.ErrUnknownProject); err != nil {
		return err
	}
	return first(c.index(ctx, "alpha", content{0, 2, 2}, model.Incremental), finds(ctx, c, "alpha", content{0, 2, 2}))
}

func dropCounts(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	drop := svc.System.(harness.Dropper).Drop
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), c.store(ctx, "beta", content{1, 1, 1}), c.store(ctx, "gamma", content{2, 1, 1}),
		drop(ctx, "beta"), svc.pools(ctx, "a drop of beta", "gamma"), drop(ctx, "alpha")); err != nil {
		return err
	}
	st, err := svc.stats(ctx)
	if err != nil {
		return err
	}
	if st.Drops != 1 || st.Evictions != 1 || st.Creations != 3 {
		return fmt.Errorf("after three indexes, one eviction, a drop of a resident project and one of an evicted one: "+
			"creations %d, evictions %d, drops %d; want 3, 1, 1: a drop counts the pool that left with it", st.Creations, st.Evictions, st.Drops)
	}
	return nil
}

var errNoDial = errors.New("no connection is to be made in this test")

func dial(ctx context.Context, tr *trial) error {
	var dials atomic.Int64
	tr.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), finds(ctx, c, "alpha", content{0, 1, 1}), svc.close(ctx)); err != nil {
		return err
	}
	if dials.Load() == 0 {
		return errors.New("a project was indexed and searched, but Env.Dial was never called")
	}
	tr.env.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errNoDial }
	_, c, err = tr.start(ctx, 1)
	if err != nil {
		return nil // it connects at once, and reports that it cannot
	}
	if err := first(c.store(ctx, "alpha", content{0, 2, 1})); err == nil {
		return errors.New("a project was indexed although Env.Dial makes no connections")
	}
	return nil
}

func configurePool(ctx context.Context, tr *trial) error {
	var pools atomic.Int64
	tr.env.ConfigurePool = func(*pgxpool.Config) { pools.Add(1) }
	_, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	one := pools.Load()
	if err := c.store(ctx, "beta", content{1, 1, 1}); err != nil {
		return err
	}
	if one == 0 || pools.Load() == one {
		return fmt.Errorf("Env.ConfigurePool was called %d times for one project and %d times for two", one, pools.Load())
	}
	return nil
}
