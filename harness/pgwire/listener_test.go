package pgwire_test

import (
	"bytes"
	"context"
	"errors"
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

// listen returns a listener for the server's socket, closed with the test, and what makes clients use it.
func listen(tb testing.TB, f *pgwire.Front) (*pgwire.Listener, func(*pgx.ConnConfig)) {
	tb.Helper()
	cfg := config(tb, nil, socket(tb))
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l, err := pgwire.Listen(context.Background(), f, pgwire.ListenOptions{Address: "localhost:0", Network: network, Server: address})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l, func(c *pgx.ConnConfig) {
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		}
	}
}

func TestListenerRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	f, _ := front(t, nil, nil)
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		_, err := pgwire.Listen(t.Context(), f, pgwire.ListenOptions{Address: address})
		if !errors.Is(err, pgwire.ErrNotLoopback) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := pgwire.Listen(t.Context(), f, pgwire.ListenOptions{Address: "127.0.0.1"}); err == nil {
		t.Error("listens without a port")
	}
}

func TestListenerServesSeveralClients(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, nil)
	_, through := listen(t, f)
	var conns []*pgx.Conn
	for range 3 {
		conns = append(conns, connect(t, nil, socket(t), through))
	}
	if k.opened != 3 {
		t.Errorf("%d links", k.opened)
	}
	var pids, want []uint32
	for i, conn := range conns {
		exec(t, conn, "SELECT $$"+row(i)+"$$")
		want = append(want, conn.PgConn().PID())
		pids = append(pids, k.links[i].PID())
	}
	if diff := cmp.Diff(want, pids); diff != "" {
		t.Errorf("each client is a link of its own (-want +got):\n%s", diff)
	}
	_, err := conns[0].Exec(t.Context(), "SELECT 1/0")
	if code(err) != "22012" {
		t.Error(err)
	}
	_, err = pgx.ConnectConfig(t.Context(), config(t, nil, socket(t), through, func(c *pgx.ConnConfig) { c.Database = "missing" }))
	if code(err) != "3D000" {
		t.Errorf("a missing database: %v", err)
	}
	exec(t, connect(t, nil, socket(t)), "SELECT pg_terminate_backend("+row(pids[0])+", 5000)")
	_, err = conns[0].Exec(t.Context(), "SELECT 1")
	if code(err) != "57P01" {
		t.Errorf("the server has died: %v", err)
	}
	for _, conn := range conns[1:] {
		exec(t, conn, "SELECT 1")
		disconnect(t, conn)
	}
	k.until(func() bool { return len(k.state) == 0 })
}

func TestListenerCopies(t *testing.T) {
	t.Parallel()
	const size = 48 << 20
	f, k := front(t, nil, nil)
	_, through := listen(t, f)
	conn := connect(t, nil, socket(t), through)
	exec(t, conn, "CREATE TEMP TABLE t (s text)")
	line := strings.Repeat("x", 1023) + "\n"
	tag, err := conn.PgConn().CopyFrom(t.Context(), io.LimitReader(&repeated{line: line}, size), "COPY t FROM STDIN")
	if err != nil || tag.RowsAffected() != size/1024 {
		t.Errorf("%v, %v", tag, err)
	}
	// One message larger than everything a link keeps.
	if n := text(t, conn, "SELECT length($1)::text", strings.Repeat("y", 9<<20)); n != row(9<<20) {
		t.Error(n)
	}
	// And back, more than a link keeps for a client that is slow.
	counted := &counting{}
	tag, err = conn.PgConn().CopyTo(t.Context(), counted, "COPY t TO STDOUT")
	if err != nil || counted.n != size {
		t.Errorf("%v, %v, %d bytes", tag, err, counted.n)
	}
	disconnect(t, conn)
	k.idle()
}

type repeated struct {
	line string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}

type counting struct{ n int }

func (c *counting) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

// TestListenerCloses closes a listener with clients at every stage.
func TestListenerCloses(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, messages)
	l, _ := listen(t, f)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}
	parked, idle := start(t, dial), start(t, dial)
	parked.say(&pgproto3.Query{String: "COPY t FROM STDIN"}, &pgproto3.CopyData{Data: []byte("waits\n")})
	k.until(func() bool { return len(k.parked) == 1 })
	silent, err := dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	k.until(func() bool { return k.opened == 3 })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, conn := range []net.Conn{parked.conn, idle.conn, silent} {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("read %d, %v", n, err)
		}
		_ = conn.Close()
	}
	if _, err := dial(t.Context(), "", ""); err == nil {
		t.Error("it still accepts")
	}
	log, _ := k.said()
	if !slices.Contains(log, "withdrawn: COPY t FROM STDIN") {
		t.Errorf("%q", log)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestListenerOfABrokenClient lets a client say nonsense: it hears the end, and others nothing of it.
func TestListenerOfABrokenClient(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, nil)
	l, through := listen(t, f)
	other := connect(t, nil, socket(t), through)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 10)); err != nil {
		t.Error(err)
	}
	if all, err := io.ReadAll(conn); len(all) > 0 || err != nil {
		t.Errorf("read %q, %v", all, err)
	}
	_ = conn.Close()
	if _, failed := k.said(); len(failed) != 1 {
		t.Errorf("failed: %v", failed)
	}
	exec(t, other, "SELECT 1")
}
