package harness_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func TestClassify(t *testing.T) {
	for _, row := range []struct {
		err  error
		kind model.ErrorKind
	}{
		{nil, model.NoError},
		{harness.ErrNoActiveProject, model.ErrNoActiveProject},
		{harness.ErrUnknownProject, model.ErrUnknownProject},
		{harness.ErrInUse, model.ErrInUse},
		{harness.ErrBadName, model.ErrBadName},
		{harness.ErrBadLimit, model.ErrBadLimit},
		{harness.ErrEmptyQuery, model.ErrEmptyQuery},
		{harness.ErrClosed, model.ErrClosed},
		{context.Canceled, model.ErrCancelled},
		{context.DeadlineExceeded, model.ErrDeadline},
		{errBoom, model.ErrOther},
		// The text does not count: only what an error is.
		{errors.New("service closed"), model.ErrOther},
		// A service that was cancelled and says why it gave up has said enough.
		{fmt.Errorf("%w: %w", context.Canceled, harness.ErrClosed), model.ErrClosed},
	} {
		if got := harness.Classify(row.err); got != row.kind {
			t.Errorf("%v: %q, want %q", row.err, got, row.kind)
		}
		if row.err == nil {
			continue
		}
		if got := harness.Classify(fmt.Errorf("search p0: %w", row.err)); got != row.kind {
			t.Errorf("%v, wrapped: %q, want %q", row.err, got, row.kind)
		}
	}
}

type onlyStats struct{ harness.System }

func (onlyStats) Stats(context.Context) (model.Stats, error) { return model.Stats{}, nil }

func TestCapabilities(t *testing.T) {
	for _, row := range []struct {
		sys  harness.System
		want string
	}{
		{&plainSystem{}, "[]"},
		{onlyStats{&plainSystem{}}, "[stats]"},
		{&fullSystem{}, "[stats drop hold]"},
	} {
		check(t, fmt.Sprintf("%T", row.sys), fmt.Sprint(harness.Capabilities(row.sys)), row.want)
	}
}

func TestPoolConfigurer(t *testing.T) {
	own := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	config := func() *pgxpool.Config {
		c, err := pgxpool.ParseConfig("postgres://nobody@127.0.0.1:1/none")
		if err != nil {
			t.Fatal(err)
		}
		c.ConnConfig.DialFunc = own
		return c
	}

	untouched := config()
	harness.Env{}.PoolConfigurer()(untouched)
	if conn, err := untouched.ConnConfig.DialFunc(t.Context(), "", ""); conn != nil || err != nil {
		t.Errorf("an environment that asks for nothing changed the dialler: %v, %v", conn, err)
	}

	asked := config()
	harness.Env{
		Dial:          func(context.Context, string, string) (net.Conn, error) { return nil, errBoom },
		ConfigurePool: func(c *pgxpool.Config) { c.MaxConns = 77 },
	}.PoolConfigurer()(asked)
	if _, err := asked.ConnConfig.DialFunc(t.Context(), "", ""); !errors.Is(err, errBoom) || asked.MaxConns != 77 {
		t.Errorf("dial: %v, max conns %d", err, asked.MaxConns)
	}
}
