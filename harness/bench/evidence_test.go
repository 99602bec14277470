package bench_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// watchedLab is a lab on a server whose log is kept.
func watchedLab(t *testing.T, target harness.Target) (*bench.Lab, *bench.ServerLog) {
	t.Helper()
	log := &bench.ServerLog{}
	server, _, err := postgres.Open(t.Context(), "auto", postgres.Settings{Log: log}, postgres.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &bench.Lab{Target: target, DSN: server.DSN(), Prefix: "ts0badcafe_", Versions: map[string]string{"go": "1"}}, log
}

// TestDiagnosisNamesWhatIsSlow looks into a service that reads a table of 1,500 rows from end to end for every search.
func TestDiagnosisNamesWhatIsSlow(t *testing.T) {
	l, log := watchedLab(t, fakeTarget("no-index"))
	const searches = 15
	e, err := l.Diagnose(t.Context(), bench.DiagnoseOptions{
		Search:  &bench.SearchOptions{Repository: repository(t, 1500), Project: "p", Queries: searches, Seed: 1, Clients: []int{2}, Runs: 1},
		Because: []string{"search_c2 p95 was missed"}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	text := e.Markdown(1)
	for _, want := range []string{
		"search_c2 p95 was missed", `missing index: public.Docs (1500 rows) was read from end to end`, "Seq Scan on \"Docs\"", "Buffers: shared",
		"SELECT path, content FROM \"Docs\"", "an index may be missing",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %s:\n%s", want, text)
		}
	}
	// The missing index comes before all else.
	if !strings.HasPrefix(e.Advice[0], "missing index") {
		t.Errorf("%q", e.Advice)
	}
	if s := e.Statements[0]; s.Times < 3*searches || s.Total < s.Max || s.Max <= 0 {
		t.Errorf("%+v", s)
	}
	if e.Acquire.Times < 3*searches || e.Connect.Times < 1 {
		t.Errorf("acquired %+v, connected %+v", e.Acquire, e.Connect)
	}
	if len(e.CPU) == 0 || len(e.Heap) == 0 {
		t.Errorf("profiles of %d and %d bytes: %v", len(e.CPU), len(e.Heap), e.Notes)
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	// The server is again as it was.
	conn, err := harness.ConnectControl(t.Context(), l.DSN, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	libraries, limit := "", ""
	err = conn.QueryRow(t.Context(), `SELECT current_setting('session_preload_libraries'), current_setting('log_min_duration_statement')`).Scan(&libraries, &limit)
	if err != nil || libraries != "" || limit != "-1" {
		t.Errorf("%q, %q, %v", libraries, limit, err)
	}
}

// TestDiagnosisOfEveryLoad gathers something of each, and changes nothing of a server that is not ours.
func TestDiagnosisOfEveryLoad(t *testing.T) {
	l := newLab(t, fakeTarget())
	stress := small()
	for _, o := range []bench.DiagnoseOptions{
		{Index: &bench.IndexOptions{Repository: repository(t, 30), Project: "p", Runs: 5}}, {Stress: &stress},
	} {
		e, err := l.Diagnose(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Statements) == 0 || len(e.Advice) == 0 || len(e.Tables) == 0 || len(e.Plans) == 0 || len(e.Logged) > 0 {
			t.Errorf("%s: %+v", e.Kind, e)
		}
		if (e.HitRate != nil) != (o.Stress != nil) {
			t.Errorf("%s: hit rate %v", e.Kind, e.HitRate)
		}
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestDiagnosisOfAServiceThatHides(t *testing.T) {
	l := newLab(t, fakeTarget("hidden"))
	e, err := l.Diagnose(t.Context(), bench.DiagnoseOptions{Index: &bench.IndexOptions{Repository: repository(t, 30), Project: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(e.Notes, "\n"), "was not seen to send a statement") {
		t.Errorf("%v", e.Notes)
	}
}

func TestInterruptedDiagnosisLeavesNothing(t *testing.T) {
	l, log := watchedLab(t, fakeTarget())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.Progress = func(s bench.Step) {
		if s.Done == 2 {
			cancel()
		}
	}
	_, err := l.Diagnose(ctx, bench.DiagnoseOptions{Index: &bench.IndexOptions{Repository: repository(t, 30), Project: "p"}, Log: log})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if names := left(t, l); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestServersThatCount uses pg_stat_statements where there is one.
func TestServersThatCount(t *testing.T) {
	server, _, err := postgres.Open(t.Context(), "auto", postgres.Settings{Extra: map[string]string{"shared_preload_libraries": "pg_stat_statements"}}, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `CREATE EXTENSION pg_stat_statements`)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	l := &bench.Lab{Target: fakeTarget(), DSN: server.DSN(), Prefix: "ts0badcafe_", Versions: map[string]string{"go": "1"}}
	e, err := l.Diagnose(t.Context(), bench.DiagnoseOptions{
		Search: &bench.SearchOptions{Repository: repository(t, 30), Project: "p", Queries: 20, Seed: 1, Clients: []int{1}, Runs: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Counted) == 0 || !strings.Contains(e.Markdown(1), "by pg_stat_statements") {
		t.Errorf("%+v, %v", e.Counted, e.Notes)
	}
}

func TestLogsAreRead(t *testing.T) {
	log := &bench.ServerLog{}
	fmt.Fprint(log, `2026-01-02 03:04:05.678 UTC [12] LOG:  checkpoint complete: wrote 1 buffers
2026-01-02 03:04:05.678 UTC [12] LOG:  duration: 12.345 ms  execute stmtcache_1: SELECT a
	  FROM t
2026-01-02 03:04:05.678 UTC [12] DETAIL:  parameters: $1 = 'secret'
2026-01-02 03:04:05.678 UTC [12] LOG:  duration: 12.300 ms  plan:
	Query Text: SELECT a
	  FROM t
	Query Parameters: $1 = 'secret'
	Seq Scan on t  (cost=0.00..1.01 rows=1 width=4) (actual rows=1 loops=1)
	  Filter: (a > 1)
2026-01-02 03:04:06.678 UTC [12] LOG:  duration: 99.000 ms  statement: CREATE TABLE t (a int)
2026-01-02 03:04:06.678 UTC [12] LOG:  duration: 500.000 ms  plan:
	Query Text: EXPLAIN (ANALYZE, BUFFERS) SELECT 1
	Result  (cost=0.00..0.01 rows=1 width=4)
2026-01-02 03:04:06.678 UTC [12] ERROR:  duration: 600.000 ms  statement: not this
`)
	found := bench.Slowest(log)
	if len(found) != 2 || found[0].SQL != "CREATE TABLE t (a int)" || found[0].Milliseconds != 99 || len(found[0].Plan) != 0 {
		t.Fatalf("%+v", found)
	}
	// The entry with the plan is kept of the two.
	if l := found[1]; l.SQL != "SELECT a FROM t" || l.Milliseconds != 12.3 || len(l.Plan) != 2 || !strings.HasPrefix(l.Plan[0], "Seq Scan") {
		t.Errorf("%+v", l)
	}
	if strings.Contains(fmt.Sprintf("%+v", found), "secret") {
		t.Error("parameters are kept")
	}
}

// TestAdvice says what is to be tried for each kind of evidence, and in which order.
func TestAdvice(t *testing.T) {
	const ms = time.Millisecond
	low := 0.25
	quick := []bench.StatementTime{{SQL: "SELECT 1", Times: 100, Total: 10 * ms, Max: ms}, {SQL: "SELECT 2", Times: 100, Total: 10 * ms, Max: ms}, {SQL: "SELECT 3", Times: 100, Total: 10 * ms, Max: ms}}
	for _, row := range []struct {
		why  string
		e    bench.Evidence
		want []string // how each advice begins
	}{
		{"nothing", bench.Evidence{Statements: quick}, []string{"nothing of the server"}},
		{"a small table", bench.Evidence{Statements: quick, Tables: []bench.TableReads{{Name: "t", Rows: 10, Scans: 100, ScanRows: 1000}}}, []string{"nothing of the server"}},
		{"a table read to its end", bench.Evidence{Statements: quick, Tables: []bench.TableReads{{Name: "t", Rows: 5000, Scans: 100, ScanRows: 500_000}}}, []string{"missing index: t (5000 rows)"}},
		{"a table that is set up", bench.Evidence{Statements: quick, Tables: []bench.TableReads{{Name: "t", Rows: 5000, Scans: 2, ScanRows: 10_000}}}, []string{"nothing of the server"}},
		{"rows read to be thrown away", bench.Evidence{Statements: quick, Plans: []bench.Plan{{SQL: "SELECT", Text: []string{
			"Bitmap Heap Scan on t  (cost=0.00..1.01 rows=7 width=4) (actual time=0.1..0.2 rows=9 loops=1)", "  Rows Removed by Filter: 4991",
		}}}}, []string{"missing index: 4991 rows were read"}},
		{"a bad estimate", bench.Evidence{Statements: quick, Plans: []bench.Plan{{Text: []string{
			"Limit  (cost=0.00..1.01 rows=10 width=4) (actual time=0.1..0.2 rows=10 loops=1)", "  ->  Seq Scan on t  (cost=0.00..1.01 rows=7 width=4) (actual time=0.1..0.2 rows=9000 loops=1)",
		}}}}, []string{`statistics: the planner expected 7 rows of "Seq Scan on t" and got 9000`}},
		{"a node that never ran", bench.Evidence{Statements: quick, Plans: []bench.Plan{{Text: []string{
			"Seq Scan on t  (cost=0.00..1.01 rows=70000 width=4) (actual time=0.000..0.000 rows=0 loops=0)",
		}}}}, []string{"nothing of the server"}},
		{"one statement", bench.Evidence{Statements: []bench.StatementTime{{SQL: "SELECT pg_sleep(1)", Times: 2, Total: 900 * ms, Max: 500 * ms}}}, []string{"statement: 100 %"}},
		{"no connection to be had", bench.Evidence{Statements: quick, Acquire: bench.Waited{Times: 10, Total: 100 * ms, Max: 50 * ms}}, []string{"connections: a pool's connection"}},
		{"connections that are opened", bench.Evidence{Statements: quick, Connect: bench.Waited{Times: 10, Total: 100 * ms, Max: 50 * ms}}, []string{"connections: 10 were opened"}},
		{"pools that come and go", bench.Evidence{Statements: quick, HitRate: &low}, []string{"pools: only 25 %"}},
		{"blocks from elsewhere", bench.Evidence{Statements: quick, Plans: []bench.Plan{{Text: []string{"  Buffers: shared hit=10 read=90"}}}}, []string{"memory: 90 %"}},
		{"several, and a profile", bench.Evidence{
			Statements: quick, HitRate: &low, CPU: []byte{1}, Tables: []bench.TableReads{{Name: "t", Rows: 5000, Scans: 100, ScanRows: 500_000}},
			Acquire: bench.Waited{Times: 10, Total: 100 * ms, Max: 50 * ms},
		}, []string{"missing index", "connections", "pools", "look where the client"}},
	} {
		got := bench.Advise(&row.e)
		ok := len(got) == len(row.want)
		for i := range min(len(got), len(row.want)) {
			ok = ok && strings.HasPrefix(got[i], row.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", row.why, got, row.want)
		}
	}
}
