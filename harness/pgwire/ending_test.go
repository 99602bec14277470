package pgwire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// wire is a client that speaks the protocol by hand, as rudely as a test wants.
type wire struct {
	net.Conn
	*pgproto3.Frontend
	tb testing.TB
}

// speak connects by hand, with the parameters that pgx would send, so that either may follow the other.
func speak(tb testing.TB, w *pgwire.Warm) *wire {
	tb.Helper()
	cfg := config(tb, w, socket(tb))
	conn, err := w.Dial(tb.Context(), "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	c := &wire{conn, pgproto3.NewFrontend(conn, conn), tb}
	c.say(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{"user": cfg.User, "database": cfg.Database}})
	c.until(&pgproto3.ReadyForQuery{})
	return c
}

func (c *wire) say(messages ...pgproto3.FrontendMessage) {
	c.tb.Helper()
	for _, m := range messages {
		c.Send(m)
	}
	if err := c.Flush(); err != nil {
		c.tb.Fatal(err)
	}
}

// until reads to the first message of the kind.
func (c *wire) until(kind pgproto3.BackendMessage) {
	c.tb.Helper()
	for {
		m, err := c.Receive()
		if err != nil {
			c.tb.Fatal(err)
		}
		if fmt.Sprintf("%T", m) == fmt.Sprintf("%T", kind) {
			return
		}
	}
}

const many = "SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i"

// TestRudeEnds lets a client end in every way, and then looks whether the next gets its own answers.
func TestRudeEnds(t *testing.T) {
	t.Parallel()
	bye := &pgproto3.Terminate{}
	for _, c := range []struct {
		name string
		end  func(*wire)
		kept bool
	}{
		{"in good order", func(c *wire) {
			c.say(&pgproto3.Query{String: "SELECT 1"})
			c.until(&pgproto3.ReadyForQuery{})
			c.say(bye)
		}, true},
		{"after a COPY", func(c *wire) {
			c.say(&pgproto3.Query{String: "CREATE TEMP TABLE x (a text); COPY x FROM STDIN"})
			c.until(&pgproto3.CopyInResponse{})
			c.say(&pgproto3.CopyData{Data: []byte("a\n")}, &pgproto3.CopyDone{})
			c.until(&pgproto3.ReadyForQuery{})
			c.say(bye)
		}, true},
		{"after a failed COPY", func(c *wire) {
			c.say(&pgproto3.Query{String: "CREATE TEMP TABLE x (a text); COPY x FROM STDIN"})
			c.until(&pgproto3.CopyInResponse{})
			c.say(&pgproto3.CopyFail{Message: "no"})
			c.until(&pgproto3.ReadyForQuery{})
			c.say(bye)
		}, true},
		{"without a word", func(c *wire) { _ = c.Close() }, false},
		{"in a transaction, without a word", func(c *wire) {
			c.say(&pgproto3.Query{String: "BEGIN"})
			c.until(&pgproto3.ReadyForQuery{})
			_ = c.Close()
		}, false},
		{"with an answer unread", func(c *wire) { c.say(&pgproto3.Query{String: "SELECT 'of another'"}); c.say(bye) }, false},
		{"with three answers unread", func(c *wire) {
			for range 3 {
				c.say(&pgproto3.Query{String: "SELECT 'of another'"})
			}
			c.say(bye)
		}, false},
		{"with an answer unread, in one write", func(c *wire) { c.say(&pgproto3.Query{String: "SELECT 'of another'"}, bye) }, false},
		{"in the middle of an answer", func(c *wire) {
			c.say(&pgproto3.Query{String: many})
			c.until(&pgproto3.DataRow{})
			c.say(bye)
		}, false},
		{"in the middle of a message", func(c *wire) {
			c.say(&pgproto3.Query{String: many})
			if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
				c.tb.Fatal(err)
			}
			c.say(bye)
		}, false},
		{"one byte before the end", func(c *wire) {
			c.say(&pgproto3.Query{String: "SELECT 1"})
			// RowDescription 33, DataRow 12, CommandComplete 14, ReadyForQuery 6
			if _, err := io.ReadFull(c, make([]byte, 33+12+14+5)); err != nil {
				c.tb.Fatal(err)
			}
			c.say(bye)
		}, false},
		{"without Sync", func(c *wire) { c.say(&pgproto3.Parse{Query: "SELECT 1"}); c.say(bye) }, false},
		{"after Flush", func(c *wire) {
			c.say(&pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Flush{})
			c.until(&pgproto3.ParseComplete{})
			c.say(bye)
		}, false},
		{"during COPY from it", func(c *wire) {
			c.say(&pgproto3.Query{String: "CREATE TEMP TABLE x (a text); COPY x FROM STDIN"})
			c.until(&pgproto3.CopyInResponse{})
			c.say(&pgproto3.CopyData{Data: []byte("a\n")})
			c.say(bye)
		}, false},
		{"during COPY to it", func(c *wire) {
			c.say(&pgproto3.Query{String: "COPY (" + many + ") TO STDOUT"})
			c.until(&pgproto3.CopyData{})
			c.say(bye)
		}, false},
		{"byte by byte", func(c *wire) {
			for _, b := range []byte{'X', 0, 0, 0, 4} {
				if _, err := c.Write([]byte{b}); err != nil {
					c.tb.Fatal(err)
				}
			}
		}, false},
		{"in half a message", func(c *wire) {
			if _, err := c.Write([]byte{'Q', 0, 0, 0, 50, 'S'}); err != nil {
				c.tb.Fatal(err)
			}
			c.say(bye)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := warm(t, 2)
			client := speak(t, w)
			c.end(client)
			if _, err := client.Write([]byte{'H', 0, 0, 0, 4}); c.name != "in half a message" && !errors.Is(err, net.ErrClosed) {
				t.Errorf("a write after the end: %v", err)
			}
			_ = client.Close()
			parked, reused := 0, int64(0)
			if c.kept {
				parked, reused = 1, 1
			}
			counts(t, w, parked, 0)
			next := connect(t, w, socket(t))
			counts(t, w, 0, reused)
			for i := range 4 {
				if got := text(t, next, "SELECT $1::text", fmt.Sprint("mine ", i)); got != fmt.Sprint("mine ", i) {
					t.Errorf("question %d is answered with %q", i, got)
				}
			}
		})
	}
}

// TestDataThatLooksLikeTerminate sends copy data of which every piece ends like a Terminate.
func TestDataThatLooksLikeTerminate(t *testing.T) {
	t.Parallel()
	w := warm(t, 2)
	client := speak(t, w)
	client.say(&pgproto3.Query{String: "CREATE TEMP TABLE x (a bytea, b int4); COPY x FROM STDIN (FORMAT binary)"})
	client.until(&pgproto3.CopyInResponse{})
	header := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	client.say(&pgproto3.CopyData{Data: append(header, 0, 2, 0, 0, 0, 1, 'X', 0, 0, 0, 4)})
	client.say(&pgproto3.CopyData{Data: []byte{0, 0, 0, 7, 0xff, 0xff}}, &pgproto3.CopyDone{})
	client.until(&pgproto3.ReadyForQuery{})
	client.say(&pgproto3.Query{String: "SELECT * FROM x"})
	client.until(&pgproto3.DataRow{})
	client.until(&pgproto3.ReadyForQuery{})
	client.say(&pgproto3.Terminate{})
	counts(t, w, 1, 0)
}

// watched is a server connection that tells when it is read.
type watched struct {
	net.Conn
	reads chan struct{}
}

func (c watched) Read(p []byte) (int, error) {
	select {
	case c.reads <- struct{}{}:
	default:
	}
	return c.Conn.Read(p)
}

// TestSomebodyReadsWhileTheClientTerminates is what a driver with a background reader may do: the reader
// would eat what the reset is answered with.
func TestSomebodyReadsWhileTheClientTerminates(t *testing.T) {
	t.Parallel()
	reads := make(chan struct{}, 1)
	w := pgwire.NewWarm(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return watched{conn, reads}, err
	}, 2)
	defer w.Close()
	client := speak(t, w)
	select {
	case <-reads: // of the greeting
	default:
	}
	end := make(chan error)
	go func() {
		_, err := client.Read(make([]byte, 100))
		end <- err
	}()
	<-reads
	client.say(&pgproto3.Terminate{})
	if err := <-end; err == nil {
		t.Error("somebody has read what was not for him")
	}
	counts(t, w, 0, 0)
}

// cancel sends a CancelRequest through w and returns when the server has acted on it.
func cancel(t *testing.T, w *pgwire.Warm, pid uint32, secret []byte) {
	t.Helper()
	conn := requestCancel(t, w, pid, secret)
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("a cancel is answered with %d bytes, %v", n, err)
	}
}

// requestCancel sends a CancelRequest through w, and returns the connection on which it went.
func requestCancel(t *testing.T, w *pgwire.Warm, pid uint32, secret []byte) net.Conn {
	t.Helper()
	cfg := config(t, w, socket(t))
	conn, err := w.Dial(t.Context(), "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port))
	if err != nil {
		t.Fatal(err)
	}
	msg := binary.BigEndian.AppendUint32(nil, uint32(12+len(secret)))
	msg = binary.BigEndian.AppendUint32(msg, 80877102)
	msg = append(binary.BigEndian.AppendUint32(msg, pid), secret...)
	if _, err := conn.Write(msg); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestCancelReachesItsOwnOnly(t *testing.T) {
	t.Parallel()
	w := warm(t, 2)
	other := connect(t, nil, socket(t))
	const lock = 550011
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lock))
	first := connect(t, w, socket(t))
	old := first.PgConn()
	oldPID, oldSecret := old.PID(), old.SecretKey()
	disconnect(t, first)
	second := connect(t, w, socket(t))
	counts(t, w, 0, 1)
	if second.PgConn().PID() != oldPID {
		t.Fatal("another process: the test says nothing")
	}

	answer := make(chan error, 1)
	ask := func() {
		_, err := second.Exec(context.Background(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", lock))
		answer <- err
	}
	waits := func() {
		eventually(t, other, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = $1)`, oldPID)
	}
	go ask()
	waits()
	cancel(t, w, oldPID, oldSecret)
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lock))
	if err := <-answer; err != nil {
		t.Errorf("a cancel with the key of the client before: %v", err)
	}

	exec(t, second, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lock))
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lock))
	go ask()
	waits()
	cancel(t, w, second.PgConn().PID(), second.PgConn().SecretKey())
	var said *pgconn.PgError
	if err := <-answer; !errors.As(err, &said) || said.Code != "57014" {
		t.Errorf("a cancel with its own key: %v", err)
	}
	disconnect(t, second)
	counts(t, w, 1, 1)
	third := connect(t, w, socket(t))
	if third.PgConn().PID() != oldPID {
		t.Error("a backend that was cancelled is not kept, though the request has been acted on")
	}
	exec(t, third, "SELECT pg_sleep(0.01)") // nothing of the request is left
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lock))
}

// TestCancelUnderWay is about a request of which nobody has seen the end: it may still come.
func TestCancelUnderWay(t *testing.T) {
	t.Parallel()
	w := warm(t, 2)
	conn := connect(t, w, socket(t))
	request := requestCancel(t, w, conn.PgConn().PID(), conn.PgConn().SecretKey())
	if err := request.Close(); err != nil {
		t.Fatal(err)
	}
	disconnect(t, conn)
	counts(t, w, 0, 0)
}

func TestContextEndsAQuery(t *testing.T) {
	t.Parallel()
	w := warm(t, 2)
	watch := connect(t, nil, socket(t))
	for range 3 {
		conn := connect(t, w, socket(t))
		ctx, stop := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() {
			_, err := conn.Exec(ctx, "SELECT pg_sleep(600)")
			answer <- err
		}()
		eventually(t, watch, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')`, conn.PgConn().PID())
		stop()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-conn.PgConn().CleanupDone()
		eventually(t, watch, `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, conn.PgConn().PID())
		counts(t, w, 0, 0)
	}
}

// TestPools lets many clients come and go, with queries that are cancelled among them. Nobody may get an
// answer that is not the one to its question.
func TestPools(t *testing.T) {
	t.Parallel()
	w := warm(t, 6)
	done := make(chan error)
	const clients, rounds = 8, 25
	for n := range clients {
		go func() { done <- visits(w, socket(t), n, rounds) }()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if w.Reused() == 0 {
		t.Error("nothing was reused: the test says nothing")
	}
}

// visits opens a connection, asks, and closes it, again and again.
func visits(w *pgwire.Warm, dsn string, n, rounds int) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	cfg.DialFunc = w.Dial
	for round := range rounds {
		if err := visit(cfg, fmt.Sprintf("%d in round %d", n, round), (n+round)%3 == 0); err != nil {
			return err
		}
	}
	return nil
}

func visit(cfg *pgx.ConnConfig, mine string, cancels bool) error {
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		return fmt.Errorf("client %s: %w", mine, err)
	}
	defer func() {
		_ = conn.Close(context.Background()) // nothing to say where a cancel has closed it
		<-conn.PgConn().CleanupDone()
	}()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for i := range 3 {
		if cancels && i == 1 {
			go stop() // at any time, even after the query
		}
		var a, b string
		var size int
		err := conn.QueryRow(ctx, "SELECT $1::text, $2::text, length(repeat('x', 3000))", mine, fmt.Sprint(i)).Scan(&a, &b, &size)
		if cancels && i > 0 && errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("client %s, question %d: %w", mine, i, err)
		}
		if a != mine || b != fmt.Sprint(i) || size != 3000 {
			return fmt.Errorf("client %s, question %d, is answered with %s, %s", mine, i, a, b)
		}
	}
	return nil
}
