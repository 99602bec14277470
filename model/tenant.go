package model

import (
	"fmt"
	"slices"
)

// Tenant is one project's part of a State: what may be stored, and which leases are held. It is a value
// that Step leaves alone, as a linearizability checker needs it.
//
// Projects do not see one another, so a concurrent history is linearizable if it is so project by
// project. The LRU is not part of it: an operation touches its pool at one moment and takes effect at
// another, and no single moment would explain both. [Recency] is the other half.
type Tenant struct {
	project  int
	contents []content
	held     []tenantLease // by handle
}

type tenantLease struct {
	handle    int
	uncertain bool // its release was interrupted: perhaps it is held no more
}

// Tenant returns the project's part of the state.
func (s *State) Tenant(project int) Tenant {
	t := Tenant{project: project, contents: slices.Clone(s.contents[project])}
	for h, l := range s.leases {
		if l.project == project && !l.released {
			t.held = append(t.held, tenantLease{h, l.uncertain})
		}
	}
	slices.SortFunc(t.held, func(a, b tenantLease) int { return a.handle - b.handle })
	return t
}

// Equal reports whether two tenants are the same.
func (t Tenant) Equal(u Tenant) bool {
	return t.project == u.project && slices.Equal(t.contents, u.contents) && slices.Equal(t.held, u.held)
}

func (t Tenant) String() string {
	s := fmt.Sprintf("p%d:", t.project)
	for i, c := range t.contents {
		if i > 0 {
			s += " or"
		}
		s += " " + c.String()
	}
	for _, l := range t.held {
		s += fmt.Sprintf(", held as h%d", l.handle)
		if l.uncertain {
			s += " perhaps"
		}
	}
	return s
}

// Step returns the tenant after an operation on its project that answered r, or how r is impossible.
// The operation's Project must be the tenant's. A release is judged as what it is to the tenant, the
// lease's end; its search is an operation of its own, see [Op.Parts].
func (t Tenant) Step(o Op, r Response) (Tenant, *Mismatch) {
	if o.Kind == KindSearch && (r.Status == StatusOK || r.Status == StatusError) {
		// Most operations search, and a search changes nothing here: no state has to be made for it.
		if o.Limit > MaxSearchLimit {
			return t, expectError(r, ErrBadLimit)
		}
		return t, checkSearch(t.contents, t.project, o, r)
	}
	s := &State{program: Program{MaxProjects: 1}, contents: make([][]content, t.project+1), leases: map[int]lease{}, loose: true}
	s.contents[t.project] = slices.Clone(t.contents)
	for _, l := range t.held {
		s.leases[l.handle] = lease{project: t.project, uncertain: l.uncertain}
	}
	if o.Kind == KindRelease {
		if m := expectOK(r); m != nil {
			return t, m
		}
		if l, held := s.leases[o.Handle]; held {
			l.released, l.uncertain = r.Status != StatusUnknown, r.Status == StatusUnknown
			s.leases[o.Handle] = l
		}
		return s.Tenant(t.project), nil
	}
	m := s.Step(o, r)
	if len(s.contents[t.project]) > 1 {
		slices.SortFunc(s.contents[t.project], compareContent)
	}
	return s.Tenant(t.project), m
}

func compareContent(a, b content) int {
	if a.revision != b.revision {
		return a.revision - b.revision
	}
	if a.files != b.files {
		return a.files - b.files
	}
	switch {
	case a.exists == b.exists:
		return 0
	case a.exists:
		return 1
	}
	return -1
}

// Parts returns what an operation is to the project it concerns: itself or, for a release of a lease
// on the project, the search through the lease and the lease's end, which happen one after the other.
func (o Op) Parts(project int) []Op {
	if o.Kind != KindRelease {
		o.Project = project
		return []Op{o}
	}
	search := Op{ID: o.ID, Session: o.Session, Kind: KindSearch, Project: project}
	return []Op{search, o}
}

// After returns the tenant as an index or a drop leaves it, whatever it was before. Where the outcome
// is unknown that is one of the possibilities; the other is that nothing happened.
func (t Tenant) After(o Op, r Response) Tenant {
	t.contents = []content{{}}
	if o.Kind == KindIndex {
		t.contents = []content{{true, o.Revision, o.Files}}
		if r.Status == StatusUnknown {
			t.contents = append(t.contents, content{exists: true})
		}
	}
	return t
}
