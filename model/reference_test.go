package model_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/model"
)

// reference is a service without a database: files are strings, a search reads them all. It shares no
// code with the oracle but the words of programs, so that one mistake does not hide in both.
type reference struct {
	prog    model.Program
	chunks  int                       // how many matches each file gives
	stored  map[int]map[string]string // by project: path → contents
	active  map[int]int               // by session
	lru     []*refPool                // most recently used last
	holds   map[int]*refLease
	stats   model.Stats
	anomaly func(what string) int // how an operation that loses its answer goes on; nil: none does

	late   []model.Op   // interrupted indexes whose commit is still under way
	unsure map[int]bool // sessions whose last switch lost its answer
	last   map[int]int  // by session: the project it switched to last, by the program alone
}

type refPool struct {
	project int
	leases  int
	evicted bool
}

type refLease struct {
	pool *refPool
	done bool
}

func newReference(p model.Program) *reference {
	s := &reference{prog: p, chunks: 1, stored: map[int]map[string]string{}}
	s.open()
	return s
}

func (s *reference) open() {
	s.active, s.lru, s.holds, s.stats = map[int]int{}, nil, map[int]*refLease{}, model.Stats{MaxProjects: s.prog.MaxProjects}
	s.unsure, s.last = map[int]bool{}, map[int]int{}
}

func failed(kind model.ErrorKind) model.Response {
	return model.Response{Status: model.StatusError, Error: kind, Text: "the service says " + string(kind)}
}

var (
	okay    = model.Response{Status: model.StatusOK}
	unknown = model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}
)

func (s *reference) acquire(project int) *refPool {
	for i, p := range s.lru {
		if p.project == project {
			s.stats.CacheHits++
			s.lru = append(append(s.lru[:i:i], s.lru[i+1:]...), p)
			return p
		}
	}
	s.stats.CacheMisses++
	s.stats.Creations++
	if len(s.lru) == s.prog.MaxProjects {
		s.lru[0].evicted = true
		s.lru = s.lru[1:]
		s.stats.Evictions++
	}
	p := &refPool{project: project}
	s.lru = append(s.lru, p)
	return p
}

// do runs an operation and, where an anomaly is drawn, loses its answer: 1 after it happened, 2 before
// it happens, 3 in the middle; 4: an index goes on by itself, and is there some time later.
func (s *reference) do(o model.Op) model.Response {
	if s.prog.Sessions <= o.Session {
		panic("no such session")
	}
	if o.Kind == model.KindIndex && o.Project == model.Active && s.unsure[o.Session] {
		// Whose files would it be given? A runner has to leave it out.
		return model.Response{Status: model.StatusSkipped}
	}
	s.arrive(o)
	how := 0
	if s.anomaly != nil && o.Kind != model.KindRestart && o.Kind != model.KindCancel {
		how = s.anomaly(o.String())
	}
	if o.Kind == model.KindSwitch {
		s.last[o.Session] = o.Project
		s.unsure[o.Session] = how != 0
	}
	switch how {
	case 1:
		if r := s.run(o); o.Kind == model.KindHold && r.Status == model.StatusOK {
			s.giveBack(o.Handle) // its caller got an error, so nobody has the lease
		}
	case 2:
	case 3:
		s.half(o)
	case 4:
		if project, ok := s.project(o); ok && o.Kind == model.KindIndex {
			o.Project = project
			s.late = append(s.late, o)
		}
	default:
		return s.run(o)
	}
	return unknown
}

// arrive completes what was still under way: at the latest when the same project is written again, for
// writers of one project wait for each other, or when the service closes.
func (s *reference) arrive(next model.Op) {
	project, named := s.project(next)
	writes := next.Kind == model.KindIndex || next.Kind == model.KindDrop
	for i, o := range s.late {
		if next.Kind == model.KindRestart || writes && named && project == o.Project || (next.ID+i)%3 == 0 {
			s.late = slices.Delete(slices.Clone(s.late), i, i+1)
			s.run(o)
			s.arrive(next)
			return
		}
	}
}

// half is what an interrupted operation may leave.
func (s *reference) half(o model.Op) {
	project, ok := s.project(o)
	if !ok {
		return
	}
	switch o.Kind {
	case model.KindIndex:
		s.acquire(project)
		if s.stored[project] == nil {
			s.stored[project] = map[string]string{}
		}
	case model.KindSearch, model.KindHold:
		if s.stored[project] != nil {
			s.acquire(project)
		}
	case model.KindRelease:
		if l := s.holds[o.Handle]; l != nil && !l.done {
			s.acquire(l.pool.project) // a useless touch, but nothing of it shows
		}
	}
}

func (s *reference) project(o model.Op) (int, bool) {
	if o.Project != model.Active {
		return o.Project, true
	}
	p, ok := s.active[o.Session]
	return p, ok
}

func (s *reference) run(o model.Op) model.Response {
	project, ok := s.project(o)
	if o.TakesProject() && !ok {
		return failed(model.ErrNoActiveProject)
	}
	switch o.Kind {
	case model.KindSwitch:
		s.active[o.Session] = o.Project
	case model.KindIndex:
		s.acquire(project)
		files := map[string]string{}
		for f := range o.Files {
			canary := fmt.Sprintf("cnry_p%03d_r%03d_f%03d", project, o.Revision, f)
			files[model.FilePath(f)] = "func f() { sharedword(" + canary + ", " + canary + ") }"
		}
		s.stored[project] = files
	case model.KindSearch:
		if o.Limit > 50 {
			return failed(model.ErrBadLimit)
		}
		if s.stored[project] == nil {
			return failed(model.ErrUnknownProject)
		}
		s.acquire(project)
		asked := project
		if o.Project == model.Active {
			asked = s.last[o.Session]
		}
		limit := 10
		if o.Limit > 0 {
			limit = o.Limit
		}
		return s.search(project, o.QueryText(asked), o.PathText(), limit)
	case model.KindStats:
		return s.report()
	case model.KindHold:
		if s.stored[project] == nil {
			return failed(model.ErrUnknownProject)
		}
		p := s.acquire(project)
		p.leases++
		s.holds[o.Handle] = &refLease{pool: p}
	case model.KindRelease:
		l := s.holds[o.Handle]
		if l == nil || l.done {
			return okay
		}
		found := s.search(l.pool.project, fmt.Sprintf("cnry_p%03d_", l.pool.project), "", 10)
		s.giveBack(o.Handle)
		return found
	case model.KindDrop:
		return s.drop(project)
	case model.KindRestart:
		s.open()
	}
	return okay
}

func (s *reference) giveBack(handle int) {
	l := s.holds[handle]
	l.done = true
	l.pool.leases--
}

func (s *reference) drop(project int) model.Response {
	if s.stored[project] == nil {
		return failed(model.ErrUnknownProject)
	}
	for _, l := range s.holds {
		if !l.done && l.pool.project == project {
			return failed(model.ErrInUse)
		}
	}
	delete(s.stored, project)
	for i, p := range s.lru {
		if p.project == project {
			s.lru = slices.Delete(slices.Clone(s.lru), i, i+1)
			s.stats.Drops++
			break
		}
	}
	return okay
}

func (s *reference) search(project int, query, path string, limit int) model.Response {
	r := okay
	var paths []string
	for name := range s.stored[project] {
		paths = append(paths, name)
	}
	slices.Sort(paths)
	for _, name := range paths {
		text := s.stored[project][name]
		if !strings.Contains(name, path) || !strings.Contains(text, query) {
			continue
		}
		for c := range s.chunks {
			if len(r.Matches) < limit {
				r.Matches = append(r.Matches, model.Match{Path: name, StartLine: 1 + 40*c, EndLine: 40 + 40*c, Content: text, Score: 1})
			}
		}
	}
	return r
}

func (s *reference) report() model.Response {
	st := s.stats
	st.Pools = nil
	for i := len(s.lru) - 1; i >= 0; i-- {
		st.Pools = append(st.Pools, model.PoolStats{Project: s.prog.ProjectName(s.lru[i].project), Size: 1 + s.lru[i].leases, InUse: s.lru[i].leases})
	}
	st.ActivePools = len(st.Pools)
	draining := map[*refPool]bool{}
	for _, l := range s.holds {
		if !l.done && l.pool.evicted {
			draining[l.pool] = true
		}
	}
	st.Draining = len(draining)
	return model.Response{Status: model.StatusOK, Stats: &st}
}
