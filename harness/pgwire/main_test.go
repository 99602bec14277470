package pgwire_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// shared is the server of the tests that need one.
var shared struct {
	once   sync.Once
	server postgres.Server
	err    error
}

// server returns the shared server. Without one the test fails: there is nothing to pass over.
func server(tb testing.TB) postgres.Server {
	tb.Helper()
	shared.once.Do(func() {
		shared.server, _, shared.err = postgres.Open(context.Background(), "local", postgres.Settings{}, postgres.Options{})
	})
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// ways are the two ways to the server: without a password, and with one.
func ways(tb testing.TB) map[string]string {
	return map[string]string{"socket": postgres.QuickDSN(server(tb)), "tcp": server(tb).DSN()}
}

func socket(tb testing.TB) string { return ways(tb)["socket"] }

// warm returns a Warm that is closed with the test.
func warm(tb testing.TB, most int) *pgwire.Warm {
	w := pgwire.NewWarm(nil, most)
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// config is a configuration of a client of w; of one that dials itself, if w is nil.
func config(tb testing.TB, w *pgwire.Warm, dsn string, with ...func(*pgx.ConnConfig)) *pgx.ConnConfig {
	tb.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	if w != nil {
		cfg.DialFunc = w.Dial
	}
	for _, f := range with {
		f(cfg)
	}
	return cfg
}

func connect(tb testing.TB, w *pgwire.Warm, dsn string, with ...func(*pgx.ConnConfig)) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.ConnectConfig(tb.Context(), config(tb, w, dsn, with...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func disconnect(tb testing.TB, conn *pgx.Conn) {
	tb.Helper()
	if err := conn.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

func exec(tb testing.TB, conn *pgx.Conn, sql string) {
	tb.Helper()
	if _, err := conn.Exec(tb.Context(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// text returns the one value that a query answers with.
func text(tb testing.TB, conn *pgx.Conn, sql string, args ...any) string {
	tb.Helper()
	var s string
	if err := conn.QueryRow(tb.Context(), sql, args...).Scan(&s); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return s
}

// eventually asks until a query answers "true": what it asks about is on its way.
func eventually(tb testing.TB, conn *pgx.Conn, sql string, args ...any) {
	tb.Helper()
	for text(tb, conn, "SELECT ("+sql+")::text", args...) != "true" {
		exec(tb, conn, "SELECT pg_sleep(0.001)")
	}
}

// counts checks how many backends are parked and were reused.
func counts(tb testing.TB, w *pgwire.Warm, parked int, reused int64) {
	tb.Helper()
	if w.Parked() != parked || w.Reused() != reused {
		tb.Errorf("parked %d, reused %d; want %d and %d", w.Parked(), w.Reused(), parked, reused)
	}
}

// database makes a database, dropped with the test.
func database(tb testing.TB, name string) func(*pgx.ConnConfig) {
	tb.Helper()
	admin := connect(tb, nil, socket(tb))
	exec(tb, admin, "CREATE DATABASE "+name)
	tb.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), socket(tb))
		if err != nil {
			tb.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return func(c *pgx.ConnConfig) { c.Database = name }
}
