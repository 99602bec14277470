package gate_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/harness/history"
)

// with is an operation that does something on one connection of a pool of its own.
func (s *stage) with(id int, err *error, f func(ctx context.Context, c *pgxpool.Conn) error) gate.Op {
	p := s.pool()
	return s.op(id, func(ctx context.Context) {
		*err = p.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(ctx, c) })
	})
}

// messages returns the messages among the steps of an operation.
func messages(out gate.Outcome, op string) (found []string) {
	for _, line := range lines(out.Steps) {
		if strings.HasPrefix(line, op+" at message") {
			_, label, _ := strings.Cut(line, ": ")
			found = append(found, label)
		}
	}
	return found
}

func TestCopy(t *testing.T) {
	control(t, "TRUNCATE tally")
	s := staged(t)
	var err error
	var copied int64
	var text bytes.Buffer
	out := s.run(nil, s.with(1, &err, func(ctx context.Context, c *pgxpool.Conn) error {
		var err error
		rows := pgx.CopyFromSlice(2000, func(i int) ([]any, error) { return []any{i, i * i}, nil })
		if copied, err = c.CopyFrom(ctx, pgx.Identifier{"tally"}, []string{"id", "n"}, rows); err != nil {
			return err
		}
		_, err = c.Conn().PgConn().CopyTo(ctx, &text, "COPY tally TO STDOUT")
		return err
	}))
	ended(t, out)
	if err != nil || copied != 2000 || strings.Count(text.String(), "\n") != 2000 {
		t.Errorf("%v, %d in, %d bytes out", err, copied, text.Len())
	}
	got := messages(out, "#1")
	if len(got) < 3 || got[len(got)-2] != "end of copy" || got[len(got)-1] != "COPY tally TO STDOUT" {
		t.Errorf("messages %q", got)
	}
}

// TestCopyIsPreempted stops in the middle of a COPY: another has its turn, and sees none of it.
func TestCopyIsPreempted(t *testing.T) {
	control(t, "TRUNCATE tally")
	var ends int
	for _, schedule := range []string{"", "preempt #1 at message 3 to #2"} {
		control(t, "TRUNCATE tally")
		s := staged(t)
		var errs [2]error
		seen := -1
		var lines []string
		if schedule != "" {
			lines = append(lines, schedule)
		}
		out := s.run(at(t, lines...),
			s.with(1, &errs[0], func(ctx context.Context, c *pgxpool.Conn) error {
				_, err := c.CopyFrom(ctx, pgx.Identifier{"tally"}, []string{"id", "n"}, pgx.CopyFromRows([][]any{{1, 1}, {2, 2}}))
				return err
			}),
			s.with(2, &errs[1], func(ctx context.Context, c *pgxpool.Conn) error {
				return c.QueryRow(ctx, "SELECT count(*) FROM tally").Scan(&seen)
			}))
		ended(t, out)
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
		}
		ends = slices.Index(messages(out, "#1"), "end of copy") + 1
		if want := map[bool]int{true: 2, false: 0}[schedule == ""]; seen != want {
			t.Errorf("%q: #2 saw %d rows", schedule, seen)
		}
	}
	if ends != 3 {
		t.Errorf("the copy ended with message %d", ends)
	}
}

// TestPipeline sends several statements before it reads: each Sync is a message of its own.
func TestPipeline(t *testing.T) {
	s := staged(t)
	var errs [2]error
	var got []string
	out := s.run(at(t, "preempt #1 at message 2 to #2"),
		s.with(1, &errs[0], func(ctx context.Context, c *pgxpool.Conn) error {
			p := c.Conn().PgConn().StartPipeline(ctx)
			for _, sql := range []string{"SELECT 'a'", "SELECT 'b'", "SELECT 'c'"} {
				p.SendQueryParams(sql, nil, nil, nil, nil)
				if err := p.Sync(); err != nil {
					return err
				}
			}
			for len(got) < 3 {
				results, err := p.GetResults()
				if err != nil {
					return err
				}
				if r, ok := results.(*pgconn.ResultReader); ok {
					got = append(got, string(r.Read().Rows[0][0]))
				}
			}
			return p.Close()
		}),
		s.with(2, &errs[1], func(ctx context.Context, c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, "SELECT 'between'")
			return err
		}))
	ended(t, out)
	if err := errors.Join(errs[:]...); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"SELECT 'a'", "SELECT 'b'", "SELECT 'c'"}, messages(out, "#1")); diff != "" {
		t.Error(diff)
	}
	var order []string
	for _, line := range lines(out.Steps) {
		if _, label, ok := strings.Cut(line, ": SELECT "); ok {
			order = append(order, label)
		}
	}
	if diff := cmp.Diff([]string{"'a'", "'between'", "'b'", "'c'"}, order); diff != "" {
		t.Error(diff)
	}
}

// TestListen waits for a notification that another's message makes the server send, out of turn.
func TestListen(t *testing.T) {
	s := staged(t)
	var errs [2]error
	var n *pgconn.Notification
	out := s.run(nil,
		s.with(1, &errs[0], func(ctx context.Context, c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, "LISTEN news")
			if err != nil {
				return err
			}
			n, err = c.Conn().WaitForNotification(ctx)
			return err
		}),
		s.with(2, &errs[1], func(ctx context.Context, c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, "NOTIFY news, 'it rains'")
			return err
		}))
	ended(t, out)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if n.Payload != "it rains" {
		t.Errorf("payload %q", n.Payload)
	}
}

// TestADeadConnection ends a backend whose client is stopped before a message: the client hears of it.
func TestADeadConnection(t *testing.T) {
	s := staged(t)
	var errs [2]error
	var pid uint32
	out := s.run(at(t, "preempt #1 at message 2 to #2"),
		s.with(1, &errs[0], func(ctx context.Context, c *pgxpool.Conn) error {
			if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				return err
			}
			_, err := c.Exec(ctx, "SELECT 'too late'")
			return err
		}),
		s.with(2, &errs[1], func(ctx context.Context, c *pgxpool.Conn) error {
			_, err := c.Exec(ctx, "SELECT pg_terminate_backend($1, 5000)", int32(pid))
			return err
		}))
	ended(t, out)
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("%v; %v", errs[0], errs[1])
	}
	if broken := s.Broken(); len(broken) != 1 || !strings.HasPrefix(broken[0], "a connection of #1: ") {
		t.Errorf("broken %q", broken)
	}
	if slices.Contains(s.PIDs(), pid) {
		t.Error("the dead backend is still counted among the gate's")
	}
}

// TestWithdrawn closes a connection before its startup is let go on, which then never is.
func TestWithdrawn(t *testing.T) {
	s := staged(t)
	var errs [2]error
	var wire net.Conn
	cfg := s.config().ConnConfig
	cfg.DialFunc = func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		wire, err = s.Dial(ctx, network, address)
		return wire, err
	}
	out := s.run(at(t, "preempt #1 at connect 1 to #2"),
		s.op(1, func(ctx context.Context) { _, errs[0] = pgx.ConnectConfig(ctx, cfg) }),
		s.op(2, func(context.Context) { errs[1] = wire.Close() }))
	ended(t, out)
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("%v; %v", errs[0], errs[1])
	}
	// pgx asks to cancel on whatever it closes, of itself.
	steps(t, out, "#1 at start", "#2 at start", "#0 at cancel-request 1: cancel request")
}

// TestClosedUnderAMessage closes a connection under a message that is stopped: as over a network, it is
// sent all the same, and nobody hears the answer.
func TestClosedUnderAMessage(t *testing.T) {
	control(t, "TRUNCATE tally")
	s := staged(t)
	var errs [2]error
	var wire net.Conn
	out := s.run(at(t, "preempt #1 at message 2 to #2"),
		s.with(1, &errs[0], func(ctx context.Context, c *pgxpool.Conn) error {
			if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
				return err
			}
			wire = c.Conn().PgConn().Conn()
			_, err := c.Exec(ctx, "INSERT INTO tally VALUES (1, 1)")
			return err
		}),
		s.op(2, func(context.Context) { errs[1] = wire.Close() }))
	ended(t, out)
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("%v; %v", errs[0], errs[1])
	}
	if n := asked(t, "SELECT count(*) FROM tally"); n != 1 || !slices.Contains(messages(out, "#1"), "INSERT INTO tally VALUES (1, 1)") {
		t.Errorf("%d rows; steps %q", n, lines(out.Steps))
	}
}

// TestBackground lets go first what is nobody's, and leaves the turn to whose it was.
func TestBackground(t *testing.T) {
	_, _ = repeatedly(t, 5, func(s *stage) (gate.Outcome, string) {
		var errs [3]error
		p, q := s.pool(), s.pool()
		if _, err := q.Exec(gate.WithOp(context.Background(), 9), "SELECT 'before'"); err != nil {
			t.Error(err) // the connection that is used again was another's
		}
		finished := make(chan struct{})
		out := s.run(at(t, "preempt #1 at start to #2"),
			s.says(1, s.pool(), &errs[0], "SELECT 1"),
			s.op(2, func(ctx context.Context) {
				go func() {
					defer close(finished)
					_, errs[2] = q.Exec(context.Background(), "SELECT 'background'")
				}()
				_, errs[1] = p.Exec(ctx, "SELECT 2")
			}))
		<-finished
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
		}
		if exact {
			steps(t, out, "#2 at start", "#0 at message 1: SELECT 'background'",
				"#2 at acquire 1", "#2 at connect 1: startup", "#2 at message 1: SELECT 2", "#2 at release 1",
				"#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: SELECT 1", "#1 at release 1")
		}
		return out, ""
	})
}

// TestWhoseMessages uses a connection that another has acquired: what is sent is the sender's, in each of
// pgx's ways to send.
func TestWhoseMessages(t *testing.T) {
	control(t, "TRUNCATE tally")
	s := staged(t)
	c, err := s.pool().Acquire(gate.WithOp(context.Background(), 9))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	var errs []error
	out := s.run(nil, s.op(1, func(ctx context.Context) {
		_, err := c.Exec(ctx, "SELECT 1")
		errs = append(errs, err)
	}), s.op(2, func(ctx context.Context) {
		_, err := c.Conn().Prepare(ctx, "mine", "SELECT 2")
		errs = append(errs, err)
		_, err = c.Exec(context.Background(), "SELECT 3") // nobody says whose: it stays with the last
		errs = append(errs, err)
	}), s.op(3, func(ctx context.Context) {
		_, err := c.CopyFrom(ctx, pgx.Identifier{"tally"}, []string{"id", "n"}, pgx.CopyFromRows([][]any{{1, 1}}))
		errs = append(errs, err)
	}), s.op(4, func(ctx context.Context) {
		var b pgx.Batch
		b.Queue("SELECT 4")
		errs = append(errs, c.SendBatch(ctx, &b).Close())
	}))
	ended(t, out)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for op, want := range map[string][]string{
		"#1": {"SELECT 1"}, "#2": {"SELECT 2", "SELECT 3"}, "#3": {`select "id", "n" from "tally"`, `copy "tally" ( "id", "n" ) from stdin binary;`, "end of copy"},
		"#4": {"SELECT 4"}, "#9": nil,
	} {
		if diff := cmp.Diff(want, messages(out, op)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", op, diff)
		}
	}
}

// TestTraffic counts for each operation what is its own, on a connection that both use, and while the gate
// is open, too.
func TestTraffic(t *testing.T) {
	s := staged(t)
	p := s.pool(func(c *pgxpool.Config) { c.MaxConns = 1 })
	rows := func(id int, sql string) gate.Op {
		return s.op(id, func(ctx context.Context) {
			r, err := p.Query(ctx, sql)
			if err == nil {
				for r.Next() {
				}
				err = r.Err()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	rows(1, "SELECT generate_series(1, 7)").Run()
	out := s.run(nil, rows(2, "SELECT generate_series(1, 3)"), rows(3, "SELECT 1 WHERE false"))
	ended(t, out)
	rows(1, "SELECT generate_series(1, 4)").Run()
	want := []history.Traffic{{}, {Connects: 1, Messages: 2, Rows: 11}, {Messages: 1, Rows: 3}, {Messages: 1}}
	for range 2 { // asking changes nothing
		for op, w := range want {
			if diff := cmp.Diff(w, s.Traffic(op)); diff != "" {
				t.Errorf("#%d (-want +got):\n%s", op, diff)
			}
		}
	}
}

// TestLabels hides what differs between executions, folds white space, and cuts.
func TestLabels(t *testing.T) {
	shared.open(t)
	s := staged(t)
	s.Gate = gate.New(gate.Options{Dial: shared.warm.DialLingering, Locks: shared.locks, Hide: []string{"run42_"}})
	var err error
	long := strings.Repeat("ü", 60)
	out := s.run(nil, s.says(1, s.pool(), &err, "SELECT\n\t'run42_a',  'run42_b'", "SELECT '"+long+"'"))
	ended(t, out)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"SELECT '…a', '…b'", "SELECT '" + strings.Repeat("ü", 26) + "…"}, messages(out, "#1")); diff != "" {
		t.Error(diff)
	}
}

// TestTracerBesideAnother leaves the service its own.
func TestTracerBesideAnother(t *testing.T) {
	s := staged(t)
	var mine queries
	p := s.pool(func(c *pgxpool.Config) { c.ConnConfig.Tracer = &mine })
	var err error
	out := s.run(nil, s.says(1, p, &err, "SELECT 1"))
	ended(t, out)
	steps(t, out, "#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: SELECT 1", "#1 at release 1")
	if err != nil || !slices.Equal(mine, queries{"SELECT 1"}) {
		t.Errorf("%v, %q", err, mine)
	}
}

// queries is a tracer of a service's own.
type queries []string

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	*q = append(*q, data.SQL)
	return ctx
}

func (*queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
