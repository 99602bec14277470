package pgwire_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

func TestParkedBackendsAreNamed(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	conn := connect(t, w, socket(t), func(c *pgx.ConnConfig) { c.RuntimeParams["application_name"] = "busy" })
	pid := conn.PgConn().PID()
	watch := connect(t, nil, socket(t))
	const name = `SELECT application_name || ' ' || state FROM pg_stat_activity WHERE pid = $1`
	if got := text(t, watch, name, pid); got != "busy idle" {
		t.Errorf("a lent backend is %q", got)
	}
	disconnect(t, conn)
	if got := text(t, watch, name, pid); got != pgwire.ParkedApplication+" idle" {
		t.Errorf("a parked backend is %q", got)
	}
}

func TestTerminatedBackendIsPassedOver(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	one, two := connect(t, w, socket(t)), connect(t, w, socket(t))
	first, last := one.PgConn().PID(), two.PgConn().PID()
	disconnect(t, one)
	disconnect(t, two)
	exec(t, connect(t, nil, socket(t)), fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", last))
	if got := connect(t, w, socket(t)).PgConn().PID(); got != first {
		t.Errorf("process %d, want the one that lives, %d", got, first)
	}
	counts(t, w, 0, 1)
}

func TestDatabasesOfParkedBackends(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string][]string{
		"dropped":               {"DROP DATABASE %s"},
		"dropped in small":      {"drop\n database if exists %s"},
		"copied":                {"CREATE DATABASE %[1]s_copy TEMPLATE %[1]s", "DROP DATABASE %s_copy"},
		"renamed":               {"ALTER DATABASE %[1]s RENAME TO %[1]s_new", "DROP DATABASE %s_new"},
		"looked at, by a value": {"SELECT 1/(count(*) = 0)::int FROM pg_stat_activity WHERE datname = '%s'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := warm(t, 4)
			db := "pgwire_parked_" + name[:3] + fmt.Sprint(len(name))
			in := database(t, db)
			disconnect(t, connect(t, w, socket(t), in))
			conn := connect(t, w, socket(t))
			counts(t, w, 1, 0)
			for _, s := range sql {
				// PostgreSQL waits five seconds for others to leave; nothing of that here.
				exec(t, conn, "SET statement_timeout = '4s'")
				exec(t, conn, fmt.Sprintf(s, db))
			}
			counts(t, w, 0, 0)
		})
	}
}

// TestDatabaseNamedByAnArgument is about a statement that was prepared before and is told a database later.
func TestDatabaseNamedByAnArgument(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	in := database(t, "pgwire_argument")
	conn := connect(t, w, socket(t))
	for range 3 {
		disconnect(t, connect(t, w, socket(t), in))
		if got := text(t, conn, `SELECT count(*)::text FROM pg_stat_activity WHERE datname = $1`, "pgwire_argument"); got != "0" {
			t.Errorf("%s connections", got)
		}
	}
}

func TestMostIsKeptAndTheOldestEnds(t *testing.T) {
	t.Parallel()
	w := warm(t, 2)
	conns := make([]*pgx.Conn, 4)
	pids := make([]uint32, len(conns))
	for i := range conns {
		conns[i] = connect(t, w, socket(t))
		pids[i] = conns[i].PgConn().PID()
	}
	for i, conn := range conns {
		disconnect(t, conn)
		counts(t, w, min(i+1, 2), 0)
	}
	watch := connect(t, nil, socket(t))
	if got := text(t, watch, `SELECT count(*)::text FROM pg_stat_activity WHERE pid = ANY ($1)`, pids[:2]); got != "0" {
		t.Errorf("%s of those that made room are left", got)
	}
	if got := connect(t, w, socket(t)).PgConn().PID(); got != pids[3] {
		t.Errorf("process %d, want the last that was parked, %d", got, pids[3])
	}
	if got := connect(t, w, socket(t)).PgConn().PID(); got != pids[2] {
		t.Errorf("process %d, want the one before, %d", got, pids[2])
	}
	none := warm(t, 0)
	disconnect(t, connect(t, none, socket(t)))
	counts(t, none, 0, 0)
}

func TestCloseEndsAll(t *testing.T) {
	t.Parallel()
	w := warm(t, 8)
	lent := connect(t, w, socket(t))
	var conns []*pgx.Conn
	var pids []uint32
	for range 4 {
		conns = append(conns, connect(t, w, socket(t)))
	}
	for _, conn := range conns {
		pids = append(pids, conn.PgConn().PID())
		disconnect(t, conn)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := text(t, lent, `SELECT count(*)::text FROM pg_stat_activity WHERE pid = ANY ($1)`, pids); got != "0" {
		t.Errorf("%s are left", got)
	}
	disconnect(t, lent)
	disconnect(t, connect(t, w, socket(t)))
	counts(t, w, 0, 0)
}

func TestPipelinesCopiesAndLargeResults(t *testing.T) {
	t.Parallel()
	for way, dsn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := warm(t, 4)
			cfg, err := pgxpool.ParseConfig(dsn)
			if err != nil {
				t.Fatal(err)
			}
			cfg.ConnConfig.DialFunc = w.Dial
			for round := range 3 {
				cfg.MaxConns = 2
				pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				heavy(t, pool)
				pool.Close()
				if w.Parked() == 0 || round > 0 && w.Reused() == 0 {
					t.Errorf("round %d: parked %d, reused %d", round, w.Parked(), w.Reused())
				}
			}
		})
	}
}

func heavy(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	ctx := t.Context()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "CREATE TEMP TABLE x (i int4, s text, raw bytea)"); err != nil {
		t.Fatal(err)
	}
	const rows = 20000
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"x"}, []string{"i", "s", "raw"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		return []any{int32(i), fmt.Sprintf("row %d", i), slices.Repeat([]byte{'X', 0, 0, 0, 4}, 1+i%20)}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	var batch pgx.Batch
	seen := 0
	for i := range 200 {
		batch.Queue("SELECT s FROM x WHERE i = $1", i).QueryRow(func(row pgx.Row) error {
			var s string
			err := row.Scan(&s)
			if s == fmt.Sprintf("row %d", i) {
				seen++
			}
			return err
		})
	}
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil || seen != 200 {
		t.Errorf("batch: %d right, %v", seen, err)
	}
	result, err := conn.Query(ctx, "SELECT i, s, raw FROM x ORDER BY i")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for result.Next() {
		n++
	}
	if result.Err() != nil || n != rows {
		t.Errorf("%d rows, %v", n, result.Err())
	}
}
