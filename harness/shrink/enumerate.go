package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// Bounds say which programs Enumerate makes. A zero field means the default that stands beside it.
type Bounds struct {
	Ops         int                // most operations; 3
	MinOps      int                // fewest operations; 1
	MaxProjects int                // largest max_projects; 2
	Projects    int                // most projects; 3
	Sessions    int                // most sessions; 1
	Names       []model.NameFamily // families of names; plain
	Kinds       []model.Kind       // verbs; all but cancel
	Revisions   int                // revisions 1 to this; 2
	Files       int                // files 1 to this; 1
	Empty       bool               // repositories without files, too
	Modes       int                // the first so many modes of an index; 1
	Queries     []model.QueryKind  // own and shared. Foreign ones are never made
	Filters     bool               // searches for one file, and with limit=1, too
	Base        model.Program      // mode and deadline are taken from here
}

func (b Bounds) withDefaults() Bounds {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&b.Ops, 3)
	set(&b.MinOps, 1)
	set(&b.MaxProjects, 2)
	set(&b.Projects, 3)
	set(&b.Sessions, 1)
	set(&b.Revisions, 2)
	set(&b.Files, 1)
	set(&b.Modes, 1)
	if b.Names == nil {
		b.Names = []model.NameFamily{model.NamesPlain}
	}
	if b.Kinds == nil {
		b.Kinds = drawnKinds
	}
	if b.Queries == nil {
		b.Queries = []model.QueryKind{model.QueryOwn, model.QueryShared}
	}
	return b
}

// Enumerate yields every sequential program within the bounds in the order of [Less], until yield
// returns false, so the first program that fails is the smallest one there is. Programs that differ
// only in the naming of projects, sessions and leases are made once, in the order of first use. By
// default there are 2,788 of up to three operations; with two sessions and all names, 99,228.
//
// Left out as useless are programs
//   - with max_projects above the number of projects: nothing is evicted in either;
//   - with plain names and a project that no operation names: only names could mix it up with another;
//   - with another family of names for one project: names collide in twos;
//   - with several sessions where no operation is on an active project: nothing tells them apart;
//   - with an operation on the active project, other than a search, before any session's first switch:
//     it is refused before any project is looked at;
//   - with plain names and a hold or a drop of a project that no operation before it names: it is refused;
//   - that begin with a restart or a stats, or repeat one of them at once;
//   - with cancels: a cancel in a sequence is before or after what it cancels.
func Enumerate(b Bounds, yield func(model.Program) bool) {
	b = b.withDefaults()
	for n := b.MinOps; n <= b.Ops; n++ {
		for projects := 1; projects <= b.Projects; projects++ {
			for sessions := 1; sessions <= b.Sessions; sessions++ {
				for maxProjects := 1; maxProjects <= min(b.MaxProjects, projects); maxProjects++ {
					for _, names := range b.Names {
						p := model.Program{
							Mode: b.Base.Mode, Deadline: b.Base.Deadline,
							MaxProjects: maxProjects, Projects: projects, Sessions: sessions, Names: names,
						}
						if names != model.NamesPlain && projects < 2 {
							continue
						}
						if !newEnumerator(b, p, n, yield).all() {
							return
						}
					}
				}
			}
		}
	}
}

// enumerator makes the programs of one size and configuration.
type enumerator struct {
	program   model.Program
	size      int
	universe  []choice // in the order of compareOps
	verbs     [2]int   // least and greatest verb cost of one operation
	maxFields int      // greatest field cost of one operation
	yield     func(model.Program) bool
}

// choice is an operation that a place may be taken by.
type choice struct {
	op            model.Op
	verbs, fields int
}

// prefix is what matters of the operations chosen so far.
type prefix struct {
	projects, sessions, holds int
	named                     uint64 // projects, as bits
	switched                  bool   // some session has switched
	active                    bool   // some operation is on an active project
	last                      model.Kind
}

func newEnumerator(b Bounds, p model.Program, size int, yield func(model.Program) bool) *enumerator {
	e := &enumerator{program: p, size: size, yield: yield, verbs: [2]int{1 << 30, 0}}
	for _, o := range universe(b, p, size) {
		c := choice{o, verbCost(o), fieldCost(o)}
		e.universe = append(e.universe, c)
		e.verbs = [2]int{min(e.verbs[0], c.verbs), max(e.verbs[1], c.verbs)}
		e.maxFields = max(e.maxFields, c.fields)
	}
	slices.SortFunc(e.universe, func(a, b choice) int { return compareOps(a.op, b.op) })
	return e
}

// universe returns every operation that can stand in a program of the size and configuration.
func universe(b Bounds, p model.Program, size int) []model.Op {
	var out []model.Op
	projects := []int{model.Active}
	for i := range p.Projects {
		projects = append(projects, i)
	}
	for session := range p.Sessions {
		for _, k := range b.Kinds {
			o := model.Op{Session: session, Kind: k}
			switch {
			case k == model.KindCancel:
				continue
			case k == model.KindRelease:
				for h := 1; h < size; h++ {
					o.Handle = h
					out = append(out, o)
				}
				continue
			case !o.TakesProject():
				out = append(out, o)
				continue
			}
			for _, o.Project = range projects {
				out = append(out, forms(b, o)...)
			}
		}
	}
	return slices.DeleteFunc(out, func(o model.Op) bool {
		needed := o.Kind == model.KindSwitch || o.Kind == model.KindHold || o.Kind == model.KindDrop
		return needed && o.Project == model.Active
	})
}

// forms returns the operation with every choice of its other fields.
func forms(b Bounds, o model.Op) []model.Op {
	var out []model.Op
	switch o.Kind {
	case model.KindIndex:
		least := 1
		if b.Empty {
			least = 0
		}
		for o.Revision = 1; o.Revision <= b.Revisions; o.Revision++ {
			for o.Files = least; o.Files <= b.Files; o.Files++ {
				for m := range b.Modes {
					o.Mode = model.IndexMode(m)
					out = append(out, o)
				}
			}
		}
	case model.KindSearch:
		for _, o.Query = range b.Queries {
			switch o.Query {
			case model.QueryOwn, model.QueryShared:
				o.Revision = 0
				out = append(out, filters(b, o)...)
			case model.QueryRevision:
				for o.Revision = 1; o.Revision <= b.Revisions; o.Revision++ {
					out = append(out, filters(b, o)...)
				}
			}
		}
	default:
		out = append(out, o)
	}
	return out
}

// filters returns the search without and, if wanted, with each filter.
func filters(b Bounds, o model.Op) []model.Op {
	out := []model.Op{o}
	if !b.Filters {
		return out
	}
	limited := o
	limited.Limit = 1
	out = append(out, limited)
	for f := range b.Files {
		o.Path = 1 + f
		out = append(out, o)
	}
	return out
}

// all yields every program, the cheapest verbs first and among those the cheapest fields.
func (e *enumerator) all() bool {
	e.program.Setup = make([]model.Op, 0, e.size)
	for verbs := e.size * e.verbs[0]; verbs <= e.size*e.verbs[1]; verbs++ {
		for fields := 0; fields <= e.size*e.maxFields; fields++ {
			if !e.place(prefix{}, verbs, fields) {
				return false
			}
		}
	}
	return true
}

// place fills the remaining places with operations of exactly these costs.
func (e *enumerator) place(at prefix, verbs, fields int) bool {
	left := e.size - len(e.program.Setup)
	if left == 0 {
		if verbs != 0 || fields != 0 || at.sessions < e.program.Sessions || e.program.Sessions > 1 && !at.active ||
			at.projects < e.program.Projects && e.program.Names == model.NamesPlain {
			return true
		}
		return e.yield(e.program.Clone())
	}
	if verbs < left*e.verbs[0] || verbs > left*e.verbs[1] || fields > left*e.maxFields {
		return true
	}
	for _, c := range e.universe {
		if c.verbs > verbs || c.fields > fields {
			continue
		}
		next, ok := at.with(c.op, e.program.Names == model.NamesPlain)
		if !ok {
			continue
		}
		o := c.op
		o.ID = len(e.program.Setup) + 1
		if o.Kind == model.KindHold {
			o.Handle = next.holds
		}
		e.program.Setup = append(e.program.Setup, o)
		more := e.place(next, verbs-c.verbs, fields-c.fields)
		e.program.Setup = e.program.Setup[:len(e.program.Setup)-1]
		if !more {
			return false
		}
	}
	return true
}

// with returns the prefix with one operation more; false where the programs that begin like that are
// duplicates or useless, as Enumerate says.
func (at prefix) with(o model.Op, plain bool) (prefix, bool) {
	if o.Session > at.sessions {
		return at, false
	}
	at.sessions = max(at.sessions, o.Session+1)
	switch {
	case o.Kind == model.KindRestart || o.Kind == model.KindStats:
		if at.last == model.KindUnset || at.last == o.Kind {
			return at, false
		}
	case o.Kind == model.KindRelease && o.Handle > at.holds:
		return at, false
	case o.Kind == model.KindHold:
		at.holds++
	}
	at.last = o.Kind
	if !o.TakesProject() {
		return at, true
	}
	if o.Project == model.Active {
		at.active = true
		return at, at.switched || o.Kind == model.KindSearch
	}
	known := at.named>>o.Project&1 == 1
	if o.Project > at.projects || plain && !known && (o.Kind == model.KindHold || o.Kind == model.KindDrop) {
		return at, false
	}
	at.projects = max(at.projects, o.Project+1)
	at.named |= 1 << o.Project
	at.switched = at.switched || o.Kind == model.KindSwitch
	return at, true
}
