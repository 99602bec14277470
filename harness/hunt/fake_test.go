package hunt_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// kinds are the operations that are drawn. The shrinker may use others: the fake can do all but cancel,
// which never stands in a program that was drawn without.
var kinds = []model.Kind{model.KindIndex, model.KindSearch, model.KindSwitch, model.KindStats, model.KindDrop}

var bounds = model.Bounds{MaxProjects: 2, Projects: 4, Sessions: 2, Kinds: kinds}

// fake runs cases on a service in memory, which makes the mistakes it is given, and judges them as a
// worker would.
type fake struct {
	mistakes []string
	// instead, where it is not nil, may answer a case in the service's place.
	instead func(ctx context.Context, n int, c worker.Case, p model.Program) (worker.Outcome, error, bool)

	mu    sync.Mutex
	cases []worker.Case // in the order in which they came
}

func (f *fake) Do(ctx context.Context, c worker.Case) (worker.Outcome, error) {
	f.mu.Lock()
	f.cases = append(f.cases, c)
	n := len(f.cases)
	f.mu.Unlock()
	p, err := model.Parse(c.Program)
	if err != nil {
		return worker.Outcome{}, err
	}
	if f.instead != nil {
		if out, err, does := f.instead(ctx, n, c, p); does {
			return out, err
		}
	}
	if err := ctx.Err(); err != nil {
		return worker.Outcome{}, err
	}
	return judged(p, run(p, f.mistakes)), nil
}

func judged(p model.Program, h history.History) worker.Outcome {
	return worker.Outcome{Verdict: check.Judge(p, h), History: h}
}

// clean is a case on a service without mistakes.
func clean(p model.Program) worker.Outcome { return judged(p, run(p, nil)) }

// faulty is a case on a service that forgets to touch a pool that it finds.
func faulty(p model.Program) worker.Outcome { return judged(p, run(p, []string{noTouch})) }

// The mistakes.
const (
	noTouch     = "a hit does not touch"
	dropKeeps   = "a drop keeps the contents"
	deletedStay = "deleted files stay"
)

// service is the fake service's state.
type service struct {
	program  model.Program
	mistakes []string
	stored   map[int]map[int]model.Canary // by project, by file
	active   map[int]int
	pools    []int // most recently used first
	stats    model.Stats
	leases   map[int]*lease
}

type lease struct {
	project           int
	evicted, released bool
}

// run is a program's execution, one operation after the other.
func run(p model.Program, mistakes []string) history.History {
	s := &service{program: p, mistakes: mistakes, stored: map[int]map[int]model.Canary{}}
	s.restart()
	var h history.History
	at := time.Millisecond
	entry := func(o model.Op, audit bool) {
		h.Entries = append(h.Entries, history.Entry{Op: o, Audit: audit, Start: at, End: at + time.Millisecond, Response: s.do(o)})
		at += 2 * time.Millisecond
	}
	for _, o := range p.Ops() {
		entry(o, false)
	}
	entry(model.Op{Kind: model.KindStats}, true)
	for _, project := range p.UsedProjects() {
		entry(model.Op{Kind: model.KindSearch, Project: project, Query: model.QueryShared, Limit: model.MaxSearchLimit}, true)
	}
	h.Rest = &history.Rest{Looked: []string{"backends"}}
	return h
}

func failed(k model.ErrorKind) model.Response {
	return model.Response{Status: model.StatusError, Error: k, Text: string(k)}
}

func (s *service) restart() {
	s.active, s.pools, s.stats, s.leases = map[int]int{}, nil, model.Stats{}, map[int]*lease{}
}

func (s *service) held(project int) bool {
	for _, l := range s.leases {
		if l.project == project && !l.released {
			return true
		}
	}
	return false
}

func (s *service) touch(project int) {
	i := slices.Index(s.pools, project)
	if i >= 0 {
		s.stats.CacheHits++
		if !slices.Contains(s.mistakes, noTouch) {
			s.pools = slices.Insert(slices.Delete(s.pools, i, i+1), 0, project)
		}
		return
	}
	s.stats.CacheMisses++
	s.stats.Creations++
	if len(s.pools) == s.program.MaxProjects {
		for _, l := range s.leases {
			l.evicted = l.evicted || l.project == s.pools[len(s.pools)-1]
		}
		s.pools = s.pools[:len(s.pools)-1]
		s.stats.Evictions++
	}
	s.pools = slices.Insert(s.pools, 0, project)
}

func (s *service) do(o model.Op) model.Response {
	ok := model.Response{Status: model.StatusOK}
	if o.TakesProject() && o.Project == model.Active {
		p, switched := s.active[o.Session]
		if !switched {
			return failed(model.ErrNoActiveProject)
		}
		o.Project = p
	}
	switch o.Kind {
	case model.KindSwitch:
		s.active[o.Session] = o.Project
	case model.KindIndex:
		s.touch(o.Project)
		files := map[int]model.Canary{}
		if slices.Contains(s.mistakes, deletedStay) && s.stored[o.Project] != nil {
			files = s.stored[o.Project]
		}
		for f := range o.Files {
			files[f] = model.Canary{Project: o.Project, Revision: o.Revision, File: f}
		}
		s.stored[o.Project] = files
	case model.KindSearch:
		return s.search(o)
	case model.KindDrop:
		if s.stored[o.Project] == nil {
			return failed(model.ErrUnknownProject)
		}
		if s.held(o.Project) {
			return failed(model.ErrInUse)
		}
		if !slices.Contains(s.mistakes, dropKeeps) {
			delete(s.stored, o.Project)
		}
		if i := slices.Index(s.pools, o.Project); i >= 0 {
			s.pools = slices.Delete(s.pools, i, i+1)
			s.stats.Drops++
		}
	case model.KindRestart:
		s.restart()
	case model.KindHold:
		if s.stored[o.Project] == nil {
			return failed(model.ErrUnknownProject)
		}
		s.touch(o.Project)
		s.leases[o.Handle] = &lease{project: o.Project}
	case model.KindRelease:
		if l := s.leases[o.Handle]; l != nil && !l.released {
			l.released = true
			return s.find(model.Op{Kind: model.KindSearch, Project: l.project})
		}
		ok.Again = true
	case model.KindStats:
		st := s.stats
		st.MaxProjects, st.ActivePools = s.program.MaxProjects, len(s.pools)
		for _, p := range s.pools {
			st.Pools = append(st.Pools, model.PoolStats{Project: s.program.ProjectName(p)})
		}
		for _, l := range s.leases {
			if l.evicted && !l.released {
				st.Draining++
			}
		}
		ok.Stats = &st
	}
	return ok
}

func (s *service) search(o model.Op) model.Response {
	if o.Limit > model.MaxSearchLimit {
		return failed(model.ErrBadLimit)
	}
	if s.stored[o.Project] == nil {
		return failed(model.ErrUnknownProject)
	}
	s.touch(o.Project)
	return s.find(o)
}

func (s *service) find(o model.Op) model.Response {
	files := s.stored[o.Project]
	limit := o.Limit
	if limit == 0 {
		limit = model.DefaultLimit
	}
	r := model.Response{Status: model.StatusOK}
	for f := range model.MaxFiles {
		c, there := files[f]
		wanted := o.Query == model.QueryOwn || o.Query == model.QueryShared || o.Query == model.QueryForeign && o.Foreign == o.Project ||
			o.Query == model.QueryRevision && o.Revision == c.Revision
		if there && wanted && (o.Path == 0 || o.Path-1 == f) && len(r.Matches) < limit {
			r.Matches = append(r.Matches, model.Match{Path: model.FilePath(f), StartLine: 1, EndLine: 1, Content: c.String()})
		}
	}
	return r
}
