package pgwire_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// clients calls f with a client that dials itself and with one through a front, on each way to the server,
// and compares what it returns.
func clients(t *testing.T, f func(t *testing.T, conn *pgx.Conn) []string, with ...func(*pgx.ConnConfig)) {
	t.Helper()
	for way, dsn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			direct := connect(t, nil, dsn, with...)
			want := f(t, direct)
			disconnect(t, direct)
			w := warm(t, 2)
			for name, dial := range map[string]pgwire.DialFunc{"plain": nil, "warm": w.Dial} {
				fr, k := front(t, dial, nil)
				conn := connect(t, nil, dsn, append(slices.Clone(with), fronted(fr))...)
				if diff := cmp.Diff(want, f(t, conn)); diff != "" {
					t.Errorf("%s: directly and through the front (-want +got):\n%s", name, diff)
				}
				disconnect(t, conn)
				k.idle()
				if _, failed := k.said(); len(failed) > 0 {
					t.Errorf("%s: failed: %v", name, failed)
				}
			}
		})
	}
}

func TestFrontIsTransparent(t *testing.T) {
	t.Parallel()
	clients(t, func(t *testing.T, conn *pgx.Conn) []string {
		var got []string
		note := func(values ...any) { got = append(got, row(values...)) }
		ctx := t.Context()
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement,
			pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec} {
			note(text(t, conn, "SELECT 'a' || $1::text", mode, "b"))
			_, err := conn.Exec(ctx, "SELECT 1 / $1::int", mode, 0)
			note(err)
		}
		exec(t, conn, "CREATE TEMP TABLE things (n int, s text)")
		tag, err := conn.Exec(ctx, "INSERT INTO things SELECT n, 'x' FROM generate_series(1, 3) n; SELECT 1; UPDATE things SET n = n + 1")
		note(tag, err)

		batch := &pgx.Batch{}
		for i := range 5 {
			batch.Queue("INSERT INTO things VALUES ($1, $2)", i, "batch")
		}
		batch.Queue("SELECT count(*) FROM things")
		results := conn.SendBatch(ctx, batch)
		for range 5 {
			tag, err := results.Exec()
			note(tag, err)
		}
		var n int
		note(results.QueryRow().Scan(&n), n, results.Close())

		_, err = conn.Prepare(ctx, "named", "SELECT n FROM things WHERE n < $1 ORDER BY n")
		note(err)
		rows, err := conn.Query(ctx, "named", 3)
		note(err)
		numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
		note(numbers, err, conn.Deallocate(ctx, "named"))

		note(conn.CopyFrom(ctx, pgx.Identifier{"things"}, []string{"n", "s"}, pgx.CopyFromRows(nil)))
		note(conn.CopyFrom(ctx, pgx.Identifier{"things"}, []string{"n", "s"},
			pgx.CopyFromSlice(20000, func(i int) ([]any, error) { return []any{i, strings.Repeat("copy", 20)}, nil })))
		_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(strings.Repeat("1\tgood\n", 50000)+"bad\n"), "COPY things FROM STDIN")
		note(err)
		_, err = conn.PgConn().CopyFrom(ctx, io.MultiReader(strings.NewReader("1\tx\n"), faulty{}), "COPY things FROM STDIN")
		note(err)
		_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("1\tx\n"), "COPY nothing FROM STDIN")
		note(err)
		var out bytes.Buffer
		tag, err = conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT * FROM things ORDER BY n, s) TO STDOUT")
		note(tag, err, out.Len(), sum(out.Bytes()))
		large := text(t, conn, "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300000) n")
		note(len(large), sum([]byte(large)), text(t, conn, "SELECT md5($1::text)", large))

		tx, err := conn.Begin(ctx)
		note(err)
		objects := tx.LargeObjects()
		id, err := objects.Create(ctx, 0)
		note(err)
		object, err := objects.Open(ctx, id, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		note(err)
		written, err := object.Write([]byte(large)[:3<<20])
		note(written, err)
		_, err = object.Seek(0, io.SeekStart)
		note(err)
		back, err := io.ReadAll(object)
		note(len(back), sum(back), err, tx.Rollback(ctx))
		return got
	})
}

type faulty struct{}

func (faulty) Read([]byte) (int, error) { return 0, errors.New("the source is broken") }

func sum(b []byte) uint64 {
	var s uint64
	for _, c := range b {
		s = s*31 + uint64(c)
	}
	return s
}

func TestFrontPassesNoticesAndNotifications(t *testing.T) {
	t.Parallel()
	var heard []string
	clients(t, func(t *testing.T, conn *pgx.Conn) []string {
		heard = nil
		exec(t, conn, "LISTEN news")
		exec(t, conn, "DO $$ BEGIN RAISE NOTICE 'look'; END $$")
		exec(t, conn, "NOTIFY news, 'own'")
		other := connect(t, nil, conn.Config().ConnString())
		exec(t, other, "NOTIFY news, 'foreign'")
		disconnect(t, other)
		var got []string
		for range 2 {
			n, err := conn.WaitForNotification(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, n.Channel+": "+n.Payload)
		}
		// Waiting in vain, and asking afterwards.
		ctx, stop := context.WithTimeout(t.Context(), 1)
		defer stop()
		_, err := conn.WaitForNotification(ctx)
		exec(t, conn, "UNLISTEN *")
		return append(append(got, fmt.Sprint(errors.Is(err, context.DeadlineExceeded))), heard...)
	}, func(c *pgx.ConnConfig) {
		c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { heard = append(heard, n.Message) }
	})
}

// raw is a client that says bytes, and hears bytes.
type raw struct {
	tb   testing.TB
	conn net.Conn
}

func start(tb testing.TB, dial pgwire.DialFunc) *raw {
	tb.Helper()
	cfg := config(tb, nil, socket(tb))
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	conn, err := dial(tb.Context(), network, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	r := &raw{tb: tb, conn: conn}
	r.say(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{"user": cfg.User, "database": cfg.Database}})
	r.hear('Z')
	return r
}

func (r *raw) say(messages ...pgproto3.FrontendMessage) {
	r.tb.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			r.tb.Fatal(err)
		}
	}
	if _, err := r.conn.Write(b); err != nil {
		r.tb.Fatal(err)
	}
}

// hear reads up to a message of each of the kinds, in that order.
func (r *raw) hear(kinds ...byte) []byte {
	r.tb.Helper()
	var all []byte
	for len(kinds) > 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r.conn, head); err != nil {
			r.tb.Fatalf("after %q: %v", all, err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(r.conn, body); err != nil {
			r.tb.Fatal(err)
		}
		all = append(append(all, head...), body...)
		if head[0] == kinds[0] {
			kinds = kinds[1:]
		}
	}
	return all
}

// TestFrontPassesTheSameBytes says things without waiting as clients of other languages do, and hears the same
// bytes as directly.
func TestFrontPassesTheSameBytes(t *testing.T) {
	t.Parallel()
	talk := func(t *testing.T, dial pgwire.DialFunc) []string {
		r := start(t, dial)
		parse := func(sql string) []pgproto3.FrontendMessage {
			return []pgproto3.FrontendMessage{&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}}
		}
		sync, flush, done := &pgproto3.Sync{}, &pgproto3.Flush{}, &pgproto3.CopyDone{}
		data := func(s string) *pgproto3.CopyData { return &pgproto3.CopyData{Data: []byte(s)} }
		var got []string
		step := func(kinds string, messages ...pgproto3.FrontendMessage) {
			r.say(messages...)
			got = append(got, string(r.hear([]byte(kinds)...)))
		}
		and := func(ms []pgproto3.FrontendMessage, more ...pgproto3.FrontendMessage) []pgproto3.FrontendMessage {
			return append(slices.Clone(ms), more...)
		}
		step("Z", &pgproto3.Query{String: "CREATE TEMP TABLE t (n int)"})
		step("Z", &pgproto3.Query{})
		step("Z", &pgproto3.Query{String: "SELECT 1; SELECT 1/0; SELECT 2"})
		step("ZZZ", &pgproto3.Query{String: "SELECT 1"}, &pgproto3.Query{String: "SELECT x"}, &pgproto3.Query{String: "SELECT 3"})
		step("Z", and(parse("SELECT 1"), sync)...)
		step("ZZ", and(parse("SELECT 1/0"), append(parse("SELECT 1"), sync, sync)...)...)
		step("C", and(parse("SELECT 1"), flush)...)
		step("E", and(parse("SELECT 1/0"), flush)...)
		r.say(and(parse("SELECT 1"), flush)...) // passed over
		step("Z", sync)
		step("Z", &pgproto3.FunctionCall{Function: 1610}) // pi
		// COPY, without waiting for the server to ask for it.
		step("Z", &pgproto3.Query{String: "COPY t FROM STDIN"}, data("1\n"), data("2\n"), done)
		step("Z", &pgproto3.Query{String: "COPY t FROM STDIN"}, done)
		step("Z", &pgproto3.Query{String: "COPY t FROM STDIN"}, &pgproto3.CopyFail{Message: "no"})
		step("Z", &pgproto3.Query{String: "COPY t FROM STDIN"}, data("x\n"), data("3\n"), done)
		step("Z", &pgproto3.Query{String: "COPY none FROM STDIN"}, data("1\n"), done)
		step("ZZ", &pgproto3.Query{String: "COPY t FROM STDIN; SELECT count(*) FROM t"}, data("4\n"), done, &pgproto3.Query{String: "SELECT 1"})
		step("Z", &pgproto3.Query{String: "COPY t FROM STDIN; COPY t FROM STDIN"}, data("5\n"), done, data("6\n"), done)
		step("Z", and(parse("COPY t FROM STDIN"), data("7\n"), done, sync)...)
		step("Z", and(parse("COPY t FROM STDIN"), sync, data("8\n"), done, sync)...)
		step("E", and(parse("COPY t FROM STDIN"), flush, data("x\n"), done, flush)...)
		step("Z", sync)
		step("Z", &pgproto3.Query{String: "COPY t TO STDOUT"})
		r.say(&pgproto3.Terminate{})
		rest, err := io.ReadAll(r.conn)
		if err != nil {
			t.Error(err)
		}
		return append(got, string(rest))
	}
	want := talk(t, (&net.Dialer{}).DialContext)
	t.Run("at once", func(t *testing.T) {
		f, k := front(t, nil, nil)
		if diff := cmp.Diff(want, talk(t, f.Dial)); diff != "" {
			t.Errorf("directly and through the front (-want +got):\n%s", diff)
		}
		k.idle()
		if _, failed := k.said(); len(failed) > 0 {
			t.Errorf("failed: %v", failed)
		}
	})
	// A reply that is taken for owed, and is not, would stop everything here.
	t.Run("when nothing is owed", func(t *testing.T) {
		f, k := front(t, nil, func(*pgwire.Batch) bool { return true })
		defer k.release()()
		if diff := cmp.Diff(want, talk(t, f.Dial)); diff != "" {
			t.Errorf("directly and through the front (-want +got):\n%s", diff)
		}
		k.idle()
	})
}
