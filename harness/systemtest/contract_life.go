package systemtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func lifeContracts() []contract {
	return []contract{
		{name: "what is stored outlives the service", holds: outlives},
		{name: "a service lives longer than the context it was opened with", holds: outlivesContext},
		{name: "Close ends every connection", holds: closeEndsAll},
		{name: "a closed service refuses, and closes again in peace", holds: closedRefuses},
	}
}

// resetContracts come first: the others start from what Reset leaves.
func resetContracts() []contract {
	return []contract{{name: "Reset empties every project", holds: resetEmpties}}
}

func outlives(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	alpha, beta := content{0, 2, 3}, content{1, 1, 1}
	if err := first(c.store(ctx, "alpha", content{0, 1, 4}), c.store(ctx, "alpha", alpha), c.store(ctx, "beta", beta),
		c.to(ctx, "alpha"), svc.close(ctx)); err != nil {
		return err
	}
	_, c, err = tr.start(ctx, 2)
	if err != nil {
		return err
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Query: model.SharedWord})
	if err := wants("Search without a project in the first session of a service opened again", err, harness.ErrNoActiveProject); err != nil {
		return err
	}
	if err := first(finds(ctx, c, "alpha", alpha), finds(ctx, c, "beta", beta)); err != nil {
		return fmt.Errorf("in a second service, on the databases of one that was closed: %w", err)
	}
	newer := content{0, 3, 2}
	return first(c.index(ctx, "alpha", newer, model.Incremental), finds(ctx, c, "alpha", newer))
}

// outlivesContext: the runner ends the context of a restart as soon as the restart is over, and that of
// every operation with it.
func outlivesContext(ctx context.Context, tr *trial) error {
	short, end := context.WithCancel(ctx)
	defer end()
	_, c, err := tr.start(short, 1)
	if err != nil {
		return err
	}
	end()
	alpha := content{0, 1, 2}
	once, over := context.WithCancel(ctx)
	defer over()
	if err := c.store(once, "alpha", alpha); err != nil {
		return fmt.Errorf("the context of New has ended: %w", err)
	}
	over()
	if err := finds(ctx, c, "alpha", alpha); err != nil {
		return fmt.Errorf("the context of the index that made the pool has ended: %w", err)
	}
	return nil
}

func closeEndsAll(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	for i, name := range []string{"alpha", "beta", "gamma"} { // one of them is evicted
		if err := first(c.store(ctx, name, content{i, 1, 1}), finds(ctx, c, name, content{i, 1, 1})); err != nil {
			return err
		}
	}
	if err := svc.close(ctx); err != nil {
		return err
	}
	var left []harness.Backend
	err = tr.until(ctx, func() (bool, error) {
		left, err = tr.control.Backends(ctx, tr.env.Prefix)
		return len(left) == 0, err
	})
	if errors.Is(err, errNotYet) {
		return fmt.Errorf("the service is closed, but still connected: %+v", left)
	}
	return err
}

func closedRefuses(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), svc.close(ctx)); err != nil {
		return err
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord})
	if err := wants("Search in a closed service", err, harness.ErrClosed); err != nil {
		return err
	}
	if err := wants("Index in a closed service", c.store(ctx, "alpha", content{0, 2, 1}), harness.ErrClosed); err != nil {
		return err
	}
	if err := svc.System.Close(ctx); err != nil && !errors.Is(err, harness.ErrClosed) {
		return fmt.Errorf("a second Close: %w; want none, or one that is harness.ErrClosed", err)
	}
	return nil
}

func resetEmpties(ctx context.Context, tr *trial) error {
	if err := tr.reset(ctx); err != nil {
		return fmt.Errorf("before there is anything: %w", err)
	}
	for round := range 2 {
		svc, c, err := tr.start(ctx, 1)
		if err != nil {
			return err
		}
		for _, name := range []string{"alpha", "beta"} {
			_, err := c.Session.Search(ctx, harness.SearchRequest{Project: name, Query: model.SharedWord})
			if err := wants(fmt.Sprintf("Search in %q after a reset", name), err, harness.ErrUnknownProject); err != nil {
				return err
			}
		}
		alpha, beta := content{0, 2 - round, 4 - 2*round}, content{1, 1, 1}
		if err := first(c.index(ctx, "alpha", alpha, model.Incremental), finds(ctx, c, "alpha", alpha),
			c.store(ctx, "beta", beta), finds(ctx, c, "beta", beta), svc.close(ctx), tr.reset(ctx)); err != nil {
			return fmt.Errorf("after a reset: %w", err)
		}
	}
	return nil
}

// errNotYet is what until returns when the time is up.
var errNotYet = errors.New("not yet")

// until polls until a condition holds, it fails, or the service has had its time.
func (tr *trial) until(ctx context.Context, condition func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(tr.settling)
	defer late.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return errNotYet
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
