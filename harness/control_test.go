package harness_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness"
)

// control returns a control connection to the shared server, and what makes databases there, dropped
// with the test.
func control(t *testing.T) (*harness.Control, func(names ...string)) {
	t.Helper()
	c := harness.NewControl(server(t).DSN())
	admin := connect(t, "", harness.ControlApplication)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c, func(names ...string) {
		t.Helper()
		for _, name := range names {
			quoted := pgx.Identifier{name}.Sanitize()
			if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+quoted); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				drop(t, quoted)
			})
		}
	}
}

func drop(t *testing.T, quoted string) {
	conn, err := harness.ConnectControl(context.Background(), server(t).DSN(), "")
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)"); err != nil {
		t.Error(err)
	}
}

// connect connects to a database of the shared server as an application; it is closed with the test.
func connect(t *testing.T, database, application string) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(server(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	if database != "" {
		cfg.Database = database
	}
	cfg.RuntimeParams["application_name"] = application
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func databases(t *testing.T, c *harness.Control, prefix string) []string {
	t.Helper()
	names, err := c.Databases(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestDropDatabases(t *testing.T) {
	c, create := control(t)
	mine, other := "hct_a_", "hct_ab" // to LIKE the underscore would be any letter
	create(mine+"2", mine+`1"quoted`, other+"3", "hct_")
	same(t, "databases", databases(t, c, mine), []string{mine + `1"quoted`, mine + "2"})

	busy := connect(t, mine+"2", "a service")
	inside := connect(t, mine+"2", harness.ControlApplication)
	elsewhere := connect(t, other+"3", "a service")
	if err := c.DropDatabases(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	same(t, "left", databases(t, c, "hct_"), []string{"hct_", other + "3"})
	if busy.Ping(t.Context()) == nil || inside.Ping(t.Context()) == nil {
		t.Error("a connection to a dropped database still answers")
	}
	if err := elsewhere.Ping(t.Context()); err != nil {
		t.Errorf("a connection to another's database was ended: %v", err)
	}
	if err := c.DropDatabases(t.Context(), mine); err != nil {
		t.Errorf("with nothing to drop: %v", err)
	}
}

func TestDropDatabasesRefusesEverything(t *testing.T) {
	c, create := control(t)
	create("hct_safe")
	for _, prefix := range []string{"", "_", "___"} {
		if err := c.DropDatabases(t.Context(), prefix); err == nil {
			t.Errorf("prefix %q: no error", prefix)
		}
	}
	same(t, "left", databases(t, c, "hct_safe"), []string{"hct_safe"})
}

func TestBackends(t *testing.T) {
	c, create := control(t)
	create("hct_b_1", "hct_b_2", "hct_bx")
	backends := func() (lines []string) {
		found, err := c.Backends(t.Context(), "hct_b_")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range found {
			lines = append(lines, fmt.Sprintf("%s|%s|%s|%s", b.Database, b.Application, b.State, b.Query))
		}
		return lines
	}
	same(t, "before", backends(), nil)

	// Not the service's, or of no database of the prefix.
	connect(t, "hct_b_1", harness.ControlApplication)
	connect(t, "hct_bx", "a service")
	second := connect(t, "hct_b_2", "a service")
	first := connect(t, "hct_b_1", "")
	if _, err := second.Exec(t.Context(), "BEGIN; SELECT 1 -- "+strings.Repeat("x", 100)); err != nil {
		t.Fatal(err)
	}
	same(t, "during", backends(), []string{
		"hct_b_1||idle|",
		"hct_b_2|a service|idle in transaction|BEGIN; SELECT 1 -- " + strings.Repeat("x", 61),
	})
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server takes a moment to see that a client is gone.
	for t.Context().Err() == nil && backends() != nil {
		if err := c.DropDatabases(t.Context(), "hct_b_"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestControlReconnects: a lost connection costs one answer, not the rest of the run.
func TestControlReconnects(t *testing.T) {
	c, create := control(t)
	create("hct_r")
	same(t, "before", databases(t, c, "hct_r"), []string{"hct_r"})
	killer := connect(t, "", "killer")
	const end = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE application_name = $1 AND query LIKE '%starts_with%' AND pid <> pg_backend_pid()`
	if _, err := killer.Exec(t.Context(), end, harness.ControlApplication); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Databases(t.Context(), "hct_r"); err == nil {
		t.Error("no error although the connection is gone")
	}
	same(t, "after", databases(t, c, "hct_r"), []string{"hct_r"})
}

func TestControlErrors(t *testing.T) {
	for _, dsn := range []string{
		"postgres://somebody:s3same@127.0.0.1:1/nowhere",
		"postgres://somebody:s3same@127.0.0.1:port/nowhere",
		"host=127.0.0.1 port=1 user=somebody password=s3same sslmode=nonsense",
	} {
		c := harness.NewControl(dsn)
		_, list := c.Databases(t.Context(), "x")
		_, count := c.Backends(t.Context(), "x")
		_, claim := harness.ClaimPrefix(t.Context(), dsn)
		for what, err := range map[string]error{"list": list, "count": count, "drop": c.DropDatabases(t.Context(), "x"), "claim": claim} {
			if err == nil || strings.Contains(err.Error(), "s3same") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("close of what never connected: %v", err)
		}
	}
}

func TestControlClosesTwice(t *testing.T) {
	c, _ := control(t)
	databases(t, c, "hct_")
	for range 2 {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	databases(t, c, "hct_") // and may be used again
}
