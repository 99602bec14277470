package pgwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

var long = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // ago

// mute is a server that listens and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestContextEndsAConnect(t *testing.T) {
	t.Parallel()
	address := mute(t)
	entered := make(chan struct{}, 1)
	for name, dial := range map[string]pgwire.DialFunc{
		"no answer to the startup": func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			entered <- struct{}{}
			return conn, err
		},
		"no connection": func(ctx context.Context, _, _ string) (net.Conn, error) {
			entered <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		w := pgwire.NewWarm(dial, 1)
		cfg := config(t, w, socket(t))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := pgx.ConnectConfig(ctx, cfg)
			ended <- err
		}()
		<-entered
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		ctx, stop = context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := pgx.ConnectConfig(ctx, cfg)
		if <-entered; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with a timeout: %v", name, err)
		}
		stop()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestEndsWhileDialling is about a client that gives up while its Write dials: by a deadline that has
// passed, or by Close, from another goroutine.
func TestEndsWhileDialling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(net.Conn) error
		want error
	}{
		"deadline": {func(c net.Conn) error { return c.SetDeadline(long) }, os.ErrDeadlineExceeded},
		"close":    {net.Conn.Close, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered := make(chan struct{})
			w := pgwire.NewWarm(func(ctx context.Context, _, _ string) (net.Conn, error) {
				close(entered)
				<-ctx.Done()
				return nil, ctx.Err()
			}, 1)
			conn, err := w.Dial(t.Context(), "tcp", "nowhere")
			if err != nil {
				t.Fatal(err)
			}
			wrote, read := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := conn.Read(make([]byte, 1))
				read <- err
			}()
			go func() {
				_, err := conn.Write(startup("me", "here"))
				wrote <- err
			}()
			<-entered
			if err := c.end(conn); err != nil {
				t.Error(err)
			}
			if err := <-wrote; !errors.Is(err, c.want) {
				t.Errorf("write: %v", err)
			}
			if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func startup(user, database string) []byte {
	b, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{"user": user, "database": database}}).Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// TestReadBeforeTheServerIsThere is what pgx does when a Write takes longer than it expects: the Read has
// to wait, or the connection counts as broken.
func TestReadBeforeTheServerIsThere(t *testing.T) {
	t.Parallel()
	var conn net.Conn
	read := make(chan error, 1)
	w := pgwire.NewWarm(func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := conn.SetReadDeadline(long); err != nil {
			return nil, err
		}
		_, err := conn.Read(make([]byte, 1))
		read <- err
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}, 1)
	defer w.Close()
	cfg := config(t, w, socket(t))
	var err error
	if conn, err = w.Dial(t.Context(), "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first := make(chan error)
	go func() {
		_, err := pgproto3.NewFrontend(conn, nil).Receive()
		first <- err
	}()
	if _, err := conn.Write(startup(cfg.User, cfg.Database)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read while the server is dialled: %v", err)
	}
	if err := <-first; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the greeting: %v", err)
	}
}

func TestDeadlinesOfOneClientAreNotTheNexts(t *testing.T) {
	t.Parallel()
	w := warm(t, 1)
	client := speak(t, w)
	if err := client.SetReadDeadline(long); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read after its deadline: %v", err)
	}
	client.say(&pgproto3.Terminate{})
	counts(t, w, 1, 0)
	if err := client.SetDeadline(long); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after the end: %v", err)
	}
	next := speak(t, w)
	counts(t, w, 0, 1)
	if err := client.SetDeadline(long); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after the end: %v", err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	next.say(&pgproto3.Query{String: "SELECT 1"})
	next.until(&pgproto3.ReadyForQuery{})
}

func TestCloseEndsARead(t *testing.T) {
	t.Parallel()
	w := warm(t, 1)
	for range 20 {
		client := speak(t, w)
		read := make(chan error)
		go func() {
			_, err := client.Read(make([]byte, 1))
			read <- err
		}()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := client.Close(); err != nil {
			t.Errorf("again: %v", err)
		}
	}
	counts(t, w, 0, 0)
}

// TestParkedBackendThatHangs is about a server that stops answering while its backend is parked.
func TestParkedBackendThatHangs(t *testing.T) {
	t.Parallel()
	dials, stuck := 0, make(chan struct{})
	w := pgwire.NewWarm(func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials++
		if dials > 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		client, server := net.Pipe()
		go hang(server, stuck)
		return client, nil
	}, 1)
	conn, err := w.Dial(t.Context(), "tcp", "x")
	if err != nil {
		t.Fatal(err)
	}
	front := pgproto3.NewFrontend(conn, conn)
	if _, err := conn.Write(startup("me", "here")); err != nil {
		t.Fatal(err)
	}
	for m := pgproto3.BackendMessage(nil); ; {
		if m, err = front.Receive(); err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			break
		}
	}
	if _, err := conn.Write([]byte{'X', 0, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	counts(t, w, 1, 0)
	ctx, stop := context.WithCancel(t.Context())
	if conn, err = w.Dial(ctx, "tcp", "x"); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error)
	go func() {
		_, err := conn.Write(startup("me", "here"))
		wrote <- err
	}()
	<-stuck // it was asked to wake up
	stop()
	if err := <-wrote; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	counts(t, w, 0, 0)
}

// hang greets, lets itself be reset, and then only reads.
func hang(c net.Conn, stuck chan<- struct{}) {
	defer c.Close()
	back := pgproto3.NewBackend(c, c)
	if _, err := back.ReceiveStartupMessage(); err != nil {
		return
	}
	back.Send(&pgproto3.AuthenticationOk{})
	back.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	back.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if back.Flush() != nil {
		return
	}
	for _, tag := range []string{"DISCARD ALL", "SET"} {
		if _, err := back.Receive(); err != nil {
			return
		}
		back.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
		back.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
	if back.Flush() != nil {
		return
	}
	if _, err := back.Receive(); err != nil {
		return
	}
	close(stuck)
	_, _ = back.Receive()
}
