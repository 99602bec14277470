package audit_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

var server postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx := context.Background()
	var err error
	server, _, err = postgres.Open(ctx, "auto", postgres.Settings{}, postgres.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer func() {
		if err := server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

// prefix begins the names of the databases that the tests make, where they make any.
var prefix = fmt.Sprintf("audittest%d_", os.Getpid())

// fake is a service that is well at rest, but for what a test changes. The first service of its target
// is the one that is audited; the second is the cold one.
type fake struct {
	mu    sync.Mutex
	calls []string
	opens int
	asked int // how often for statistics

	stats func(n int) (model.Stats, error)            // of the nth question
	close func(ctx context.Context, open int) error   // of the nth service
	open  func(ctx context.Context, open int) error   // likewise
	found func(project string) ([]model.Match, error) // of any search
}

func (f *fake) call(format string, v ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, v...))
}

func (f *fake) log() string { return strings.Join(f.calls, "; ") }

func (f *fake) target() harness.Target {
	return harness.Target{Name: "fake", New: func(ctx context.Context, env harness.Env) (harness.System, error) {
		f.opens++
		f.call("open %d", f.opens)
		if f.open != nil {
			if err := f.open(ctx, f.opens); err != nil {
				return nil, err
			}
		}
		return &system{f, f.opens, env}, nil
	}}
}

type system struct {
	*fake
	n   int
	env harness.Env
}

func (s *system) Session(context.Context) (harness.Session, error) { return session{s}, nil }

func (s *system) Close(ctx context.Context) error {
	s.call("close %d", s.n)
	if s.fake.close != nil {
		return s.fake.close(ctx, s.n)
	}
	return nil
}

func (s *system) Stats(context.Context) (model.Stats, error) {
	s.asked++
	if s.asked == 1 {
		s.call("stats") // asked again and again until it is at rest
	}
	if s.fake.stats != nil {
		return s.fake.stats(s.asked)
	}
	return model.Stats{MaxProjects: s.env.MaxProjects}, nil
}

func (s *system) Hold(_ context.Context, project string) (harness.Lease, error) {
	s.call("hold %s", project)
	return lease{s, project}, nil
}

type session struct{ s *system }

func (c session) Switch(context.Context, string) error              { return nil }
func (c session) Index(context.Context, harness.IndexRequest) error { return nil }

func (c session) Search(_ context.Context, req harness.SearchRequest) ([]model.Match, error) {
	c.s.call("search %d %s %s limit %d", c.s.n, req.Project, req.Query, req.Limit)
	if c.s.found != nil {
		return c.s.found(req.Project)
	}
	return nil, nil
}

type lease struct {
	s       *system
	project string
}

func (l lease) Search(context.Context, harness.SearchRequest) ([]model.Match, error) {
	l.s.call("use the lease on %s", l.project)
	return nil, nil
}

func (l lease) Release(context.Context) error {
	l.s.call("release %s", l.project)
	return nil
}

// inspect runs a program on the fake and audits it.
func inspect(t *testing.T, f *fake, text string, o audit.Options) (*harness.Run, error) {
	t.Helper()
	return inspectTarget(t, f.target(), text, o)
}

func inspectTarget(t *testing.T, target harness.Target, text string, o audit.Options) (*harness.Run, error) {
	t.Helper()
	p, err := model.Parse("program v1\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	run, err := harness.Start(t.Context(), target, harness.Env{DSN: server.DSN(), Prefix: prefix}, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	control := harness.NewControl(server.DSN())
	defer control.Close(context.WithoutCancel(t.Context()))
	return run, audit.Service(t.Context(), run, control, o)
}

// rest is what the audit found; the test fails where it could not look.
func rest(t *testing.T, f *fake, o audit.Options) history.Rest {
	t.Helper()
	run, err := inspect(t, f, "setup\n #1 s0 index p0 rev=1 files=1", o)
	if err != nil {
		t.Fatal(err)
	}
	return *run.History.Rest
}

// leaks looks whether exactly this was found.
func leaks(t *testing.T, r history.Rest, want ...history.Leak) {
	t.Helper()
	got := slices.Clone(r.Leaks)
	for i := range got {
		if got[i].Detail == "" {
			t.Errorf("%s: nothing is said of it", got[i].What)
		}
		got[i].Detail = ""
	}
	if !slices.Equal(got, want) {
		t.Errorf("leaks %+v, want %+v", got, want)
	}
}

// connection is a connection of the service's to a database of its own, which the test makes.
func connection(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	admin, err := harness.ConnectControl(ctx, server.DSN(), "")
	if err != nil {
		t.Fatal(err)
	}
	name := prefix + "p0"
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = admin.Close(ctx)
	})
	cfg, err := pgx.ParseConfig(server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Database = name
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
