package pgwire_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

func TestParkedBatchesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, messages)
	r := start(t, f.Dial)
	r.say(&pgproto3.Query{String: "SELECT 1"}, &pgproto3.Parse{Query: "SELECT 2"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.Flush{}, &pgproto3.Sync{}, &pgproto3.Query{String: "SELECT 3"})
	var order []string
	for range 4 {
		b := k.next()
		if len(k.parked) > 0 {
			t.Error("more than the head of the queue was offered")
		}
		order = append(order, b.Text())
		b.Send()
		b.Send() // it is gone: nothing happens
	}
	r.hear('Z', 'Z', 'Z')
	if diff := cmp.Diff([]string{"SELECT 1", "SELECT 2", "sync", "SELECT 3"}, order); diff != "" {
		t.Error(diff)
	}
	k.idle()
	log, _ := k.said()
	if diff := cmp.Diff(append([]string{"startup"}, order...), log); diff != "" {
		t.Errorf("offered (-want +got):\n%s", diff)
	}
}

// TestClosedWhileParked closes with a batch parked. Of a startup the server never hears; what was written to a
// server that knows the client is still sent, and the end after it.
func TestClosedWhileParked(t *testing.T) {
	t.Parallel()
	t.Run("startup", func(t *testing.T) {
		f, k := front(t, func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled")
			return nil, net.ErrClosed
		}, func(*pgwire.Batch) bool { return true })
		conn, err := f.Dial(t.Context(), "unix", "x")
		if err != nil {
			t.Fatal(err)
		}
		var startup []byte
		startup, err = (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
			Parameters: map[string]string{"user": "u"}}).Encode(startup)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(startup); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		log, failed := k.said()
		if diff := cmp.Diff([]string{"startup", "withdrawn: startup"}, log); diff != "" || len(failed) > 0 {
			t.Errorf("%s, failed %v", diff, failed)
		}
	})
	t.Run("messages", func(t *testing.T) {
		f, k := front(t, nil, messages)
		admin := connect(t, nil, socket(t))
		exec(t, admin, "CREATE SEQUENCE IF NOT EXISTS closed_while_parked")
		t.Cleanup(func() { _, _ = admin.Exec(context.Background(), "DROP SEQUENCE closed_while_parked") })
		r := start(t, f.Dial)
		r.say(&pgproto3.Query{String: "SELECT nextval('closed_while_parked')"})
		_ = r.conn.Close()
		if len(f.Links()) != 1 {
			t.Error("the link is forgotten before its batch was sent")
		}
		k.next().Send()
		k.idle()
		eventually(t, admin, "SELECT is_called FROM closed_while_parked")
	})
	t.Run("front", func(t *testing.T) {
		f, k := front(t, nil, messages)
		r := start(t, f.Dial)
		r.say(&pgproto3.Query{String: "SELECT 1"}, &pgproto3.Query{String: "SELECT 2"})
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		log, failed := k.said()
		if log[len(log)-1] != "withdrawn: SELECT 1" || len(failed) != 1 || !errors.Is(failed[0], net.ErrClosed) {
			t.Errorf("%q, %v", log, failed)
		}
		if _, err := f.Dial(t.Context(), "unix", "x"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialled through a closed front: %v", err)
		}
	})
}

func TestHeldReplies(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, messages)
	r := start(t, f.Dial)
	l := k.links[0]
	if l.Hold() {
		t.Error("nothing is owed, and is held")
	}
	holder := connect(t, nil, socket(t))
	exec(t, holder, "SELECT pg_advisory_lock(77)")
	ask := func() {
		r.say(&pgproto3.Query{String: "SELECT pg_advisory_lock_shared(77)"})
		k.next().Send()
		eventually(t, holder, "EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", l.PID())
		if !l.Hold() {
			t.Error("a reply is owed, and is not held")
		}
	}
	ask()
	exec(t, holder, "SELECT pg_advisory_unlock(77)")
	k.until(func() bool { return k.state[l] == "held" })
	// What the client waits for is not there, nor when its next batch has been sent.
	if err := r.conn.SetReadDeadline(long); err != nil {
		t.Fatal(err)
	}
	if n, err := r.conn.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
	if err := r.conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	r.say(&pgproto3.Query{String: "SELECT 2"})
	k.next().Send()
	k.until(func() bool { return k.state[l] == "held" })
	l.Deliver()
	r.hear('Z', 'Z')
	k.idle()
	if rows := l.Rows(); rows != 2 {
		t.Errorf("%d rows", rows)
	}
	// Delivered before the reply has come, it passes as ever.
	r.say(&pgproto3.Query{String: "SELECT pg_advisory_unlock_shared(77)"})
	k.next().Send()
	r.hear('Z')
	exec(t, holder, "SELECT pg_advisory_lock(77)")
	ask()
	l.Deliver()
	exec(t, holder, "SELECT pg_advisory_unlock(77)")
	r.hear('Z')
	k.idle()
}

func TestFrontDeadlines(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, messages)
	r := start(t, f.Dial)
	soon := func() time.Time { return time.Now().Add(5 * time.Millisecond) }
	late := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
		if err := r.conn.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
	}
	read := func() error { _, err := r.conn.Read(make([]byte, 1)); return err }
	_ = r.conn.SetReadDeadline(soon())
	late("a read that waits", read())
	_ = r.conn.SetDeadline(long)
	late("a read that begins late", read())
	_ = r.conn.SetWriteDeadline(long)
	n, err := r.conn.Write([]byte("Q"))
	late("a write that begins late", err)
	if n != 0 {
		t.Errorf("%d bytes were taken", n)
	}
	var waits sync.WaitGroup
	waits.Go(func() { late("a read whose deadline is moved", read()) })
	_ = r.conn.SetReadDeadline(long)
	waits.Wait()

	// COPY data waits for the query, which is parked. What was taken of it is said exactly.
	r.say(&pgproto3.Query{String: "COPY pg_temp.t FROM STDIN"})
	data, _ := (&pgproto3.CopyData{Data: []byte("1\n")}).Encode(nil)
	_ = r.conn.SetWriteDeadline(soon())
	n, err = r.conn.Write(data)
	late("a write that waits", err)
	if n != 0 {
		t.Errorf("%d bytes were taken", n)
	}
	k.next().Send()
	r.hear('E', 'Z')
	if _, err := r.conn.Write(data); err != nil {
		t.Error(err)
	}
	r.say(&pgproto3.Query{String: "SELECT 1"})
	k.next().Send()
	r.hear('Z')
	k.idle()
	if err := r.conn.Close(); err != nil {
		t.Error(err)
	}
	if err := r.conn.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline of a closed connection: %v", err)
	}
}

// TestBatchesOfSeveralLinks lets two clients' transactions go in an order that only a keeper can make.
func TestBatchesOfSeveralLinks(t *testing.T) {
	t.Parallel()
	f, k := front(t, nil, messages)
	var both sync.WaitGroup
	for _, sql := range []string{"SELECT 'one'", "SELECT 'two'"} {
		both.Go(func() {
			conn, err := pgx.ConnectConfig(context.Background(), config(t, nil, socket(t), fronted(f),
				func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol }))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
			_ = conn.Close(context.Background())
		})
	}
	k.until(func() bool { return len(k.parked) == 2 })
	first, second := k.next(), k.next()
	second.Send()
	k.idle()
	first.Send()
	both.Wait()
	k.idle()
	if first.Link == second.Link || len(k.links) != 2 {
		t.Errorf("%d links", len(k.links))
	}
}
