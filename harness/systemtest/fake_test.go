package systemtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// fakeTarget is a service in memory that keeps every contract but for the mistakes it is given. Its
// connections to PostgreSQL serve nothing: they are there to be made, or left open.
type fakeTarget struct {
	mistakes []string
	mu       sync.Mutex
	disks    map[string]disk // by prefix
	stop     chan struct{}   // ends what hangs
}

// disk is what is stored: by project, by path.
type disk map[string]map[string]string

func newFakeTarget(mistakes ...string) *fakeTarget {
	return &fakeTarget{mistakes: mistakes, disks: map[string]disk{}, stop: make(chan struct{})}
}

func (f *fakeTarget) has(mistake string) bool { return slices.Contains(f.mistakes, mistake) }

func (f *fakeTarget) target() harness.Target {
	return harness.Target{Name: "fake", New: f.open, Reset: func(_ context.Context, env harness.Env) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.has("reset keeps") {
			delete(f.disks, env.Prefix)
		}
		return nil
	}}
}

func (f *fakeTarget) open(ctx context.Context, env harness.Env) (harness.System, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.disks[env.Prefix]
	if d == nil || f.has("forgets") {
		d = disk{}
		f.disks[env.Prefix] = d
	}
	s := &fakeSystem{fakeTarget: f, env: env, disk: d, opened: ctx}
	if f.has("one too many") {
		s.env.MaxProjects++
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if f.has("no stats, drop, hold") {
		return struct{ harness.System }{s}, nil
	}
	return s, nil
}

// connect makes one connection the way it is asked to, or one that nobody will close.
func (s *fakeSystem) connect(ctx context.Context) error {
	cfg, err := pgxpool.ParseConfig(s.env.DSN)
	if err != nil {
		return err
	}
	if s.env.Dial != nil && !s.has("dials itself") {
		cfg.ConnConfig.DialFunc = s.env.Dial
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil || !s.has("leaves a connection") {
		return errors.Join(err, closeConn(ctx, conn))
	}
	name := s.env.Prefix + "left"
	_, _ = conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()) // may be there
	cfg.ConnConfig.Database = name
	left, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err == nil {
		go func() {
			<-s.stop
			_ = left.Close(context.Background())
		}()
	}
	return errors.Join(err, closeConn(ctx, conn))
}

func closeConn(ctx context.Context, conn *pgx.Conn) error {
	if conn == nil {
		return nil
	}
	return conn.Close(ctx)
}

type fakeSystem struct {
	*fakeTarget
	env    harness.Env
	disk   disk
	opened context.Context
	pools  []*fakePool // most recently used first
	gone   []*fakePool // evicted and leased
	stats  model.Stats
	active string // of all sessions, in a service that has only one
	closed bool
}

type fakePool struct {
	project string
	leases  int
}

func (s *fakeSystem) Session(context.Context) (harness.Session, error) {
	c := &fakeSession{s: s}
	if s.has("session inherits") {
		c.active = s.active
	}
	return c, nil
}

func (s *fakeSystem) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.has("second close fails") {
		return errors.New("nothing to close")
	}
	s.closed = true
	return nil
}

// enter begins an operation; the caller unlocks.
func (s *fakeSystem) enter(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.closed && !s.has("never closed"):
		return harness.ErrClosed
	case s.has("context of New") && s.opened.Err() != nil:
		return s.opened.Err()
	}
	return ctx.Err()
}

// acquire is a touch and, on a miss, an eviction and a creation.
func (s *fakeSystem) acquire(project string, touch bool) *fakePool {
	i := slices.IndexFunc(s.pools, func(p *fakePool) bool { return p.project == project })
	if i >= 0 {
		s.stats.CacheHits++
		p := s.pools[i]
		if touch {
			s.pools = slices.Insert(slices.Delete(s.pools, i, i+1), 0, p)
		}
		return p
	}
	s.stats.CacheMisses++
	s.stats.Creations++
	if s.env.ConfigurePool != nil && !s.has("pools unconfigured") {
		s.env.ConfigurePool(&pgxpool.Config{})
	}
	if len(s.pools) >= s.env.MaxProjects {
		victim := s.pools[len(s.pools)-1]
		s.pools = s.pools[:len(s.pools)-1]
		s.stats.Evictions++
		if victim.leases > 0 {
			s.gone = append(s.gone, victim)
		}
	}
	p := &fakePool{project: project}
	s.pools = slices.Insert(s.pools, 0, p)
	return p
}

func (s *fakeSystem) Stats(context.Context) (model.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.MaxProjects, st.ActivePools, st.Draining = s.env.MaxProjects, len(s.pools), len(s.gone)
	if s.has("no draining") {
		st.Draining = 0
	}
	if s.has("counts from before") {
		st.CacheHits += int64(len(s.disk))
	}
	for _, p := range s.pools {
		st.Pools = append(st.Pools, model.PoolStats{Project: p.project, Size: p.leases, InUse: p.leases})
	}
	if s.has("least recent first") {
		slices.Reverse(st.Pools)
	}
	return st, nil
}

func (s *fakeSystem) Drop(ctx context.Context, project string) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	if s.disk[project] == nil {
		return harness.ErrUnknownProject
	}
	i := slices.IndexFunc(s.pools, func(p *fakePool) bool { return p.project == project })
	held := func(p *fakePool) bool { return p.project == project && p.leases > 0 }
	if (slices.ContainsFunc(s.pools, held) || slices.ContainsFunc(s.gone, held)) && !s.has("drops what is held") {
		return harness.ErrInUse
	}
	if i >= 0 {
		s.pools = slices.Delete(s.pools, i, i+1)
		s.stats.Drops++
		if s.has("drop evicts") {
			s.stats.Evictions++
		}
	}
	if s.has("drop hides") {
		s.disk[project+" (hidden)"] = s.disk[project]
	}
	if !s.has("drop keeps") {
		delete(s.disk, project)
	}
	return nil
}

func (s *fakeSystem) Hold(ctx context.Context, project string) (harness.Lease, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	if s.disk[project] == nil {
		return nil, harness.ErrUnknownProject
	}
	p := s.acquire(project, !s.has("hold does not touch"))
	if p.leases+2 >= s.env.ConnsPerProject-1 && s.has("no room") {
		return nil, errors.New("no connection left")
	}
	p.leases++
	return &fakeLease{s: s, pool: p}, nil
}

type fakeLease struct {
	s        *fakeSystem
	pool     *fakePool
	released bool
}

func (l *fakeLease) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	defer l.s.mu.Unlock()
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	if l.pool.leases == 0 || l.s.has("lease dies with its pool") && slices.Contains(l.s.gone, l.pool) {
		return nil, errors.New("closed pool")
	}
	if l.s.has("lease counts") {
		l.s.acquire(l.pool.project, false)
	}
	return l.s.find(l.pool.project, req), nil
}

func (l *fakeLease) Release(context.Context) error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.released {
		switch {
		case l.s.has("second release fails"):
			return errors.New("released already")
		case !l.s.has("second release releases another"):
			return nil
		}
	}
	l.released = true
	l.pool.leases = max(0, l.pool.leases-1)
	if l.pool.leases == 0 && !l.s.has("drains for ever") {
		l.s.gone = slices.DeleteFunc(l.s.gone, func(p *fakePool) bool { return p == l.pool })
	}
	return nil
}

type fakeSession struct {
	s      *fakeSystem
	active string
}

// project returns whom a request is about.
func (c *fakeSession) project(named string) (string, error) {
	name := c.active
	if c.s.has("one active project for all") {
		name = c.s.active
	}
	if named != "" {
		name = named
		if c.s.has("named request switches") {
			c.active = named
		}
	}
	switch {
	case name == "" && c.s.has("active project made up"):
		name = "p0"
	case name == "":
		return "", fmt.Errorf("whose? %w", harness.ErrNoActiveProject)
	}
	if c.s.has("names folded") {
		name = strings.ToLower(name)
	}
	if c.s.has("names truncated") {
		name = name[:min(63, len(name))]
	}
	return name, nil
}

func (c *fakeSession) Switch(ctx context.Context, project string) error {
	defer c.s.mu.Unlock()
	if err := c.s.enter(ctx); err != nil {
		return err
	}
	if c.s.has("switch looks") && c.s.disk[project] == nil {
		return harness.ErrUnknownProject
	}
	if c.s.has("switch is lost") {
		return nil
	}
	c.active, c.s.active = project, project
	return nil
}

func (c *fakeSession) Index(ctx context.Context, req harness.IndexRequest) error {
	files := map[string]string{}
	err := fs.WalkDir(req.Repo, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, e := fs.ReadFile(req.Repo, path)
			files[path], err = string(b), e
		}
		return err
	})
	entered := c.s.enter(ctx)
	defer c.s.mu.Unlock()
	if entered != nil && !c.s.has("half an index") {
		return errors.Join(err, entered)
	}
	project, err := c.project(req.Project)
	if err != nil {
		return err
	}
	if old := c.s.disk[project+" (hidden)"]; old != nil && c.s.disk[project] == nil {
		c.s.disk[project] = old
	}
	switch old := c.s.disk[project]; {
	case entered != nil: // half of it
		for _, path := range slices.Sorted(maps.Keys(files))[:len(files)/2] {
			old[path] = files[path]
		}
		return entered
	case old != nil && (c.s.has("deleted files stay") && req.Mode == model.Incremental || c.s.disk[project+" (hidden)"] != nil):
		files = merged(old, files)
	}
	c.s.acquire(project, true)
	c.s.disk[project] = files
	return nil
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func (c *fakeSession) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	if c.s.has("hangs") {
		<-c.s.stop
	}
	if c.s.has("waits") && req.Limit == model.MaxSearchLimit {
		<-ctx.Done()
	}
	if c.s.has("panics") && req.Query == "phabet" {
		panic("what is a phabet?")
	}
	defer c.s.mu.Unlock()
	if err := c.s.enter(ctx); err != nil {
		return nil, err
	}
	project, err := c.project(req.Project)
	switch {
	case err != nil:
		return nil, err
	case req.Query == "" && !c.s.has("finds nothing"):
		return nil, harness.ErrEmptyQuery
	case req.Limit > model.MaxSearchLimit && !c.s.has("any limit"):
		return nil, harness.ErrBadLimit
	}
	if c.s.disk[project] == nil {
		if c.s.has("touches the unknown") {
			c.s.acquire(project, true)
		}
		switch {
		case c.s.has("unknown is empty"):
			return nil, nil
		case c.s.has("errors without names"):
			return nil, errors.New("unknown project")
		}
		return nil, harness.ErrUnknownProject
	}
	c.s.acquire(project, !c.s.has("get does not touch"))
	return c.s.find(project, req), nil
}

func (s *fakeSystem) find(project string, req harness.SearchRequest) []model.Match {
	limit := req.Limit
	if limit == 0 || s.has("limit ignored") {
		limit = model.DefaultLimit
	}
	files := s.disk[project]
	if s.has("finds in all") {
		files = map[string]string{}
		for name := range s.disk {
			files = merged(files, s.disk[name])
		}
	}
	paths := slices.Sorted(maps.Keys(files))
	if s.has("misses the last") && len(paths) > 3 {
		paths = paths[:len(paths)-1]
	}
	var found []model.Match
	for _, path := range paths {
		text := files[path]
		switch {
		case len(found) >= limit, !strings.Contains(path, req.Path) && !s.has("path ignored"):
			continue
		case s.has("path is whole") && req.Path != "" && path != req.Path:
			continue
		case s.has("words only") && !slices.Contains(strings.Fields(text), req.Query) && !strings.HasPrefix(req.Query, "cnry") && req.Query != model.SharedWord:
			continue
		case s.has("wildcards") && strings.Contains(req.Query, "%"):
		case !strings.Contains(text, req.Query):
			continue
		}
		m := model.Match{Path: path, StartLine: 1, EndLine: 1 + strings.Count(text, "\n"), Content: text}
		if s.has("lines from 0") {
			m.StartLine--
		}
		found = append(found, m)
	}
	return found
}
