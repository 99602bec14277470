package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
)

// repeatedly runs something again and again, on a stage of its own each time, and checks that the steps
// and what it tells are the same.
func repeatedly(t *testing.T, times int, f func(s *stage) (gate.Outcome, string)) (out gate.Outcome, told string) {
	t.Helper()
	for i := range times {
		s := newStage(t)
		again, tells := f(s)
		ended(t, again)
		s.end()
		if i == 0 {
			out, told = again, tells
			continue
		}
		if !exact {
			continue
		}
		if diff := cmp.Diff(out.Steps, again.Steps); diff != "" || told != tells {
			t.Fatalf("execution %d: %s, then %s\nsteps (-first +this):\n%s", i, told, tells, diff)
		}
	}
	return out, told
}

// TestLockWait holds a lock in #1 while #2 comes for it. The message that lets go of it wakes one; its
// reply comes after that of the message.
func TestLockWait(t *testing.T) {
	for name, c := range map[string]struct{ take, again string }{
		"advisory lock": {"SELECT pg_advisory_xact_lock(1)", "SELECT pg_advisory_xact_lock(1)"},
		"row":           {"UPDATE tally SET n = n + 1 WHERE id = 0", "UPDATE tally SET n = n + 10 WHERE id = 0"},
		"table":         {"LOCK TABLE tally", "SELECT n FROM tally"},
		"unique index":  {"INSERT INTO tally VALUES (5, 1)", "INSERT INTO tally VALUES (5, 1) ON CONFLICT DO NOTHING"},
	} {
		t.Run(name, func(t *testing.T) {
			out, told := repeatedly(t, 13, func(s *stage) (gate.Outcome, string) {
				control(t, "TRUNCATE tally; INSERT INTO tally VALUES (0, 0)")
				var errs [2]error
				out := s.run(at(t, "preempt #1 at message 3 to #2"),
					s.says(1, s.pool(), &errs[0], "BEGIN", c.take, "COMMIT", "SELECT 'after'"),
					s.says(2, s.pool(), &errs[1], c.again, "SELECT 'mine'"))
				return out, fmt.Sprint(errs)
			})
			if told != "[<nil> <nil>]" {
				t.Error(told)
			}
			if len(c.again) > 60 {
				t.Fatal("its label would be cut")
			}
			steps(t, out,
				"#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: BEGIN", "#1 at message 2: "+c.take,
				"#2 at start", "#2 at acquire 1", "#2 at connect 1: startup", "#2 at message 1: "+c.again,
				"#1 at message 3: COMMIT", "#1 at message 4: SELECT 'after'", "#1 at release 1",
				"#2 at message 2: SELECT 'mine'", "#2 at release 1")
		})
	}
}

// TestQueue has two that wait: each goes on when the one before it lets go.
func TestQueue(t *testing.T) {
	take := "SELECT pg_advisory_xact_lock(1)"
	_, told := repeatedly(t, 20, func(s *stage) (gate.Outcome, string) {
		var order []int
		own := func(id int) gate.Op {
			p := s.pool()
			return s.op(id, func(ctx context.Context) {
				err := pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, take)
					order = append(order, id)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		// They come in the order 1, 3, 2.
		out := s.run(at(t, "preempt #1 at message 3 to #3", "preempt #1 at message 3 to #2"), own(1), own(2), own(3))
		return out, fmt.Sprint(order)
	})
	if exact && told != "[1 3 2]" {
		t.Error(told)
	}
}

// TestSeveralWakeAtOnce has two that wait for a lock which both may have: one message wakes both. Their
// replies are let through in the order of the operations, though the first takes longer.
func TestSeveralWakeAtOnce(t *testing.T) {
	burning(t)
	_, told := repeatedly(t, 50, func(s *stage) (gate.Outcome, string) {
		var order []int
		var errs [3]error
		share := func(id int, slow string) gate.Op {
			return s.with(id, &errs[id-1], func(ctx context.Context, c *pgxpool.Conn) error {
				_, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock_shared(1)"+slow)
				order = append(order, id)
				return err
			})
		}
		out := s.run(at(t, "preempt #1 at message 3 to #3", "preempt #1 at message 3 to #2"),
			s.says(1, s.pool(), &errs[0], "BEGIN", "SELECT pg_advisory_xact_lock(1)", "COMMIT"),
			share(2, ", pg_sleep(0.005)"), share(3, ""))
		return out, fmt.Sprint(order, errs)
	})
	if told != "[2 3] [<nil> <nil> <nil>]" {
		t.Error(told)
	}
}

// TestDeadlock in PostgreSQL ends with an error in one of the two, by itself, and both end.
func TestDeadlock(t *testing.T) {
	for range 3 {
		s := staged(t)
		var errs [2]error
		out := s.run(at(t, "preempt #1 at message 3 to #2"),
			s.says(1, s.pool(), &errs[0], "BEGIN", "SELECT pg_advisory_xact_lock(1)", "SELECT pg_advisory_xact_lock(2)", "COMMIT"),
			s.says(2, s.pool(), &errs[1], "BEGIN", "SELECT pg_advisory_xact_lock(2)", "SELECT pg_advisory_xact_lock(1)", "COMMIT"))
		ended(t, out)
		var dead *pgconn.PgError
		if !errors.As(errors.Join(errs[0], errs[1]), &dead) || dead.Code != "40P01" || (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("%v; %v", errs[0], errs[1])
		}
	}
}

// TestStuckInTheService locks two mutexes in two orders.
func TestStuckInTheService(t *testing.T) {
	s := staged(t)
	a, b := make(chan struct{}, 1), make(chan struct{}, 1)
	both := func(id int, first, second chan struct{}) gate.Op {
		p := s.pool()
		return s.op(id, func(ctx context.Context) {
			first <- struct{}{}
			defer func() { <-first }()
			if _, err := p.Exec(ctx, "SELECT 1"); err != nil {
				return
			}
			select {
			case second <- struct{}{}:
				<-second
			case <-ctx.Done():
			}
		})
	}
	out := s.plan(gate.Plan{Schedule: at(t, "preempt #1 at message 1 to #2"), Patience: brief},
		both(1, a, b), both(2, b, a))
	if !slices.Equal(out.Stuck, []int{1, 2}) {
		t.Fatalf("stuck %v", out.Stuck)
	}
	for _, want := range []string{"nothing can go on", "in the service: #1 is in ", "in the service: #2 is in "} {
		if !strings.Contains(out.Why, want) {
			t.Errorf("why: no %q in\n%s", want, out.Why)
		}
	}
	open(t, s)
	notYet(t, out)
	s.stops[1]()
	<-out.Ended // #1 lets go of what #2 waits for
}

// TestStuckInAMutex is about what takes no context: Why names the frames, and nothing ends it but the holder.
func TestStuckInAMutex(t *testing.T) {
	s := staged(t)
	var mu sync.Mutex
	mu.Lock()
	out := s.plan(gate.Plan{Patience: brief}, s.op(1, func(context.Context) {
		mu.Lock()
		defer mu.Unlock()
	}))
	if !slices.Equal(out.Stuck, []int{1}) || !strings.Contains(out.Why, "sync.(*Mutex).Lock") {
		t.Errorf("stuck %v: %s", out.Stuck, out.Why)
	}
	notYet(t, out)
	mu.Unlock()
	<-out.Ended
}

// TestStuckBetweenServiceAndServer waits in a circle that neither sees in full: #1 has a lock of the
// server's and waits for #2 in the service; #2 waits for the lock.
func TestStuckBetweenServiceAndServer(t *testing.T) {
	s := staged(t)
	p, q := s.pool(), s.pool()
	done := make(chan struct{})
	var errs [2]error
	out := s.plan(gate.Plan{Patience: brief, Schedule: at(t, "preempt #1 at message 3 to #2")},
		s.op(1, func(ctx context.Context) {
			errs[0] = pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(1)"); err != nil {
					return err
				}
				select {
				case <-done:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}),
		s.op(2, func(ctx context.Context) {
			defer close(done)
			_, errs[1] = q.Exec(ctx, "SELECT pg_advisory_xact_lock(1)")
		}))
	if !slices.Equal(out.Stuck, []int{1, 2}) {
		t.Fatalf("stuck %v", out.Stuck)
	}
	for _, want := range []string{
		"in PostgreSQL: #2 waits for a lock that is held by #1", "in the service: #1 is in ", "in the service: #2 is in ",
	} {
		if !strings.Contains(out.Why, want) {
			t.Errorf("why: no %q in\n%s", want, out.Why)
		}
	}
	open(t, s)
	notYet(t, out)
	s.stops[1]()
	<-out.Ended // #1 rolls back, and #2 is given its lock
	if !errors.Is(errs[0], context.Canceled) || errs[1] != nil {
		t.Errorf("%v; %v", errs[0], errs[1])
	}
}

// TestStuckOnALockOfAStranger waits for somebody who is not of the case, and is waited for as what
// computes is: as long as patience lasts.
func TestStuckOnALockOfAStranger(t *testing.T) {
	s := staged(t)
	control(t, "SELECT pg_advisory_lock(3)")
	var err error
	// #2 is not let go on meanwhile: whether it is before or after #1's answer would be chance.
	out := s.plan(gate.Plan{Patience: brief},
		s.says(1, s.pool(), &err, "SELECT pg_advisory_lock(3)"), s.op(2, func(context.Context) {}))
	if !slices.Equal(out.Stuck, []int{1, 2}) || !strings.Contains(out.Why, "#1 waits for a lock that is held by somebody who is not of this case") {
		t.Errorf("stuck %v: %s", out.Stuck, out.Why)
	}
	notYet(t, out)
	control(t, "SELECT pg_advisory_unlock(3)")
	<-out.Ended
	if err != nil {
		t.Error(err)
	}
}

// open checks that a message passes the gate by itself.
func open(t *testing.T, s *stage) {
	t.Helper()
	if _, err := s.pool().Exec(gate.WithOp(context.Background(), 9), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

// notYet checks that an operation of a run still goes on.
func notYet(t *testing.T, out gate.Outcome) {
	t.Helper()
	select {
	case <-out.Ended:
		t.Error("it has ended")
	default:
	}
}

func TestLocksBlocked(t *testing.T) {
	s := staged(t)
	pids := make([]uint32, 3)
	var errs [3]error
	ops := make([]gate.Op, 3)
	var blocked map[uint32][]uint32
	for i := range ops {
		p := s.pool()
		ops[i] = s.op(i+1, func(ctx context.Context) {
			errs[i] = pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
				if err := tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pids[i]); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(1)"); err != nil || i > 0 {
					return err
				}
				if _, err := tx.Exec(ctx, "SELECT 'meanwhile'"); err != nil {
					return err
				}
				var err error
				blocked, err = shared.locks.Blocked(context.Background(), pids)
				return err
			})
		})
	}
	out := s.run(at(t, "preempt #1 at message 4 to #2", "preempt #1 at message 4 to #3"), ops...)
	ended(t, out)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	want := map[uint32][]uint32{pids[1]: {pids[0]}, pids[2]: {pids[0], pids[1]}}
	for _, by := range blocked {
		slices.Sort(by)
	}
	for _, by := range want {
		slices.Sort(by)
	}
	if diff := cmp.Diff(want, blocked); diff != "" {
		t.Errorf("blocked (-want +got):\n%s", diff)
	}
	none, err := shared.locks.Blocked(context.Background(), nil)
	if err != nil || len(none) > 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestLocksReconnect(t *testing.T) {
	shared.open(t)
	locks := gate.NewLocks(shared.dsn)
	for range 2 {
		if _, err := locks.Blocked(t.Context(), []uint32{1}); err != nil {
			t.Error(err)
		}
		if err := locks.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, dsn := range []string{"postgres://:secret", "host=/nowhere password=secret"} {
		if _, err := gate.NewLocks(dsn).Blocked(t.Context(), []uint32{1}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}
