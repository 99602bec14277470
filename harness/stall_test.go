package harness_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

const searchOnce = "deadline 50ms\n setup\n #1 s0 search p0 own"

// TestStallComputing: while a goroutine of the process could go on, an operation is waited for.
func TestStallComputing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, looked := make(chan struct{}), 0
		f := (&fake{}).on("s0 search p0 cnry_p000_", ignores(done))
		run := begin(t, f, searchOnce)
		run.Glance(func() (runnable, running, outside uint64) {
			if looked++; looked == 25 { // more than one question takes
				close(done)
			}
			return 1, 1, 0
		})
		if err := run.Execute(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, "outcomes", outcomes(run), "ok")
		if looked < 25 || !run.Alive() || run.Stuck() || run.History.Stacks != "" {
			t.Errorf("looked %d times, alive %v, stuck %v, stacks %q", looked, run.Alive(), run.Stuck(), run.History.Stacks)
		}
	})
}

// TestStallComputesForReal: what the runtime says of a goroutine that computes is seen.
func TestStallComputesForReal(t *testing.T) {
	const deadline = 100 * time.Millisecond
	f := (&fake{}).on("s0 search p0 cnry_p000_", func(ctx context.Context) error {
		for began := time.Now(); time.Since(began) < 2*deadline; {
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
	run, err := harness.Start(t.Context(), f.target(), harness.Env{}, parse(t, "deadline 100ms\n setup\n #1 s0 search p0 own"))
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, "outcomes", outcomes(run), "ok")
}

// TestStallPatience: something that moves for ever is no answer either.
func TestStallPatience(t *testing.T) {
	for what, says := range map[string][3]uint64{
		"a goroutine could run": {1, 1, 0}, "a goroutine runs": {0, 2, 0}, "a goroutine is in a system call": {0, 1, 9},
	} {
		synctest.Test(t, func(t *testing.T) {
			run := begin(t, (&fake{}).on("s0 search p0 cnry_p000_", heeds), searchOnce)
			run.Glance(func() (runnable, running, outside uint64) { return says[0], says[1], says[2] })
			if err := run.Execute(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(t, "outcomes", outcomes(run), "hung")
			e := run.History.Entries[0]
			check(t, "text", e.Response.Text,
				"no answer within 10 times 50ms, although something moved: "+what+"; it answered once its context was cancelled")
			if waited := e.End - e.Start; waited != harness.Patience*50*time.Millisecond {
				t.Errorf("waited for %v", waited)
			}
		})
	}
}

// TestStallOthersGoOn: as long as operations of other sessions end, one that waits for them is waited for.
func TestStallOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		f := (&fake{}).on("s0 search p0 cnry_p000_", ignores(free)).on("s1 switch p0", after(4*time.Millisecond)).
			on("s1 search p0 sharedword", func(context.Context) error {
				close(free)
				return nil
			})
		program := "mode free\n deadline 50ms\n sessions 2\n race\n #1 s0 search p0 own\n"
		const others = 60 // nearly five deadlines of them
		for n := range others {
			program += fmt.Sprintf("#%d s1 switch p0\n", n+2)
		}
		run := execute(t, f, program+fmt.Sprintf("#%d s1 search p0 shared\n", others+2))
		check(t, "outcomes", outcomes(run), strings.TrimSpace(strings.Repeat("ok ", others+2)))
	})
}

// TestStallOfAll: each of several operations that wait for ever is found, and the run ends.
func TestStallOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := over(t)
		f := (&fake{}).on("s0 search p0 cnry_p000_", ignores(never)).on("s1 switch p0", ignores(never)).on("s2 switch p0", ignores(never))
		run := execute(t, f, `
			mode free
			sessions 3
			race
			#1 s0 search p0 own
			#2 s1 switch p0
			#3 s2 switch p0
			#4 s2 search p0 own`)
		check(t, "outcomes", outcomes(run), "hung hung hung")
		if !run.Stuck() {
			t.Error("not stuck")
		}
	})
}

// TestStallUnknown: where PostgreSQL cannot be asked, nothing is said of the service.
func TestStallUnknown(t *testing.T) {
	env := harness.Env{DSN: "postgres://nobody:s3same@127.0.0.1:1/none?sslmode=disable", Prefix: "hst_"}
	f := (&fake{}).on("s0 search p0 cnry_p000_", heeds)
	run, err := harness.Start(t.Context(), f.target(), env, parse(t, searchTwice))
	if err != nil {
		t.Fatal(err)
	}
	run.Glance(asleep)
	err = run.Execute(t.Context())
	if err == nil || run.Blind() == nil || strings.Contains(err.Error(), "s3same") {
		t.Errorf("error %v, blind %v", err, run.Blind())
	}
	check(t, "outcomes", outcomes(run), "unknown:cancelled")
	text := run.History.Entries[0].Response.Text
	if !strings.Contains(text, "PostgreSQL cannot be asked") || strings.Contains(text, "s3same") || run.Alive() {
		t.Errorf("text %q, alive %v", text, run.Alive())
	}
}

// stalls runs a program of one search, which does what is given on connections to a database of its own.
// Whoever wants to read that nothing moves gives a deadline by which even a busy machine has got that far.
func stalls(t *testing.T, deadline time.Duration, search func(context.Context, func() *pgx.Conn) error) *harness.Run {
	t.Helper()
	_, create := control(t)
	create("hst_a")
	f := (&fake{}).on("s0 search p0 cnry_p000_", func(ctx context.Context) error {
		return search(ctx, func() *pgx.Conn { return connect(t, "hst_a", "a service") })
	})
	env := harness.Env{DSN: server(t).DSN(), Prefix: "hst_"}
	run, err := harness.Start(t.Context(), f.target(), env, parse(t, fmt.Sprintf("deadline %s\n setup\n #1 s0 search p0 own", deadline)))
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	return run
}

// TestStallServerAtWork: a statement that PostgreSQL works on moves, and so does one that waits for its lock.
func TestStallServerAtWork(t *testing.T) {
	run := stalls(t, 300*time.Millisecond, func(ctx context.Context, open func() *pgx.Conn) error {
		holder, waiter := open(), open()
		holds := make(chan error, 1)
		go func() {
			_, err := holder.Exec(ctx, `SELECT pg_advisory_xact_lock(7), pg_sleep(0.9)`)
			holds <- err
		}()
		_, err := waiter.Exec(ctx, `SELECT pg_sleep(0.2), pg_advisory_xact_lock(7)`)
		if e := <-holds; err == nil {
			err = e
		}
		return err
	})
	check(t, "outcomes", outcomes(run), "ok")
}

// TestStallLock: whoever waits for a lock of a transaction that is idle waits for ever.
func TestStallLock(t *testing.T) {
	run := stalls(t, time.Second, func(ctx context.Context, open func() *pgx.Conn) error {
		holder, waiter := open(), open()
		tx, err := holder.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(7)`); err != nil {
			return err
		}
		_, err = waiter.Exec(ctx, `SELECT pg_advisory_xact_lock(7)`)
		return err
	})
	check(t, "outcomes", outcomes(run), "hung")
	check(t, "text", run.History.Entries[0].Response.Text,
		"no answer within 1s, and nothing moves any more; it answered once its context was cancelled")
}

// TestStallCopy: a server that waits for its client's next message does not move.
func TestStallCopy(t *testing.T) {
	run := stalls(t, time.Second, func(ctx context.Context, open func() *pgx.Conn) error {
		conn := open()
		if _, err := conn.Exec(ctx, `CREATE TABLE hst (a int)`); err != nil {
			return err
		}
		_, err := conn.PgConn().CopyFrom(ctx, reader(func([]byte) (int, error) { // nothing is ever read
			<-ctx.Done()
			return 0, ctx.Err()
		}), `COPY hst FROM STDIN`)
		return err
	})
	check(t, "outcomes", outcomes(run), "hung")
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

// TestStallClose: a service that is slow to close, but moves, has not hung.
func TestStallClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := execute(t, (&fake{}).on("close", after(3*harness.CloseDeadline)), "setup")
		run.Glance(func() (runnable, running, outside uint64) { return 1, 1, 0 })
		if hung, err := run.Close(t.Context()); hung || err != nil || run.Stuck() {
			t.Errorf("hung %v, error %v, stuck %v", hung, err, run.Stuck())
		}
	})
}

// TestLongHistoriesAreShort: of a long program's answers only the canaries are kept.
func TestLongHistoriesAreShort(t *testing.T) {
	canary := model.Canary{Project: 1, Revision: 2, File: 3}.String()
	was := found
	found = []model.Match{
		{Path: "a.go", Content: "one " + canary + ", again " + canary},
		{Path: "b.go", Content: canary + " " + model.Canary{File: 4}.String() + " rest"},
		{Path: "c.go", Content: "none"},
	}
	t.Cleanup(func() { found = was })
	program := "mode free\n race\n"
	for n := range 2001 {
		program += fmt.Sprintf("#%d s0 search p0 own\n", n+1)
	}
	var kept []string
	for _, m := range execute(t, &fake{}, program).History.Entries[2000].Response.Matches {
		kept = append(kept, m.Content)
	}
	check(t, "kept", strings.Join(kept, "|"), canary+" |"+canary+" "+model.Canary{File: 4}.String()+" |")
}
