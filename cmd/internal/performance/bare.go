package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/fixtures/codesearch"
)

// statement is what a service was seen to send for one search.
type statement struct {
	sql  string
	args []any
}

// witness is a pgx tracer that notes every statement.
type witness struct {
	mu   sync.Mutex
	seen []statement
}

var _ pgx.QueryTracer = (*witness)(nil)

func (w *witness) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, statement{q.SQL, q.Args})
	return ctx
}

func (w *witness) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what was noted since it was last asked.
func (w *witness) take() []statement {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// observe indexes the projects and returns, for each, the one statement of a search on a resident pool.
func observe(ctx context.Context, config codesearch.Config) (seen []statement, err error) {
	w := &witness{}
	config.ConfigurePool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = w }
	svc, err := codesearch.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, down(ctx, svc.Close)) }()
	if err := fill(ctx, svc); err != nil {
		return nil, err
	}
	client := svc.NewSession()
	for project := range searchProjects {
		w.take()
		res, err := client.Search(ctx, request(project))
		if err := enough(len(res.Matches), err); err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		sent := w.take()
		if len(sent) != 1 {
			return nil, fmt.Errorf("a search took %d statements: bare pgx would have to do the same", len(sent))
		}
		seen = append(seen, sent[0])
	}
	return seen, nil
}

// bare is one pool a project, and what to ask of it.
type bare struct {
	pools      []*pgxpool.Pool
	statements []statement
}

// openBare opens pools with as many connections as the service has.
func openBare(ctx context.Context, config codesearch.Config, seen []statement) (*bare, error) {
	b := &bare{statements: seen}
	for project, s := range seen {
		cfg, err := pgxpool.ParseConfig(config.DSN)
		if err != nil {
			b.close()
			return nil, errors.New("the DSN cannot be parsed") // the parser's error would hold it
		}
		cfg.ConnConfig.Database = codesearch.DatabaseName(config.Prefix, projectName(project))
		cfg.MaxConns = config.ConnsPerProject
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Prepare(ctx, s.sql, s.sql)
			return err
		}
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		if err != nil {
			b.close()
			return nil, fmt.Errorf("open a bare pool: %w", err)
		}
		b.pools = append(b.pools, pool)
	}
	return b, nil
}

func (b *bare) search(ctx context.Context, project int) error {
	rows, err := b.pools[project].Query(ctx, b.statements[project].sql, b.statements[project].args...)
	if err != nil {
		return err
	}
	matches, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (codesearch.Match, error) {
		var m codesearch.Match
		err := row.Scan(&m.Path, &m.StartLine, &m.EndLine, &m.Content, &m.Score)
		return m, err
	})
	return enough(len(matches), err)
}

func (b *bare) close() {
	for _, p := range b.pools {
		p.Close()
	}
}
