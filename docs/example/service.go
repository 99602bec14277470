package main

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// notes is the service: one database, one table, the tenant is a column. It has no statistics, leases or
// drops, so the invariants that need them do not apply to it.
type notes struct{ pool *pgxpool.Pool }

func open(ctx context.Context, dsn, database string, configure func(*pgxpool.Config)) (*notes, error) {
	admin, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = admin.Close(ctx) }()
	var there bool
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&there)
	if err == nil && !there {
		_, err = admin.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{database}.Sanitize())
	}
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.Database = database
	configure(cfg)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS notes (project text, path text, body text, PRIMARY KEY (project, path))`)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &notes{pool}, nil
}

func (n *notes) Session(context.Context) (harness.Session, error) { return &client{notes: n}, nil }

func (n *notes) Close(context.Context) error {
	n.pool.Close()
	return nil
}

// client is a session: it remembers the active project.
type client struct {
	*notes
	active string
}

func (c *client) Switch(_ context.Context, project string) error {
	c.active = project
	return nil
}

func (c *client) project(named string) (string, error) {
	if named == "" {
		named = c.active
	}
	if named == "" {
		return "", harness.ErrNoActiveProject
	}
	return named, nil
}

func (c *client) Index(ctx context.Context, req harness.IndexRequest) error {
	project, err := c.project(req.Project)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		// A project is known from its first index on, even an empty one: a row without a path says so.
		for _, sql := range []string{
			`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, `DELETE FROM notes WHERE project = $1`,
			`INSERT INTO notes VALUES ($1, '', '')`,
		} {
			if _, err := tx.Exec(ctx, sql, project); err != nil {
				return err
			}
		}
		return fs.WalkDir(req.Repo, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(req.Repo, path)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO notes VALUES ($1, $2, $3)`, project, path, string(body))
			return err
		})
	})
}

func (c *client) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	project, err := c.project(req.Project)
	if err != nil {
		return nil, err
	}
	limit := req.Limit
	switch {
	case limit == 0:
		limit = model.DefaultLimit
	case limit > model.MaxSearchLimit:
		return nil, fmt.Errorf("%w: %d", harness.ErrBadLimit, limit)
	}
	rows, err := c.pool.Query(ctx, `SELECT path, body FROM notes WHERE project = $1 AND (path = '' OR strpos(body, $2) > 0) ORDER BY path`, project, req.Query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := false
	var found []model.Match
	for rows.Next() {
		m := model.Match{StartLine: 1}
		if err := rows.Scan(&m.Path, &m.Content); err != nil {
			return nil, err
		}
		known = known || m.Path == ""
		if m.Path != "" && strings.Contains(m.Path, req.Path) && len(found) < limit {
			m.EndLine = strings.Count(m.Content, "\n") + 1
			found = append(found, m)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !known {
		return nil, harness.ErrUnknownProject
	}
	return found, nil
}
