package pgwire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// code returns the SQLSTATE of an error, "" if it has none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestServerDies(t *testing.T) {
	t.Parallel()
	admin := connect(t, nil, socket(t))
	kill := func(pid uint32) { exec(t, admin, "SELECT pg_terminate_backend("+row(pid)+", 5000)") }
	asleep := func(pid uint32) {
		eventually(t, admin, "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')", pid)
	}
	for name, dial := range map[string]pgwire.DialFunc{"plain": nil, "warm": warm(t, 1).DialLingering} {
		f, k := front(t, dial, nil)
		other := connect(t, nil, socket(t), fronted(f))
		open := func() (*pgx.Conn, uint32) {
			conn := connect(t, nil, socket(t), fronted(f))
			return conn, conn.PgConn().PID()
		}
		broke := func(what string, err error, conn *pgx.Conn) {
			t.Helper()
			if code(err) != "57P01" || !conn.IsClosed() {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			k.idle()
		}
		conn, pid := open()
		ended := make(chan error)
		go func() { _, err := conn.Exec(context.Background(), "SELECT pg_sleep(60)"); ended <- err }()
		asleep(pid)
		kill(pid)
		broke("while it works", <-ended, conn)

		conn, pid = open()
		kill(pid)
		_, err := conn.Exec(t.Context(), "SELECT 1")
		broke("while nothing is owed", err, conn)

		conn, pid = open()
		kill(pid)
		_, err = conn.WaitForNotification(context.Background())
		broke("while the client listens", err, conn)

		// In the middle of a message, which the client has begun to send.
		conn, pid = open()
		exec(t, conn, "CREATE TEMP TABLE t (s text)")
		reader, writer := io.Pipe()
		go func() {
			_, err := conn.PgConn().CopyFrom(context.Background(), reader, "COPY t FROM STDIN")
			ended <- err
		}()
		_, _ = writer.Write([]byte("begun"))
		kill(pid)
		_ = writer.Close()
		if err := <-ended; err == nil {
			t.Errorf("%s: copied to a server that is dead", name)
		}
		_ = conn.Close(context.Background())
		k.idle()

		// A client that does not read holds the server up, and then loses nothing of what was kept for it: far
		// less than the 100 MB of the answer.
		r := start(t, f.Dial)
		r.say(&pgproto3.Query{String: "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"})
		k.idle()
		k.until(func() bool { return k.links[len(k.links)-1].PID() != 0 })
		kill(k.links[len(k.links)-1].PID())
		if all, err := io.ReadAll(r.conn); err != nil || len(all) < 4<<20 || len(all) > 16<<20 {
			t.Errorf("%s: read %d bytes, %v", name, len(all), err)
		}
		k.idle()

		exec(t, other, "SELECT 1")
		// How many is open: a client may close before the link has read the end.
		if _, failed := k.said(); len(failed) == 0 {
			t.Errorf("%s: failed: %v", name, failed)
		}
	}
}

func TestClientVanishes(t *testing.T) {
	t.Parallel()
	admin := connect(t, nil, socket(t))
	exec(t, admin, "SELECT pg_advisory_lock(78)")
	for name, dial := range map[string]pgwire.DialFunc{"plain": nil, "warm": warm(t, 1).DialLingering} {
		f, k := front(t, dial, nil)
		r := start(t, f.Dial)
		l := k.links[0]
		r.say(&pgproto3.Query{String: "SELECT pg_advisory_lock(78)"})
		eventually(t, admin, "EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", l.PID())
		if err := r.conn.Close(); err != nil {
			t.Error(err)
		}
		k.until(func() bool { return k.state[l] == "busy" }) // the server works on
		exec(t, admin, "SELECT pg_advisory_unlock(78)")
		k.idle()
		// Idle means that the backend has let go of everything.
		if text(t, admin, "SELECT pg_try_advisory_lock(78)::text") != "true" {
			t.Errorf("%s: the lock of a client that is gone is not free", name)
		}
		if _, failed := k.said(); len(failed) > 0 {
			t.Errorf("%s: failed: %v", name, failed)
		}
	}
}

func TestFrontCannotConnect(t *testing.T) {
	t.Parallel()
	broken := errors.New("there is no way")
	f, k := front(t, func(context.Context, string, string) (net.Conn, error) { return nil, broken }, nil)
	if _, err := pgx.ConnectConfig(t.Context(), config(t, nil, socket(t), fronted(f))); err == nil {
		t.Error("connected to nothing")
	}
	k.idle()
	// pgx dials again, to cancel what never began: whether it has by now is chance.
	_, failed := k.said()
	if len(failed) == 0 {
		t.Error("nothing failed")
	}
	for _, err := range failed {
		if !errors.Is(err, broken) {
			t.Errorf("failed: %v", err)
		}
	}
	for name, dial := range map[string]pgwire.DialFunc{"plain": nil, "warm": warm(t, 1).Dial} {
		f, k := front(t, dial, nil)
		for want, with := range map[string]func(*pgx.ConnConfig){
			"3D000": func(c *pgx.ConnConfig) { c.Database = "missing" },
			"28P01": func(c *pgx.ConnConfig) { c.Password = "wrong" },
		} {
			_, err := pgx.ConnectConfig(t.Context(), config(t, nil, ways(t)["tcp"], fronted(f), with))
			if code(err) != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		k.idle()
		if _, failed := k.said(); len(failed) > 0 { // the server has said why
			t.Errorf("%s: failed: %v", name, failed)
		}
	}
}

// TestFrontCloseEndsADial closes while a server is being dialled that never answers.
func TestFrontCloseEndsADial(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 2)
	f, k := front(t, func(ctx context.Context, _, _ string) (net.Conn, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil)
	for _, first := range []pgproto3.FrontendMessage{&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30},
		&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte("none")}} {
		conn, err := f.Dial(context.Background(), "tcp", "x")
		if err != nil {
			t.Fatal(err)
		}
		(&raw{tb: t, conn: conn}).say(first)
		<-entered
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	k.idle()
}

func TestFrontCancels(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]pgwire.DialFunc{"plain": nil, "warm": warm(t, 1).Dial} {
		var target *pgwire.Link
		cancels := 0
		f, k := front(t, dial, func(b *pgwire.Batch) bool {
			if b.Kind == pgwire.Cancel {
				cancels++
				target = b.Target
			}
			return false
		})
		conn := connect(t, nil, socket(t), fronted(f))
		pid := conn.PgConn().PID()
		admin := connect(t, nil, socket(t))
		ended := make(chan error)
		go func() { _, err := conn.Exec(context.Background(), "SELECT pg_sleep(60)"); ended <- err }()
		eventually(t, admin, "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')", pid)
		if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; code(err) != "57014" {
			t.Errorf("%s: %v", name, err)
		}
		k.idle()
		if cancels != 1 || target != k.links[0] {
			t.Errorf("%s: %d cancel requests, of %p; want %p", name, cancels, target, k.links[0])
		}
		// A cancel of a connection that is closed has no target, and hits nobody.
		gone := conn.PgConn()
		disconnect(t, conn)
		k.idle()
		next := connect(t, nil, socket(t), fronted(f))
		if err := gone.CancelRequest(t.Context()); err != nil {
			t.Error(err)
		}
		k.idle()
		if cancels != 2 || target != nil {
			t.Errorf("%s: %d cancel requests, of %p; want none", name, cancels, target)
		}
		exec(t, next, "SELECT 1")
		// The context of a query ends it, too.
		ctx, stop := context.WithCancel(t.Context())
		go func() { _, err := next.Exec(ctx, "SELECT pg_sleep(60)"); ended <- err }()
		eventually(t, admin, "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')", next.PgConn().PID())
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		exec(t, admin, "SELECT pg_terminate_backend("+row(next.PgConn().PID())+", 5000)") // nobody waits for it to wake up
		k.idle()
	}
}

func TestFrontRefuses(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, nil)
	other := connect(t, nil, socket(t), fronted(f))
	_, err := pgx.ConnectConfig(t.Context(), config(t, nil, withTLS(t, ways(t)["tcp"]), fronted(f)))
	if err == nil || !strings.Contains(err.Error(), "refused TLS") {
		t.Errorf("sslmode=require: %v", err)
	}
	r := &raw{tb: t}
	r.conn, err = f.Dial(t.Context(), "unix", "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.GSSEncRequest{}, &pgproto3.SSLRequest{}} {
		r.say(m)
		answer := make([]byte, 2)
		if n, err := r.conn.Read(answer); n != 1 || answer[0] != 'N' || err != nil {
			t.Errorf("%T: %q, %v", m, answer[:n], err)
		}
	}
	_ = r.conn.Close()
	if _, failed := k.said(); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	for bytes, want := range map[string]string{
		"\x16\x03\x01\x00":                 "sslmode=disable",
		"\x00\x00\x00\x07\x00\x03\x00\x00": "a startup of 7 bytes",
		"GET / HTTP/1.1\r\n\r\n":           "a startup of",
	} {
		_, was := k.said()
		conn, err := f.Dial(t.Context(), "unix", "x")
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Write([]byte(bytes))
		_, failed := k.said()
		if err == nil || len(failed) != len(was)+1 || !strings.Contains(failed[len(was)].Error(), want) {
			t.Errorf("%q: %v, failed: %v; want %s", bytes, err, failed, want)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%q: read %d, %v", bytes, n, err)
		}
		_ = conn.Close()
	}
	// Later in a conversation.
	r = start(t, f.Dial)
	if _, err := r.conn.Write([]byte("Q\x00\x00\x00\x03")); err == nil || !strings.Contains(err.Error(), "of 3 bytes") {
		t.Errorf("a message of three bytes: %v", err)
	}
	exec(t, other, "SELECT 1")
	k.idle()
}

// withTLS asks for TLS in a DSN.
func withTLS(t *testing.T, dsn string) string {
	t.Helper()
	if !strings.Contains(dsn, "sslmode=disable") {
		t.Fatalf("%s does not say sslmode=disable", dsn)
	}
	return strings.Replace(dsn, "sslmode=disable", "sslmode=require", 1)
}

// TestCloseWaitsForGoodbyes: a client that has terminated is not broken off, so its backend is kept.
func TestCloseWaitsForGoodbyes(t *testing.T) {
	t.Parallel()
	const clients = 6
	w := warm(t, clients)
	f, _ := front(t, w.DialLingering, nil)
	var conns []*pgx.Conn
	for range clients {
		conns = append(conns, connect(t, nil, socket(t), fronted(f)))
	}
	for _, conn := range conns {
		disconnect(t, conn)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	counts(t, w, clients, 0)
}
