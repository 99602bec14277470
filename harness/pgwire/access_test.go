package pgwire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// role makes a login role that may do no more than others, dropped with the test.
func role(t *testing.T, name, password string) func(*pgx.ConnConfig) {
	t.Helper()
	exec(t, connect(t, nil, socket(t)), fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, password))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), socket(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	return func(c *pgx.ConnConfig) { c.User, c.Password = name, password }
}

// refusal is what PostgreSQL, or Warm in its name, says to a wrong password.
func refusal(t *testing.T, cfg *pgx.ConnConfig) *pgconn.PgError {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a wrong password was let in")
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		t.Fatal(err)
	}
	return said
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	w, tcp := warm(t, 4), server(t).DSN()
	wrong := func(c *pgx.ConnConfig) { c.Password = "wrong" }
	want := refusal(t, config(t, nil, tcp, wrong))
	disconnect(t, connect(t, w, tcp))
	counts(t, w, 1, 0)
	got := refusal(t, config(t, w, tcp, wrong))
	counts(t, w, 0, 1)
	if got.Code != want.Code || got.Message != want.Message || got.Severity != want.Severity {
		t.Errorf("a kept backend says %v, the server %v", got, want)
	}
	if got := refusal(t, config(t, w, tcp, wrong)); got.Code != want.Code {
		t.Errorf("the server says %v through Warm", got)
	}
	disconnect(t, connect(t, w, tcp))
	disconnect(t, connect(t, w, tcp))
	counts(t, w, 1, 2)
}

func TestPasswordAskedForOnlyWhereTheServerDoes(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	wrong := func(c *pgx.ConnConfig) { c.Password = "wrong" }
	disconnect(t, connect(t, w, socket(t)))
	disconnect(t, connect(t, w, socket(t), wrong))
	counts(t, w, 1, 1)
}

func TestChangedPasswordCounts(t *testing.T) {
	t.Parallel()
	w, tcp := warm(t, 4), server(t).DSN()
	as := role(t, "pgwire_changing", "one")
	admin := connect(t, nil, socket(t))
	exec(t, admin, "ALTER ROLE pgwire_changing SUPERUSER")
	disconnect(t, connect(t, w, tcp, as))
	counts(t, w, 1, 0)
	exec(t, admin, "ALTER ROLE pgwire_changing PASSWORD 'two'") // behind Warm's back
	if got := refusal(t, config(t, w, tcp, as)); got.Code != "28P01" {
		t.Errorf("the old password: %v", got)
	}
	disconnect(t, connect(t, w, tcp, as, func(c *pgx.ConnConfig) { c.Password = "two" }))
	counts(t, w, 1, 1)
	exec(t, admin, "ALTER ROLE pgwire_changing NOLOGIN")
	if got := refusal(t, config(t, w, tcp, as, func(c *pgx.ConnConfig) { c.Password = "two" })); got.Code != "28000" {
		t.Errorf("a role that may not log in: %v", got)
	}
}

// TestRoleThatMayNotReadVerifiers is about a role for which Warm cannot judge a password.
func TestRoleThatMayNotReadVerifiers(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	as := role(t, "pgwire_plain", "secret")
	disconnect(t, connect(t, w, server(t).DSN(), as))
	counts(t, w, 0, 0)
	disconnect(t, connect(t, w, socket(t), as))
	disconnect(t, connect(t, w, socket(t), as))
	counts(t, w, 1, 1)
}

func TestClientsAreNeverMixed(t *testing.T) {
	t.Parallel()
	w := warm(t, 16)
	one, two := database(t, "pgwire_mixed_a"), database(t, "pgwire_mixed_b")
	user := role(t, "pgwire_mixed", "secret")
	zone := func(c *pgx.ConnConfig) { c.RuntimeParams["TimeZone"] = "Asia/Tokyo" }
	kinds := [][]func(*pgx.ConnConfig){{one}, {two}, {one, user}, {two, user}, {one, zone}, {two, user, zone}}
	wants := make([]string, len(kinds))
	const who = `SELECT current_database() || ' ' || current_user || ' ' || current_setting('TimeZone')`
	for round := range 3 {
		for i, kind := range kinds {
			conn := connect(t, w, socket(t), kind...)
			got := text(t, conn, who)
			if round == 0 {
				wants[i] = got
			} else if got != wants[i] {
				t.Errorf("client %d is %q, was %q", i, got, wants[i])
			}
			if conn.PgConn().ParameterStatus("session_authorization") != conn.Config().User {
				t.Errorf("client %d is told it is %s", i, conn.PgConn().ParameterStatus("session_authorization"))
			}
			disconnect(t, conn)
		}
		counts(t, w, len(kinds), int64(round*len(kinds)))
	}
}

func TestTLSRefusedAndPreferred(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	tcp := strings.Replace(server(t).DSN(), "sslmode=disable", "sslmode=prefer", 1)
	for range 2 {
		conn := connect(t, w, tcp)
		if got := text(t, conn, "SELECT 'here'"); got != "here" {
			t.Errorf("got %q", got)
		}
		disconnect(t, conn)
	}
	counts(t, w, 1, 1)
	_, err := pgx.ConnectConfig(t.Context(), config(t, w, strings.Replace(tcp, "sslmode=prefer", "sslmode=require", 1)))
	if err == nil {
		t.Error("TLS was required, and the server has none")
	}
	counts(t, w, 1, 1)
}
