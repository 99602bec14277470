// Package checktest makes histories of a service that makes no mistake, without any service, so that
// the checkers can be measured, and tested, on histories of any length.
package checktest

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Options say what a generated history is of. Every field must be set.
type Options struct {
	Operations  int // of the race, 0 to model.MaxOps less Projects
	Sessions    int // all under way at once
	Projects    int // each is indexed once before the race
	MaxProjects int
}

// The mix: of 200 operations so many are of each kind, and the others search. An index is cut off now
// and then, so that nobody knows what became of it.
const (
	mixOf      = 200
	mixIndex   = 40
	mixSwitch  = 14
	mixStats   = 10
	mixDrop    = 2
	mixUnknown = 1
	mostFiles  = 4
	latest     = 50 // longest step of the clock, in microseconds
)

// Correct draws a program in free mode and a history of it that a correct service could have given:
// each operation takes effect at one moment between its beginning and its end, and answers by what holds
// at that moment. The same draws give the same history. Results hold canaries and nothing else, as the
// runner keeps them of long programs.
func Correct(src model.Source, o Options) (model.Program, history.History) {
	s := &service{
		src: src, active: make([]int, o.Sessions), stored: make([]stored, o.Projects),
		program: model.Program{Mode: model.Free, MaxProjects: o.MaxProjects, Projects: o.Projects, Sessions: o.Sessions},
		history: history.History{Capabilities: []string{"stats", "drop"}},
	}
	for i := range s.active {
		s.active[i] = model.Active
	}
	s.history.Entries = make([]history.Entry, 0, o.Operations+o.Projects)
	var now time.Duration
	for p := range o.Projects {
		c := s.begin(model.Op{Session: 0, Kind: model.KindIndex, Project: p, Revision: s.nextRevision(), Files: mostFiles}, now)
		s.program.Setup = append(s.program.Setup, c.op)
		s.finish(c)
		now = c.end + time.Microsecond
	}
	s.program.Race = make([]model.Op, 0, o.Operations)
	var under calls
	start := func(session int, at time.Duration) {
		if len(s.program.Race) == o.Operations {
			return
		}
		c := s.begin(s.draw(session), at)
		s.program.Race = append(s.program.Race, c.op)
		heap.Push(&under, c)
	}
	for session := range o.Sessions {
		start(session, now)
	}
	for len(under) > 0 {
		c := heap.Pop(&under).(call)
		s.finish(c)
		start(c.op.Session, c.end+s.step())
	}
	slices.SortStableFunc(s.history.Entries, func(a, b history.Entry) int { return cmp.Compare(a.Start, b.Start) })
	return s.program, s.history
}

// service is the correct service: it does what it is asked in the order of the moments of effect.
type service struct {
	src      model.Source
	program  model.Program
	history  history.History
	ids      int
	revision int

	stored    []stored
	active    []int
	resident  []int // most recently used first
	hits      int64
	misses    int64
	evictions int64
	drops     int64
}

// stored is what a project's database holds.
type stored struct {
	exists          bool
	revision, files int
}

// call is an operation under way.
type call struct {
	op              model.Op
	start, at, end  time.Duration // at is the moment of its effect
	unknown, missed bool          // nobody learns what became of it; nothing did
}

func (s *service) step() time.Duration {
	return time.Duration(s.src.Int("step", 1, latest)) * time.Microsecond
}

func (s *service) begin(o model.Op, start time.Duration) call {
	s.ids++
	o.ID = s.ids
	c := call{op: o, start: start, at: start + s.step()}
	c.end = c.at + s.step()
	return c
}

func (s *service) nextRevision() int {
	s.revision = s.revision%model.MaxRevision + 1
	return s.revision
}

func (s *service) draw(session int) model.Op {
	o := model.Op{Session: session, Project: s.src.Int("project", 0, len(s.stored)-1)}
	n := s.src.Int("operation", 0, mixOf-1)
	is := func(of int) bool {
		n -= of
		return n < 0
	}
	switch {
	case is(mixIndex):
		o.Kind, o.Revision, o.Files = model.KindIndex, s.nextRevision(), s.src.Int("files", 0, mostFiles)
	case is(mixSwitch):
		o.Kind = model.KindSwitch
	case is(mixStats):
		o.Kind, o.Project = model.KindStats, 0
	case is(mixDrop):
		o.Kind = model.KindDrop
	default:
		o.Kind = model.KindSearch
		if s.src.Int("active", 0, 3) == 0 {
			o.Project = model.Active
		}
		switch s.src.Int("query", 0, 9) {
		case 7, 8:
			o.Query = model.QueryShared
		case 9:
			o.Query, o.Foreign = model.QueryForeign, s.src.Int("foreign", 0, len(s.stored)-1)
		}
	}
	return o
}

// finish lets the operation take effect and writes it down.
func (s *service) finish(c call) {
	if c.op.Kind == model.KindIndex && c.op.ID > len(s.stored) && s.src.Int("cut off", 0, mixOf-1) < mixUnknown {
		c.unknown, c.missed = true, s.src.Int("missed", 0, 1) == 1
	}
	e := history.Entry{Op: c.op, Start: c.start, End: c.end, Response: model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}}
	if !c.missed {
		if r := s.effect(c.op); !c.unknown {
			e.Response = r
		}
	}
	s.history.Entries = append(s.history.Entries, e)
}

var ok = model.Response{Status: model.StatusOK}

func refused(kind model.ErrorKind) model.Response {
	return model.Response{Status: model.StatusError, Error: kind, Text: string(kind)}
}

func (s *service) effect(o model.Op) model.Response {
	p := o.Project
	if p == model.Active {
		p = s.active[o.Session]
	}
	switch o.Kind {
	case model.KindSwitch:
		s.active[o.Session] = o.Project
	case model.KindIndex:
		s.touch(p)
		s.stored[p] = stored{true, o.Revision, o.Files}
	case model.KindDrop:
		if !s.stored[p].exists {
			return refused(model.ErrUnknownProject)
		}
		s.drop(p)
	case model.KindStats:
		return s.stats()
	case model.KindSearch:
		switch {
		case p == model.Active:
			return refused(model.ErrNoActiveProject)
		case !s.stored[p].exists:
			return refused(model.ErrUnknownProject)
		}
		s.touch(p)
		return s.search(o, p)
	}
	return ok
}

func (s *service) touch(p int) {
	if i := slices.Index(s.resident, p); i >= 0 {
		s.hits++
		s.resident = slices.Delete(s.resident, i, i+1)
	} else {
		s.misses++
		if len(s.resident) == s.program.MaxProjects {
			s.evictions++
			s.resident = s.resident[:len(s.resident)-1]
		}
	}
	s.resident = slices.Insert(s.resident, 0, p)
}

func (s *service) drop(p int) {
	s.stored[p] = stored{}
	if i := slices.Index(s.resident, p); i >= 0 {
		s.drops++
		s.resident = slices.Delete(s.resident, i, i+1)
	}
}

func (s *service) search(o model.Op, p int) model.Response {
	r := ok
	if o.Query == model.QueryForeign && o.Foreign != p {
		return r
	}
	for f := range s.stored[p].files {
		c := model.Canary{Project: p, Revision: s.stored[p].revision, File: f}
		r.Matches = append(r.Matches, model.Match{Path: model.FilePath(f), StartLine: 1, EndLine: 9, Content: c.String() + " "})
	}
	return r
}

func (s *service) stats() model.Response {
	st := &model.Stats{
		ActivePools: len(s.resident), MaxProjects: s.program.MaxProjects, CacheHits: s.hits, CacheMisses: s.misses,
		Creations: s.misses, Evictions: s.evictions, Drops: s.drops,
	}
	for _, p := range s.resident {
		st.Pools = append(st.Pools, model.PoolStats{Project: s.program.ProjectName(p)})
	}
	r := ok
	r.Stats = st
	return r
}

// calls is a heap of what is under way, the next to take effect first.
type calls []call

func (c calls) Len() int           { return len(c) }
func (c calls) Less(i, j int) bool { return c[i].at < c[j].at }
func (c calls) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *calls) Push(v any)        { *c = append(*c, v.(call)) }
func (c *calls) Pop() any {
	old := *c
	last := old[len(old)-1]
	*c = old[:len(old)-1]
	return last
}
