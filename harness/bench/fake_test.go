package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/bench"
	"github.com/tenantstorm/tenantstorm/model"
)

// newLab gives a lab on a server of the test's own.
func newLab(t *testing.T, target harness.Target) *bench.Lab {
	t.Helper()
	server, _, err := postgres.Open(t.Context(), "auto", postgres.Settings{}, postgres.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &bench.Lab{Target: target, DSN: server.DSN(), Prefix: "ts0badcafe_", Versions: map[string]string{"go": "1"}}
}

// left are the databases that a benchmark has not dropped.
func left(t *testing.T, l *bench.Lab) []string {
	t.Helper()
	control := harness.NewControl(l.DSN)
	defer func() { _ = control.Close(context.WithoutCancel(t.Context())) }()
	names, err := control.Databases(context.WithoutCancel(t.Context()), l.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// fake is a service that keeps all projects in one table, and counts the pools that it would have. It can have faults.
type fake struct {
	pool   *pgxpool.Pool
	max    int
	faults map[string]bool

	mu       sync.Mutex
	resident []string // most recently used first
	stats    model.Stats
	hung     chan struct{}
}

const fakeSchema = `CREATE TABLE IF NOT EXISTS "Docs" (
	project text, path text, content text, size int GENERATED ALWAYS AS (length(content)) STORED, gone int, PRIMARY KEY (project, path));
	CREATE TABLE IF NOT EXISTS empty (x int);
	ALTER TABLE "Docs" DROP COLUMN IF EXISTS gone`

func fakeTarget(faults ...string) harness.Target {
	return harness.Target{Name: "fake", New: func(ctx context.Context, env harness.Env) (harness.System, error) {
		f := &fake{max: env.MaxProjects, faults: map[string]bool{}, hung: make(chan struct{})}
		for _, name := range faults {
			f.faults[name] = true
		}
		return f, f.open(ctx, env)
	}}
}

func (f *fake) open(ctx context.Context, env harness.Env) error {
	conn, err := pgx.Connect(ctx, env.DSN)
	if err != nil {
		return err
	}
	database := env.Prefix + "all"
	_, err = conn.Exec(ctx, `CREATE DATABASE `+database)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P04" {
		err = nil
	}
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(env.DSN)
	if err != nil {
		return err
	}
	config.ConnConfig.Database, config.MaxConns = database, int32(env.ConnsPerProject)
	if !f.faults["hidden"] {
		env.PoolConfigurer()(config)
	}
	if f.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	_, err = f.pool.Exec(ctx, fakeSchema)
	return err
}

func (f *fake) Session(context.Context) (harness.Session, error) { return &fakeSession{fake: f}, nil }

func (f *fake) Close(context.Context) error {
	if f.faults["leave-backend"] {
		return nil
	}
	f.pool.Close()
	return nil
}

func (f *fake) Stats(context.Context) (model.Stats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.stats
	st.ActivePools, st.MaxProjects = len(f.resident), f.max
	for _, p := range f.resident {
		st.Pools = append(st.Pools, model.PoolStats{Project: p})
	}
	return st, nil
}

// touch is an acquire of the project's pool.
func (f *fake) touch(project string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.Index(f.resident, project)
	if at >= 0 {
		if !f.faults["lose-hit"] {
			f.stats.CacheHits++
		}
		f.resident = slices.Delete(f.resident, at, at+1)
	} else {
		f.stats.CacheMisses++
		f.stats.Creations++
		if len(f.resident) == f.max {
			victim := len(f.resident) - 1
			if f.faults["evict-newest"] {
				victim = 0
			}
			f.resident = slices.Delete(f.resident, victim, victim+1)
			f.stats.Evictions++
		}
	}
	f.resident = slices.Insert(f.resident, 0, project)
}

type fakeSession struct {
	fake   *fake
	active string
}

func (s *fakeSession) Switch(_ context.Context, project string) error {
	s.active = project
	return nil
}

func (s *fakeSession) Index(ctx context.Context, req harness.IndexRequest) error {
	project := req.Project
	if project == "" {
		project = s.active
	}
	s.fake.touch(project)
	var rows [][]any
	err := fs.WalkDir(req.Repo, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(req.Repo, path)
		rows = append(rows, []any{project, path, string(content)})
		return err
	})
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.fake.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM "Docs" WHERE project = $1`, project); err != nil {
			return err
		}
		if s.fake.faults["torn"] && len(rows) > 1 {
			rows = rows[1:]
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"Docs"}, []string{"project", "path", "content"}, pgx.CopyFromRows(rows))
		return err
	})
}

func (s *fakeSession) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	project := req.Project
	if project == "" {
		project = s.active
	}
	s.fake.touch(project)
	switch f := s.fake.faults; {
	case f["forget"] || f["lose-path"] && req.Path != "":
		return nil, nil
	case f["panic"]:
		panic("at the disco")
	case f["hang"]:
		<-s.fake.hung // of which nothing comes
	case f["error"]:
		return nil, errors.New("no such luck")
	}
	where := `project = $1`
	if s.fake.faults["foreign"] {
		where = `$1 <> ''` // of every project
	}
	if s.fake.faults["no-index"] {
		where = `project || '' = $1`
	}
	rows, err := s.fake.pool.Query(ctx, `SELECT path, content FROM "Docs" WHERE `+where+` AND content ILIKE $2 AND strpos(path, $3) > 0 ORDER BY path LIMIT 50`,
		project, "%"+strings.NewReplacer(`%`, `\%`, `_`, `\_`).Replace(req.Query)+"%", req.Path)
	if err != nil {
		return nil, err
	}
	matches, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m model.Match, err error) {
		m.StartLine, m.EndLine, m.Score = 1, 1, 1
		return m, row.Scan(&m.Path, &m.Content)
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return matches, nil
}
