package systemtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func argumentContracts() []contract {
	return []contract{
		{name: "a project that was never indexed is unknown", holds: unknownProject},
		{name: "a limit is kept, and one over 50 refused", holds: limits},
		{name: "an empty query is refused", holds: emptyQuery},
		{name: "what is refused touches no pool", needs: []string{"stats"}, holds: refusedTouchesNothing},
		{name: "an operation whose context is over comes back and does all or nothing", holds: cancelled},
	}
}

func unknownProject(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	// Asking must not make it known.
	for range 2 {
		_, err := c.Session.Search(ctx, harness.SearchRequest{Project: "beta", Query: model.SharedWord})
		if err := wants("Search in a project that was never indexed", err, harness.ErrUnknownProject); err != nil {
			return err
		}
	}
	if h, ok := svc.System.(harness.Holder); ok {
		_, err := h.Hold(ctx, "beta")
		if err := wants("Hold of a project that was never indexed", err, harness.ErrUnknownProject); err != nil {
			return err
		}
	}
	if d, ok := svc.System.(harness.Dropper); ok {
		if err := wants("Drop of a project that was never indexed", d.Drop(ctx, "beta"), harness.ErrUnknownProject); err != nil {
			return err
		}
	}
	return finds(ctx, c, "alpha", content{0, 1, 1})
}

func limits(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, model.MaxFiles}); err != nil {
		return err
	}
	for _, row := range []struct{ limit, most int }{
		{1, 1}, {2, 2}, {0, model.DefaultLimit}, {model.MaxSearchLimit, model.MaxSearchLimit},
	} {
		matches, err := c.search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord, Limit: row.limit})
		if err != nil {
			return fmt.Errorf("limit %d: %w", row.limit, err)
		}
		if len(matches) == 0 || len(matches) > row.most {
			return fmt.Errorf("limit %d (0: the default): %d matches; want at least 1 and at most %d", row.limit, len(matches), row.most)
		}
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord, Limit: model.MaxSearchLimit + 1})
	return wants("Search with limit 51", err, harness.ErrBadLimit)
}

func emptyQuery(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 1}); err != nil {
		return err
	}
	_, err = c.Session.Search(ctx, harness.SearchRequest{Project: "alpha"})
	return wants("Search for nothing", err, harness.ErrEmptyQuery)
}

func refusedTouchesNothing(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	if err := first(c.store(ctx, "alpha", content{0, 1, 1}), c.store(ctx, "beta", content{1, 1, 1})); err != nil {
		return err
	}
	before, err := svc.order(ctx)
	if err != nil {
		return err
	}
	for what, req := range map[string]harness.SearchRequest{
		"an unknown project": {Project: "gamma", Query: model.SharedWord},
		"a bad limit":        {Project: "alpha", Query: model.SharedWord, Limit: model.MaxSearchLimit + 1},
		"an empty query":     {Project: "alpha"},
		"no active project":  {Query: model.SharedWord},
	} {
		if _, err := c.Session.Search(ctx, req); err == nil {
			return fmt.Errorf("Search with %s: no error", what)
		}
		after, err := svc.order(ctx)
		if err != nil {
			return err
		}
		if d := cmp.Diff(before, after); d != "" {
			return fmt.Errorf("Search with %s was refused, but touched (-before +after):\n%s", what, d)
		}
	}
	return nil
}

// cancelled uses contexts that are over before the operation begins. It may succeed all the same; what
// it must not do is hang, do half of it, or break what comes after.
func cancelled(ctx context.Context, tr *trial) error {
	svc, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	last := content{0, 1, 3}
	if err := first(c.store(ctx, "alpha", last), c.store(ctx, "beta", content{1, 1, 1})); err != nil {
		return err
	}
	for revision := 2; revision < 5; revision++ {
		next := content{0, revision, 2}
		if err := c.store(over, "alpha", next); err == nil {
			last = next
		} else if stored := finds(ctx, c, "alpha", next); stored == nil {
			last = next // it gave an error, but it was done
		}
		_, _ = c.Session.Search(over, harness.SearchRequest{Project: "beta", Query: model.SharedWord})
		if err := finds(ctx, c, "alpha", last); err != nil {
			return fmt.Errorf("after an index with a context that was over: neither the old content nor the new: %w", err)
		}
	}
	if h, ok := svc.System.(harness.Holder); ok {
		if l, err := h.Hold(over, "beta"); err == nil {
			if err := l.Release(ctx); err != nil {
				return fmt.Errorf("Release: %w", err)
			}
		}
	}
	if err := c.Session.Switch(over, "beta"); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("Switch with a context that is over: %w; want success, or an error that is context.Canceled", err)
	}
	return first(finds(ctx, c, "beta", content{1, 1, 1}), c.to(ctx, "alpha"), finds(ctx, c, "", last))
}
