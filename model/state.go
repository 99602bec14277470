package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is what the oracle knows of a service: what is stored, which project each session has active,
// which pools are resident in which order, and what the counters must read.
//
// Where an operation's outcome is unknown the state holds every possibility: a project's possible
// contents, a session's possible active projects. The LRU order is then no longer known (loose) and
// only bounds are judged, never exact values.
type State struct {
	program  Program
	contents [][]content // by project: what may be stored, at least one possibility
	active   [][]int     // by session: which projects may be active (Active: none)
	resident []pool      // most recently used first
	leases   map[int]lease
	counters counters
	pools    int  // pools created so far: names instances
	loose    bool // the LRU order and the counters are no longer known exactly
	lost     bool // the service panicked or hung: nothing more can be judged
}

// content is what a project's database holds: nothing known of it, or a revision of so many files.
type content struct {
	exists          bool
	revision, files int
}

type pool struct{ project, instance int }

// lease is a hold that was acknowledged.
type lease struct {
	project, instance int
	released          bool
	uncertain         bool // a release was sent, and what became of it is not known
}

type counters struct{ hits, misses, creations, evictions, drops int64 }

// Mismatch says how a response differs from what must hold.
type Mismatch struct {
	Invariant string // the family, as in docs/INVARIANTS.md
	Kind      string // the kind of violation within the family
	Want, Got string // what was expected and what was seen, as phrases
}

// NewState returns the state of a fresh service, before p's first operation.
func NewState(p Program) *State {
	s := &State{program: p, leases: map[int]lease{}}
	for range p.Projects {
		s.contents = append(s.contents, []content{{}})
	}
	s.forgetService()
	return s
}

// forgetService is a restart: what is stored stays, everything else is new.
func (s *State) forgetService() {
	s.active = make([][]int, s.program.Sessions)
	for i := range s.active {
		s.active[i] = []int{Active}
	}
	s.resident, s.counters = nil, counters{}
	for h, l := range s.leases {
		l.released = true
		s.leases[h] = l
	}
}

// Clone returns a copy that shares nothing with s.
func (s *State) Clone() *State {
	c := *s
	c.contents = slices.Clone(s.contents)
	for i := range c.contents {
		c.contents[i] = slices.Clone(c.contents[i])
	}
	c.active = slices.Clone(s.active)
	for i := range c.active {
		c.active[i] = slices.Clone(c.active[i])
	}
	c.resident = slices.Clone(s.resident)
	c.leases = maps.Clone(s.leases)
	return &c
}

// Step takes the state over an operation that answered r. It returns nil when r is possible, else how
// it is not; the state then goes on as the oracle expected, as far as that can be said.
func (s *State) Step(o Op, r Response) *Mismatch {
	v := verbOf(o.Kind)
	switch {
	case s.lost || r.Status == StatusSkipped:
		return nil
	case r.Status == StatusPanicked || r.Status == StatusHung:
		s.lost = true // reported by the checkers of their own
		return nil
	case r.Status == StatusUnset || v == nil:
		return &Mismatch{"errors", "unset", "an outcome", "none was recorded"}
	case r.Status == StatusUnknown:
		s.loose = true
	}
	return v.step(s, o, r)
}

// Judged reports whether the state can still be judged: after a panic or a hang it cannot.
func (s *State) Judged() bool { return !s.lost }

// Exact reports whether LRU order and counters are still known exactly.
func (s *State) Exact() bool { return !s.loose && !s.lost }

// Evicted returns how many evicted pools are still leased: those must be draining.
func (s *State) Evicted() int {
	draining := map[int]bool{}
	for _, l := range s.leases {
		if !l.released && !l.uncertain && !slices.ContainsFunc(s.resident, func(p pool) bool { return p.instance == l.instance }) {
			draining[l.instance] = true
		}
	}
	return len(draining)
}

// Resident returns the resident projects, most recently used first.
func (s *State) Resident() []int {
	ps := make([]int, len(s.resident))
	for i, r := range s.resident {
		ps[i] = r.project
	}
	return ps
}

// touch is an acquire: one atomic step of recency, and on a miss of eviction and creation.
func (s *State) touch(project int) (instance int) {
	for i, r := range s.resident {
		if r.project == project {
			s.counters.hits++
			copy(s.resident[1:i+1], s.resident[:i])
			s.resident[0] = r
			return r.instance
		}
	}
	s.counters.misses++
	if len(s.resident) >= s.program.MaxProjects {
		s.resident = s.resident[:len(s.resident)-1]
		s.counters.evictions++
	}
	s.pools++
	s.counters.creations++
	s.resident = slices.Insert(s.resident, 0, pool{project, s.pools})
	return s.pools
}

// projects returns which projects the operation may be about: its own, or the session's active ones.
func (s *State) projects(o Op) []int {
	if o.Project != Active {
		return []int{o.Project}
	}
	return s.active[o.Session]
}

func (s *State) mayExist(project int) (may, must bool) { return existence(s.contents[project]) }

// existence says whether a project with these possible contents may be known, and whether it must be.
func existence(possible []content) (may, must bool) {
	must = true
	for _, c := range possible {
		may = may || c.exists
		must = must && c.exists
	}
	return may, must
}

// held says whether the project may be, and whether it must be, kept in use by a lease.
func (s *State) held(project int) (may, must bool) {
	for _, l := range s.leases {
		if !l.released && l.project == project {
			may = true
			must = must || !l.uncertain
		}
	}
	return may, must
}

func (s *State) maybe(project int, c content) {
	if !slices.Contains(s.contents[project], c) {
		s.contents[project] = append(s.contents[project], c)
	}
}

func (c content) String() string {
	if !c.exists {
		return "not known to the service"
	}
	return fmt.Sprintf("revision %d with %s", c.revision, plural(c.files, "file"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// projectList names projects the way programs do.
func projectList(ps []int) string {
	if len(ps) == 0 {
		return "none"
	}
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = formatProject(p)
	}
	return strings.Join(names, " ")
}

// ActiveOf returns which projects the session may have active; Active alone means none.
func (s *State) ActiveOf(session int) []int { return slices.Clone(s.active[session]) }
