package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ControlApplication is the application_name of the harness's own connections. They are no part of the
// service, so leak checks pass over them.
const ControlApplication = "tenantstorm-control"

// Control is a connection of the harness's own to the server, beside the service.
type Control struct {
	dsn string

	mu   sync.Mutex
	conn *pgx.Conn
}

// NewControl returns a control connection for the server of dsn. It connects when first used.
func NewControl(dsn string) *Control { return &Control{dsn: dsn} }

// Backend is a connection that the server has.
type Backend struct {
	Database, Application, State, Query string
	PID                                 uint32 // of the process
}

// ConnectControl connects to a database as the harness, not as the service. Database "" means the one
// the DSN names.
func ConnectControl(ctx context.Context, dsn, database string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("control connection: %w", err)
	}
	cfg.RuntimeParams["application_name"] = ControlApplication
	if database != "" {
		cfg.Database = database
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("control connection: %w", err)
	}
	return conn, nil
}

// with runs f on the connection, connecting first where there is none.
func (c *Control) with(ctx context.Context, f func(*pgx.Conn) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil || c.conn.IsClosed() {
		conn, err := ConnectControl(ctx, c.dsn, "")
		if err != nil {
			return err
		}
		c.conn = conn
	}
	return f(c.conn)
}

// Databases returns the names of the databases that begin with prefix.
func (c *Control) Databases(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	err := c.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname`, prefix)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list databases %s*: %w", prefix, err)
	}
	return names, nil
}

// DropDatabases drops every database whose name begins with prefix, whoever is connected.
//
// Whoever is connected is ended first, all at once: DROP DATABASE WITH (FORCE) looks for leftovers every
// 100 ms only, and so does pg_terminate_backend with a timeout, for one backend after the other.
func (c *Control) DropDatabases(ctx context.Context, prefix string) error {
	if strings.Trim(prefix, "_") == "" {
		return errors.New("drop databases: an empty prefix would drop everything")
	}
	names, err := c.Databases(ctx, prefix)
	if err != nil || len(names) == 0 {
		return err
	}
	err = c.with(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE `+connected, prefix); err != nil {
			return err
		}
		return awaitNone(ctx, conn, prefix)
	})
	if err != nil {
		return fmt.Errorf("end connections to %s*: %w", prefix, err)
	}
	for _, name := range names {
		err := c.with(ctx, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
			return err
		})
		if err != nil {
			return fmt.Errorf("drop database %s: %w", name, err)
		}
	}
	return nil
}

// connected is true of clients' connections to databases whose names begin with $1.
const connected = `starts_with(datname, $1) AND backend_type = 'client backend'`

// A backend that is told to end takes about a millisecond. After endTime it is left to DROP DATABASE.
const (
	endTime = time.Second
	endPoll = time.Millisecond
)

// awaitNone waits until nobody is connected to the databases of prefix.
func awaitNone(ctx context.Context, conn *pgx.Conn, prefix string) error {
	again := time.NewTicker(endPoll)
	defer again.Stop()
	late := time.NewTimer(endTime)
	defer late.Stop()
	for {
		var left bool
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE `+connected+`)`, prefix).Scan(&left)
		if err != nil || !left {
			return err
		}
		select {
		case <-again.C:
		case <-late.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Backends returns the service's connections to databases whose names begin with prefix.
func (c *Control) Backends(ctx context.Context, prefix string) ([]Backend, error) {
	var found []Backend
	err := c.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname, application_name, coalesce(state, ''), left(query, 80), pid::bigint
			FROM pg_stat_activity
			WHERE starts_with(datname, $1) AND application_name <> $2 AND backend_type = 'client backend'
			ORDER BY datname, pid`, prefix, ControlApplication)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Backend])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count backends: %w", err)
	}
	return found, nil
}

// Close ends the connection.
func (c *Control) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	conn := c.conn
	c.conn = nil
	return conn.Close(ctx)
}
