package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// toldSettings are the server's settings that a repro tells of: those that decide what waits, what is seen
// and when, and none that names a place of the machine.
var toldSettings = []string{
	"autovacuum", "deadlock_timeout", "default_transaction_isolation", "fsync", "jit", "lock_timeout",
	"max_connections", "plan_cache_mode", "server_encoding", "statement_timeout", "synchronous_commit",
}

// serverSettings asks a server for its settings, each as name = value.
func serverSettings(ctx context.Context, dsn string) (settings []string, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("ask for the server's settings: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	rows, err := conn.Query(ctx, `SELECT name || ' = ' || current_setting(name) FROM pg_settings WHERE name = ANY($1) ORDER BY name`, toldSettings)
	if err != nil {
		return nil, fmt.Errorf("ask for the server's settings: %w", err)
	}
	if settings, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, fmt.Errorf("ask for the server's settings: %w", err)
	}
	return settings, nil
}
