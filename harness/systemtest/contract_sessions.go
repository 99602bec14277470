package systemtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func sessionContracts() []contract {
	return []contract{
		{name: "a new session has no active project", holds: newSession},
		{name: "an unnamed request is about the active project", holds: activeProject},
		{name: "a switch moves its own session only", holds: ownSwitch},
		{name: "a named request leaves the active project as it is", holds: namedRequest},
		{name: "a switch need not be to a project that is there", holds: switchToUnknown},
		{name: "several sessions may be used at once", holds: atOnce},
	}
}

func newSession(ctx context.Context, tr *trial) error {
	svc, one, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	// Neither a switch nor an index of somebody else's gives it one.
	if err := first(one.store(ctx, "alpha", content{0, 1, 1}), one.to(ctx, "alpha")); err != nil {
		return err
	}
	fresh, err := svc.session(ctx)
	if err != nil {
		return err
	}
	_, err = fresh.Session.Search(ctx, harness.SearchRequest{Query: model.SharedWord})
	if err := wants("Search without a project in a new session", err, harness.ErrNoActiveProject); err != nil {
		return err
	}
	err = fresh.store(ctx, "", content{1, 1, 1})
	return first(wants("Index without a project in a new session", err, harness.ErrNoActiveProject), finds(ctx, one, "alpha", content{0, 1, 1}))
}

func activeProject(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	alpha, beta := content{0, 1, 2}, content{1, 1, 3}
	return first(
		c.to(ctx, "alpha"), c.store(ctx, "", alpha), finds(ctx, c, "", alpha),
		c.to(ctx, "beta"), c.store(ctx, "", beta), finds(ctx, c, "", beta),
		finds(ctx, c, "alpha", alpha), finds(ctx, c, "beta", beta),
		c.to(ctx, "alpha"), finds(ctx, c, "", alpha),
	)
}

func ownSwitch(ctx context.Context, tr *trial) error {
	svc, one, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	two, err := svc.session(ctx)
	if err != nil {
		return err
	}
	alpha, beta := content{0, 1, 1}, content{1, 1, 1}
	return first(
		one.store(ctx, "alpha", alpha), one.store(ctx, "beta", beta),
		one.to(ctx, "alpha"), two.to(ctx, "beta"),
		finds(ctx, one, "", alpha), finds(ctx, two, "", beta),
		one.to(ctx, "beta"), two.to(ctx, "alpha"),
		finds(ctx, one, "", beta), finds(ctx, two, "", alpha),
	)
}

func namedRequest(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	alpha, beta := content{0, 1, 1}, content{1, 1, 1}
	return first(
		c.store(ctx, "alpha", alpha), c.to(ctx, "alpha"),
		c.store(ctx, "beta", beta), finds(ctx, c, "", alpha), // beside it, alpha's pool was evicted
		finds(ctx, c, "beta", beta), finds(ctx, c, "", alpha),
	)
}

func switchToUnknown(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	if err := c.to(ctx, "new"); err != nil {
		return err
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Query: model.SharedWord})
	return first(
		wants("Search in an active project that was never indexed", err, harness.ErrUnknownProject),
		c.store(ctx, "", content{0, 1, 1}), finds(ctx, c, "new", content{0, 1, 1}),
	)
}

// atOnce lets sessions work side by side, each on its own project, with fewer pools than there are projects.
func atOnce(ctx context.Context, tr *trial) error {
	const sessions, rounds = 4, 3
	svc, err := tr.open(ctx, 2)
	if err != nil {
		return err
	}
	clients := make([]*client, sessions)
	for i := range clients {
		if clients[i], err = svc.session(ctx); err != nil {
			return err
		}
		if err := clients[i].to(ctx, fmt.Sprintf("project %d", i)); err != nil {
			return err
		}
	}
	for round := range rounds {
		what := func(i int) content { return content{i, 1 + round, 2} }
		store := func(i int) error { return clients[i].store(ctx, "", what(i)) }
		look := func(i int) error { return finds(ctx, clients[i], "", what(i)) }
		// Everybody has stored before anybody looks: what was mixed up is then there to be seen.
		if err := first(together(sessions, store), together(sessions, look)); err != nil {
			return err
		}
	}
	return nil
}

// together runs f(0) to f(n-1) at once and returns the first error.
func together(n int, f func(int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return first(errs...)
}
