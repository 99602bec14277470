package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// speedSettings are PostgreSQL's settings that a result has to be read with.
var speedSettings = []string{
	"server_version", "shared_buffers", "work_mem", "maintenance_work_mem", "effective_cache_size", "max_connections", "fsync", "synchronous_commit",
	"full_page_writes", "autovacuum", "jit", "wal_level", "max_wal_size", "random_page_cost", "max_parallel_workers_per_gather",
}

// serverSettings reads them.
func (l *Lab) serverSettings(ctx context.Context) (settings map[string]string, err error) {
	settings = map[string]string{}
	err = l.control(ctx, "", func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY ($1)`, speedSettings)
		if err != nil {
			return err
		}
		var name, value string
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
			settings[name] = value
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	return settings, nil
}

// walPosition is how many bytes the server has written to its log since its beginning.
func walPosition(ctx context.Context, conn *pgx.Conn) (n int64, err error) {
	if err := conn.QueryRow(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the WAL position: %w", err)
	}
	return n, nil
}

// databaseBytes is the size of all databases of a prefix that somebody may connect to: a sealed template is no content.
func databaseBytes(ctx context.Context, conn *pgx.Conn, prefix string) (n int64, err error) {
	err = conn.QueryRow(ctx, `SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database
		WHERE starts_with(datname, $1) AND datallowconn`, prefix).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read the size of the databases: %w", err)
	}
	return n, nil
}

// checkpoint gives what follows an even start: what was written before is not written out during it. A role
// that may not is no reason to stop.
func checkpoint(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `CHECKPOINT`)
	if err != nil && !hasCode(err, "42501") {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func hasCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
