package gate_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// brief is how long what never comes to rest is waited for: long enough for a busy machine.
const brief = 200 * time.Millisecond

// common is what the stages of a process share.
type common struct {
	dsn     string
	warm    *pgwire.Warm
	locks   *gate.Locks
	control *pgx.Conn // does not go through a gate
}

var shared common

func (c *common) open(tb testing.TB) {
	tb.Helper()
	if c.warm != nil {
		return
	}
	dsn := os.Getenv(dsnEnv)
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	c.dsn = dsn
	c.warm, c.locks, c.control = pgwire.NewWarm(nil, 20), gate.NewLocks(dsn), conn
	control(tb, "CREATE TABLE tally (id int PRIMARY KEY, n int NOT NULL)")
}

func (c *common) close() error {
	if c.warm == nil {
		return nil
	}
	ctx := context.Background()
	return errors.Join(c.warm.Close(), c.locks.Close(ctx), c.control.Close(ctx))
}

// control executes statements on a connection that goes through no gate.
func control(tb testing.TB, sql string) {
	tb.Helper()
	if _, err := shared.control.Exec(context.Background(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// asked returns the number that a query answers with, on the same connection.
func asked(tb testing.TB, sql string) (n int) {
	tb.Helper()
	if err := shared.control.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return n
}

// stage is a gate, and the pools of a small service behind it.
type stage struct {
	*gate.Gate
	tb    testing.TB
	pools []*pgxpool.Pool
	stops map[int]context.CancelFunc
	ctxs  map[int]context.Context
}

func newStage(tb testing.TB) *stage {
	tb.Helper()
	shared.open(tb)
	return &stage{
		Gate: gate.New(gate.Options{Dial: shared.warm.DialLingering, Locks: shared.locks}), tb: tb,
		stops: map[int]context.CancelFunc{}, ctxs: map[int]context.Context{},
	}
}

// staged is newStage for a test that has one.
func staged(tb testing.TB) *stage {
	tb.Helper()
	s := newStage(tb)
	tb.Cleanup(s.end)
	return s
}

// end closes everything, and checks that no connection broke.
func (s *stage) end() {
	s.tb.Helper()
	for _, stop := range s.stops {
		stop()
	}
	for _, p := range s.pools {
		p.Close()
	}
	if err := s.Close(); err != nil {
		s.tb.Error(err)
	}
}

func (s *stage) config(with ...func(*pgxpool.Config)) *pgxpool.Config {
	s.tb.Helper()
	cfg, err := pgxpool.ParseConfig(os.Getenv(dsnEnv))
	if err != nil {
		s.tb.Fatal(err)
	}
	cfg.MaxConns = 2
	cfg.ConnConfig.Database = "postgres"
	cfg.ConnConfig.DialFunc = s.Dial
	// One message a statement, and the same one each time.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	for _, f := range with {
		f(cfg)
	}
	s.Configure(cfg)
	return cfg
}

// pool returns a pool that has no connection yet.
func (s *stage) pool(with ...func(*pgxpool.Config)) *pgxpool.Pool {
	s.tb.Helper()
	p, err := pgxpool.NewWithConfig(context.Background(), s.config(with...))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.pools = append(s.pools, p)
	return p
}

// op makes an operation of what is done under its context.
func (s *stage) op(id int, f func(ctx context.Context)) gate.Op {
	ctx, stop := context.WithCancel(gate.WithOp(context.Background(), id))
	s.ctxs[id], s.stops[id] = ctx, stop
	return gate.Op{ID: id, Run: func() { gate.As(id, func() { f(ctx) }) }}
}

// says is an operation that executes statements on a pool, on one connection each, and keeps the error.
func (s *stage) says(id int, p *pgxpool.Pool, err *error, statements ...string) gate.Op {
	return s.op(id, func(ctx context.Context) {
		*err = p.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			for _, sql := range statements {
				if _, err := c.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// run runs a session for each operation.
func (s *stage) run(schedule []model.Intervention, ops ...gate.Op) gate.Outcome {
	s.tb.Helper()
	return s.plan(gate.Plan{Schedule: schedule}, ops...)
}

func (s *stage) plan(p gate.Plan, ops ...gate.Op) gate.Outcome {
	s.tb.Helper()
	for _, o := range ops {
		p.Sessions = append(p.Sessions, []gate.Op{o})
	}
	p.Cancel = func(op int) { s.stops[op]() }
	out, err := s.Run(context.Background(), p)
	if err != nil {
		s.tb.Fatal(err)
	}
	return out
}

// ended checks that every operation of a run ended as it should, and the schedule came true.
func ended(tb testing.TB, out gate.Outcome) {
	tb.Helper()
	if len(out.Stuck) > 0 || len(out.Diverged) > 0 || out.Why != "" {
		tb.Fatalf("stuck %v, diverged %q: %s\nsteps %v", out.Stuck, out.Diverged, out.Why, lines(out.Steps))
	}
	<-out.Ended
}

func lines(steps []history.Step) []string {
	var text []string
	for _, s := range steps {
		text = append(text, s.String())
	}
	return text
}

// steps compares what went on with what should have.
func steps(tb testing.TB, out gate.Outcome, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(want, lines(out.Steps)); diff != "" {
		tb.Errorf("steps (-want +got):\n%s", diff)
	}
}

// at is a schedule out of lines of program text, as "preempt #1 at message 2 to #2".
func at(tb testing.TB, lines ...string) []model.Intervention {
	tb.Helper()
	text := "program v1\nmode gated\nmax_projects 1\nprojects 1\nsessions 3\n\nrace\n" +
		"  #1 s0 search p0 own\n  #2 s1 search p0 own\n  #3 s2 search p0 own\nschedule\n"
	for _, l := range lines {
		text += "  " + l + "\n"
	}
	p, err := model.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return slices.Clone(p.Schedule)
}
