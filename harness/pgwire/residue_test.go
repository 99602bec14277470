package pgwire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// looks are what a client can see of its session's state. Each answers with one text.
var looks = map[string]string{
	"settings": `SELECT string_agg(name || '=' || setting || ' ' || source || ' ' || reset_val, E'\n' ORDER BY name) FROM pg_settings
		WHERE name NOT LIKE '%.%'`,
	"custom setting":      `SELECT coalesce('[' || current_setting('my.tenant', true) || ']', 'unknown')`,
	"prepared statements": `SELECT count(*)::text FROM pg_prepared_statements`,
	"cursors":             `SELECT count(*)::text FROM pg_cursors`,
	"temporary tables":    `SELECT count(*)::text FROM pg_class WHERE relnamespace = pg_my_temp_schema()`,
	"advisory locks":      `SELECT count(*)::text FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'`,
	"channels":            `SELECT count(*)::text FROM pg_listening_channels()`,
	"roles":               `SELECT current_user || ' ' || session_user`,
	"schemas":             `SELECT current_schemas(false)::text`,
	"transaction":         `SELECT (now() = statement_timestamp())::text || coalesce(pg_current_xact_id_if_assigned()::text, '')`,
	"name":                `SELECT application_name || ' ' || datname FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
}

// state is everything that a client can see of a session.
func state(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	seen := map[string]string{"status": string(conn.PgConn().TxStatus())}
	for name, sql := range looks {
		var s string
		if err := conn.QueryRow(t.Context(), sql, pgx.QueryExecModeSimpleProtocol).Scan(&s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen[name] = s
	}
	var last string
	err := conn.QueryRow(t.Context(), `SELECT lastval()::text`, pgx.QueryExecModeSimpleProtocol).Scan(&last)
	seen["sequence"] = fmt.Sprint(last, err)
	for _, name := range strings.Fields("application_name client_encoding DateStyle default_transaction_read_only " +
		"in_hot_standby integer_datetimes IntervalStyle is_superuser server_encoding server_version " +
		"session_authorization standard_conforming_strings TimeZone") {
		seen["reported "+name] = conn.PgConn().ParameterStatus(name)
	}
	return seen
}

// residues are what a client may leave behind. kept says whether its backend may be used again.
var residues = []struct {
	name  string
	leave []string
	kept  bool
}{
	{"nothing", nil, true},
	{"settings", []string{"SET work_mem = '77MB'", "SET TimeZone = 'Asia/Tokyo'", "SET DateStyle = 'German'"}, true},
	{"a search path", []string{"SET search_path = pg_catalog"}, true},
	{"a role", []string{"SET ROLE pg_monitor"}, true},
	{"an application name", []string{"SET application_name = 'somebody'"}, true},
	{"a statement timeout", []string{"SET statement_timeout = '30s'", "SET lock_timeout = '5s'"}, true},
	{"a read-only session", []string{"SET default_transaction_read_only = on"}, true},
	{"a client encoding", []string{"SET client_encoding = 'LATIN1'"}, true},
	{"a prepared statement", []string{"PREPARE p AS SELECT 1"}, true},
	{"a cursor", []string{"DECLARE c CURSOR WITH HOLD FOR SELECT 1"}, true},
	{"a temporary table", []string{"CREATE TEMP TABLE tt (a int)", "INSERT INTO tt VALUES (1)"}, true},
	{"a sequence", []string{"CREATE TEMP SEQUENCE ss", "SELECT nextval('ss')"}, true},
	{"an advisory lock", []string{"SELECT pg_advisory_lock(4711)"}, true},
	{"a channel", []string{"LISTEN c", "NOTIFY c"}, true},
	{"a transaction", []string{"BEGIN", "CREATE TABLE never (a int)"}, true},
	{"a failed transaction", []string{"BEGIN", "!SELECT 1/0"}, true},
	{"an error", []string{"!SELECT 1/0"}, true},
	{"a custom setting", []string{"SET my.tenant = 'a'"}, false},
	{"a custom setting in a transaction", []string{"BEGIN", "set local my.tenant = 'a'", "COMMIT"}, false},
	{"a custom setting by function", []string{"SELECT set_config('my.tenant', 'a', false)"}, false},
	{"a setting by function", []string{"SELECT set_config('work_mem', '99MB', false)"}, true},
}

func TestReusedBackendIsLikeAFreshOne(t *testing.T) {
	t.Parallel()
	for way, dsn := range ways(t) {
		for _, r := range residues {
			t.Run(way+"/"+r.name, func(t *testing.T) {
				t.Parallel()
				w := warm(t, 4)
				named := func(c *pgx.ConnConfig) {
					c.RuntimeParams["application_name"] = "me"
					c.RuntimeParams["IntervalStyle"] = "iso_8601"
				}
				want := state(t, connect(t, nil, dsn, named))
				first := connect(t, w, dsn, named)
				if d := cmp.Diff(want, state(t, first)); d != "" {
					t.Errorf("through Warm, cold, -direct +seen:\n%s", d)
				}
				for _, sql := range r.leave {
					bare, fails := strings.CutPrefix(sql, "!")
					if _, err := first.Exec(t.Context(), bare); (err != nil) != fails {
						t.Fatalf("%s: %v", sql, err)
					}
				}
				if len(r.leave) > 0 && r.name != "an error" {
					if d := cmp.Diff(want, tryState(t, first)); d == "" {
						t.Error("what was left is not to be seen: the test says nothing")
					}
				}
				pid := first.PgConn().PID()
				disconnect(t, first)
				var parked int
				var reused int64
				if r.kept {
					parked, reused = 1, 1
				}
				counts(t, w, parked, 0)

				second := connect(t, w, dsn, named)
				counts(t, w, 0, reused)
				if d := cmp.Diff(want, state(t, second)); d != "" {
					t.Errorf("the second client, -direct +seen:\n%s", d)
				}
				if own := text(t, second, "SELECT pg_backend_pid()::text"); own != fmt.Sprint(second.PgConn().PID()) {
					t.Errorf("the server says %s of its process, the driver %d", own, second.PgConn().PID())
				}
				if r.kept != (second.PgConn().PID() == pid) {
					t.Errorf("first process %d, second %d", pid, second.PgConn().PID())
				}
			})
		}
	}
}

// tryState is state where looking may fail.
func tryState(t *testing.T, conn *pgx.Conn) map[string]string {
	if conn.PgConn().TxStatus() == 'E' || conn.PgConn().ParameterStatus("client_encoding") != "UTF8" {
		return map[string]string{"status": "E"}
	}
	return state(t, conn)
}

func TestAlteredDefaultsAreSeen(t *testing.T) {
	t.Parallel()
	w := warm(t, 4)
	in := database(t, "pgwire_altered")
	lent := connect(t, w, socket(t), in)
	disconnect(t, connect(t, w, socket(t), in))
	counts(t, w, 1, 0)
	exec(t, connect(t, w, socket(t)), `ALTER DATABASE pgwire_altered SET work_mem = '55MB'`)
	counts(t, w, 0, 0)
	disconnect(t, lent)
	counts(t, w, 0, 0)
	if got := text(t, connect(t, w, socket(t), in), "SHOW work_mem"); got != "55MB" {
		t.Errorf("a new client sees %s", got)
	}
}

func TestStatementCachesStartEmpty(t *testing.T) {
	t.Parallel()
	w := warm(t, 1)
	for range 3 {
		conn := connect(t, w, socket(t))
		if got := text(t, conn, "SELECT $1::text || count(*) FROM pg_prepared_statements", "n"); got != "n1" {
			t.Errorf("got %s: the driver's statement only is expected", got)
		}
		disconnect(t, conn)
	}
	counts(t, w, 1, 2)
}

func TestNoticesOfOthersAreNotRead(t *testing.T) {
	t.Parallel()
	w := warm(t, 1)
	first := connect(t, w, socket(t))
	exec(t, first, "LISTEN pgwire_news")
	exec(t, connect(t, nil, socket(t)), "NOTIFY pgwire_news, 'unread'")
	disconnect(t, first)
	second := connect(t, w, socket(t), func(c *pgx.ConnConfig) {
		c.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { t.Errorf("somebody else's %q", n.Payload) }
	})
	if got := text(t, second, "SELECT 'mine'"); got != "mine" {
		t.Errorf("got %q", got)
	}
	counts(t, w, 0, 1)
}
