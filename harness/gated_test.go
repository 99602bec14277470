package harness_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/gate"
)

// dsnEnv is set in the process of a gated test, to the server's DSN.
const dsnEnv = "HARNESS_TEST_DSN"

// calm reports whether this process comes to rest, as one does not that has started a server: where it does
// not, the test runs in a process of its own.
func calm(t *testing.T) bool {
	t.Helper()
	if os.Getenv(dsnEnv) != "" {
		runtime.GOMAXPROCS(1)
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), dsnEnv+"="+postgres.QuickDSN(server(t)))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}

// line is a connection to a server that says, once its script is set, what stands there, and then dies.
type line struct {
	net.Conn
	script *script
}

// script is what the server says in place of an answer, once it is set.
type script struct {
	set  bool
	over bool
	says string
	keep int // bytes of the true answer that come before
}

func (l line) Read(p []byte) (int, error) {
	if l.script.over {
		return 0, io.EOF
	}
	n, err := l.Conn.Read(p)
	if !l.script.set || err != nil {
		return n, err
	}
	l.script.over = true
	n = min(n, l.script.keep)
	return n + copy(p[n:], l.script.says), nil
}

// underGate is a run whose connections are made by dial, through a gate.
func underGate(t *testing.T, f *fake, dial func(context.Context, string, string) (net.Conn, error), program string) *harness.Run {
	t.Helper()
	dsn := os.Getenv(dsnEnv)
	locks := gate.NewLocks(dsn)
	g := gate.New(gate.Options{Dial: dial, Locks: locks})
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := locks.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	run, err := harness.Start(t.Context(), f.target(), harness.Env{DSN: dsn, Dial: g.Dial, ConfigurePool: g.Configure}, parse(t, "mode gated\n"+program))
	if err != nil {
		t.Fatal(err)
	}
	run.Under(g)
	return run
}

// dialled connects as the service does.
func (f *fake) dialled(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(f.envs[0].DSN)
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = f.envs[0].Dial
	return pgx.ConnectConfig(ctx, cfg)
}

// TestBrokenConnections: a connection that breaks is the operation's, which gets an error; the case goes on.
func TestBrokenConnections(t *testing.T) {
	if !calm(t) {
		return
	}
	admin, err := pgx.Connect(t.Context(), os.Getenv(dsnEnv))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	for name, row := range map[string]struct {
		script script
		kill   bool
		want   string
	}{
		"the backend is terminated":  {kill: true},
		"it dies in a message":       {script: script{keep: 3}, want: "EOF"},
		"it says what is unexpected": {script: script{says: "HTTP/1.1 400 Bad Request\r\n"}, want: "from the server"},
	} {
		t.Run(name, func(t *testing.T) {
			said := &script{}
			f := &fake{}
			f.on("s1 search p0 cnry_p000_", func(ctx context.Context) error {
				conn, err := f.dialled(ctx)
				if err != nil {
					t.Error(err)
					return err
				}
				defer conn.Close(context.Background())
				if row.kill {
					if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend($1, 5000)", conn.PgConn().PID()); err != nil {
						t.Error(err)
					}
				} else {
					*said = row.script
					said.set = true
				}
				_, err = conn.Exec(ctx, "SELECT 1")
				return err
			})
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return line{conn, said}, err
			}
			run := underGate(t, f, dial, "sessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own\n#3 s1 switch p0")
			if err := run.Execute(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(t, "outcomes", outcomes(run), "ok error:other ok")
			broken := run.History.Broken
			if len(broken) != 1 || !strings.HasPrefix(broken[0], "a connection of #2: ") || !strings.Contains(broken[0], row.want) {
				t.Errorf("broken: %q", broken)
			}
			if hung, err := run.Close(t.Context()); !run.Alive() || hung || err != nil {
				t.Errorf("alive %v, hung %v, %v", run.Alive(), hung, err)
			}
		})
	}
}

// TestLeftBehind: a statement that outlives its operation and waits for a lock that nobody will release is the
// operation's fault; of one that is merely at work nothing is said.
func TestLeftBehind(t *testing.T) {
	if !calm(t) {
		return
	}
	for name, row := range map[string]struct {
		statement  string
		unanswered int
	}{
		"waits for ever": {"SELECT pg_advisory_lock(7)", 2},
		"is at work":     {"SELECT pg_sleep(3)", 0}, // it outlives the process, and other tests ask what the server does
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			var holder *pgx.Conn
			f.on("s0 search p0 cnry_p000_", func(ctx context.Context) (err error) {
				if holder, err = f.dialled(ctx); err == nil {
					_, err = holder.Exec(ctx, "SELECT pg_advisory_lock(7)")
				}
				return err
			})
			ended := make(chan error, 1)
			f.on("s1 search p0 cnry_p000_", func(ctx context.Context) error {
				ctx = context.WithoutCancel(ctx)
				go func() {
					conn, err := f.dialled(ctx)
					if err == nil {
						_, err = conn.Exec(ctx, row.statement)
					}
					ended <- err
				}()
				return nil
			})
			run := underGate(t, f, (&net.Dialer{}).DialContext, "deadline 300ms\nsessions 2\nrace\n#1 s0 search p0 own\n#2 s1 search p0 own")
			t.Cleanup(func() { // before the gate's
				_ = holder.Close(context.Background())
				if row.unanswered == 0 {
					return
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			if err := run.Execute(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(t, "outcomes", outcomes(run), "ok ok")
			h := run.History
			if row.unanswered == 0 {
				if len(h.Unanswered) > 0 || !run.Alive() || run.Stuck() || !strings.Contains(h.Restless, "in PostgreSQL: #2 executes a statement") {
					t.Errorf("unanswered %v, alive %v, stuck %v, restless %q", h.Unanswered, run.Alive(), run.Stuck(), h.Restless)
				}
				return
			}
			if len(h.Unanswered) != 1 || h.Unanswered[0] != row.unanswered || h.Restless != "" || run.Alive() || !run.Stuck() {
				t.Errorf("unanswered %v, restless %q, alive %v, stuck %v", h.Unanswered, h.Restless, run.Alive(), run.Stuck())
			}
			if want := "in PostgreSQL: #2 waits for a lock that is held by #1"; !strings.Contains(h.Stacks, want) {
				t.Errorf("no %q in\n%s", want, h.Stacks)
			}
		})
	}
}
