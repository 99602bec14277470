package systemtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func leaseContracts() []contract {
	return []contract{
		{name: "a lease serves until it is released, its pool evicted or not", needs: []string{"hold"}, holds: leaseServes},
		{name: "a second release does nothing", needs: []string{"hold"}, holds: releasedTwice},
		{name: "there is room for every session and every lease at once", needs: []string{"hold"}, holds: room},
		{name: "a hold counts and touches like a search", needs: []string{"hold", "stats"}, holds: holdTouches},
		{name: "an evicted pool drains until its last lease ends", needs: []string{"hold", "stats"}, holds: draining},
		{name: "a project that is held is not dropped", needs: []string{"hold", "drop"}, holds: heldIsInUse},
	}
}

func (s *service) hold(ctx context.Context, project string) (harness.Lease, error) {
	l, err := s.System.(harness.Holder).Hold(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("Hold of %q: %w", project, err)
	}
	return l, nil
}

func release(ctx context.Context, l harness.Lease) error {
	if err := l.Release(ctx); err != nil {
		return fmt.Errorf("Release: %w", err)
	}
	return nil
}

func leaseServes(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	alpha := content{0, 1, 2}
	if err := c.store(ctx, "alpha", alpha); err != nil {
		return err
	}
	l, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	if err := finds(ctx, l, "", alpha); err != nil {
		return fmt.Errorf("through a lease: %w", err)
	}
	for i, name := range []string{"beta", "gamma"} {
		if err := c.store(ctx, name, content{1 + i, 1, 1}); err != nil {
			return err
		}
		if err := finds(ctx, l, "", alpha); err != nil {
			return fmt.Errorf("through a lease, after %s was indexed and its own pool evicted: %w", name, err)
		}
	}
	// It is a lease on the project, not on what was stored when it was taken.
	newer := content{0, 2, 3}
	if err := first(c.store(ctx, "alpha", newer), finds(ctx, l, "", newer)); err != nil {
		return fmt.Errorf("through a lease, after its project was indexed again: %w", err)
	}
	return first(release(ctx, l), finds(ctx, c, "alpha", newer))
}

func releasedTwice(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	one, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	two, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	for range 3 {
		if err := release(ctx, one); err != nil {
			return fmt.Errorf("once more: %w", err)
		}
	}
	if err := c.store(ctx, "beta", content{1, 1, 1}); err != nil { // alpha's pool is evicted
		return err
	}
	if err := finds(ctx, two, "", content{0, 1, 1}); err != nil {
		return fmt.Errorf("one lease was released three times; through the other: %w", err)
	}
	return first(release(ctx, two), release(ctx, one))
}

func room(ctx context.Context, tr *trial) error {
	const leases = 5
	tr.env.ConnsPerProject = leases + 1 + 1 // as the runner reckons: sessions, leases, and one more
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	what := content{0, 1, 1}
	if err := c.store(ctx, "alpha", what); err != nil {
		return err
	}
	var held []harness.Lease
	for range leases {
		l, err := svc.hold(ctx, "alpha")
		if err != nil {
			return err
		}
		held = append(held, l)
	}
	what = content{0, 2, 2}
	if err := first(c.store(ctx, "alpha", what), finds(ctx, c, "alpha", what)); err != nil {
		return fmt.Errorf("with %d leases and ConnsPerProject %d: %w", leases, tr.env.ConnsPerProject, err)
	}
	for _, l := range held {
		if err := first(finds(ctx, l, "", what), release(ctx, l)); err != nil {
			return err
		}
	}
	return nil
}

func holdTouches(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), c.store(ctx, "beta", content{1, 1, 1})); err != nil {
		return err
	}
	before, err := svc.stats(ctx)
	if err != nil {
		return err
	}
	l, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	after, err := svc.stats(ctx)
	if err != nil {
		return err
	}
	if hits := after.CacheHits - before.CacheHits; hits != 1 || after.CacheMisses != before.CacheMisses {
		return fmt.Errorf("Hold of a resident project counts %d hits and %d misses; want one hit", hits, after.CacheMisses-before.CacheMisses)
	}
	if err := first(svc.pools(ctx, "a hold of alpha", "alpha", "beta"), finds(ctx, c, "beta", content{1, 1, 1})); err != nil {
		return err
	}
	before, err = svc.stats(ctx)
	if err != nil {
		return err
	}
	// What goes on through a lease is no acquisition.
	if err := first(finds(ctx, l, "", content{0, 1, 1}), release(ctx, l), svc.pools(ctx, "a search through the lease on alpha", "beta", "alpha")); err != nil {
		return err
	}
	after, err = svc.stats(ctx)
	if err == nil && (after.CacheHits != before.CacheHits || after.CacheMisses != before.CacheMisses) {
		return errors.New("a search through a lease counts as an acquisition; only the hold does")
	}
	return err
}

func draining(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	l, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "beta", content{1, 1, 1}), svc.pools(ctx, "an index of beta, while alpha is held", "beta")); err != nil {
		return err
	}
	st, err := svc.stats(ctx)
	if err != nil {
		return err
	}
	if st.Draining != 1 {
		return fmt.Errorf("an evicted pool is leased, but draining is %d; want 1", st.Draining)
	}
	if err := release(ctx, l); err != nil {
		return err
	}
	err = tr.until(ctx, func() (bool, error) {
		st, err = svc.stats(ctx)
		return st.Draining == 0, err
	})
	if errors.Is(err, errNotYet) {
		return fmt.Errorf("every lease is released, but draining stays at %d", st.Draining)
	}
	return err
}

func heldIsInUse(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	drop := svc.System.(harness.Dropper).Drop
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	l, err := svc.hold(ctx, "alpha")
	if err != nil {
		return err
	}
	err = drop(ctx, "alpha")
	if err := wants("Drop of a project that is held", err, harness.ErrInUse); err != nil {
		return err
	}
	if err := c.store(ctx, "beta", content{1, 1, 1}); err != nil {
		return err
	}
	err = drop(ctx, "alpha")
	if err := wants("Drop of a project that is held, its pool evicted", err, harness.ErrInUse); err != nil {
		return err
	}
	if err := first(finds(ctx, l, "", content{0, 1, 1}), release(ctx, l)); err != nil {
		return err
	}
	if err := drop(ctx, "alpha"); err != nil {
		return fmt.Errorf("Drop of a project whose lease is released: %w", err)
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord})
	return wants("Search in a dropped project", err, harness.ErrUnknownProject)
}
