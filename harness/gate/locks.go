package gate

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// Locks asks PostgreSQL which backends wait for which, over a connection of its own that it keeps. Safe
// for concurrent use.
type Locks struct {
	dsn string

	mu   sync.Mutex
	conn *pgx.Conn
}

// NewLocks returns a Locks for the server of a connection string. It connects when it is first asked.
func NewLocks(dsn string) *Locks { return &Locks{dsn: dsn} }

// blockers is one round trip: nothing is prepared, the pids stand in the text.
const blockers = `SELECT pid, pg_blocking_pids(pid) FROM unnest($1::int[]) AS pid`

// Blocked returns, for each of these backends that waits for a lock, those it waits for.
func (l *Locks) Blocked(ctx context.Context, pids []uint32) (map[uint32][]uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	asked := make([]int32, len(pids))
	for i, pid := range pids {
		asked[i] = int32(pid)
	}
	rows, err := l.conn.Query(ctx, blockers, asked)
	if err != nil {
		return nil, fmt.Errorf("ask who waits for a lock: %w", err)
	}
	blocked := map[uint32][]uint32{}
	var (
		pid int32
		by  []int32
	)
	_, err = pgx.ForEachRow(rows, []any{&pid, &by}, func() error {
		for _, b := range by {
			blocked[uint32(pid)] = append(blocked[uint32(pid)], uint32(b))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask who waits for a lock: %w", err)
	}
	return blocked, nil
}

// connect makes the connection, under the name that whoever counts a service's backends leaves out.
func (l *Locks) connect(ctx context.Context) error {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	cfg, err := pgx.ParseConfig(l.dsn)
	if err != nil {
		return fmt.Errorf("lock waits: the connection string cannot be parsed") // the parser's error may hold the password
	}
	cfg.RuntimeParams["application_name"] = pgwire.ParkedApplication
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	l.conn, err = pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("lock waits: %w", err)
	}
	return nil
}

// Close closes the connection.
func (l *Locks) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	return l.conn.Close(ctx)
}
