package shrink_test

import (
	"context"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

// fault is a mistake that the fake service can be made to contain.
type fault string

const (
	getNoTouch     fault = "get-no-touch"       // a hit does not refresh recency
	capLazy        fault = "cap-lazy"           // one pool too many
	switchGlobal   fault = "switch-global"      // one active project for all sessions
	nameFold       fault = "name-fold"          // names are folded and truncated
	evictLosesHold fault = "evict-loses-hold"   // a lease dies with its evicted pool
	dropKeeps      fault = "drop-keeps"         // a drop leaves the contents
	staleRecreate  fault = "stale-recreate"     // a project recreated after a drop serves what it held
	restartLoses   fault = "restart-loses"      // a restart forgets the last index
	negativeCache  fault = "negative-cache"     // once unknown, always unknown
	deletedStay    fault = "deleted-stay"       // an incremental index keeps deleted files
	limitIgnored   fault = "limit-ignored"      // a search gives more than was asked for
	secondRelease  fault = "second-release"     // a lease released twice is an error
	holdNoTouch    fault = "hold-no-touch"      // a hold does not refresh recency
	forcedAppends  fault = "forced-appends"     // a forced index keeps the revision before
	missNotCounted fault = "drop-miscounted"    // a drop counts as an eviction
	threeTenants   fault = "third-loses-active" // an eviction forgets the active project of its sessions
)

// allFaults and the bounds within which their smallest programs are.
var allFaults = []struct {
	fault  fault
	bounds shrink.Bounds
}{
	{getNoTouch, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindIndex, model.KindSearch, model.KindStats, model.KindHold, model.KindSwitch}, Revisions: 1}},
	{capLazy, shrink.Bounds{Ops: 3}},
	{switchGlobal, shrink.Bounds{Ops: 4, Sessions: 2, Kinds: []model.Kind{model.KindSearch, model.KindSwitch, model.KindIndex, model.KindDrop, model.KindHold, model.KindStats, model.KindRestart}, Projects: 2, MaxProjects: 1, Revisions: 1, Queries: []model.QueryKind{model.QueryOwn}}},
	{nameFold, shrink.Bounds{Ops: 3, Names: model.NameFamilies(), Projects: 2}},
	{evictLosesHold, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindSearch, model.KindIndex, model.KindHold, model.KindRelease}}},
	{dropKeeps, shrink.Bounds{Ops: 3}},
	{staleRecreate, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindSearch, model.KindIndex, model.KindDrop}, Files: 2, Empty: true, Queries: []model.QueryKind{model.QueryOwn}}},
	{restartLoses, shrink.Bounds{Ops: 3}},
	{negativeCache, shrink.Bounds{Ops: 3}},
	{deletedStay, shrink.Bounds{Ops: 3, Files: 2, Empty: true, Kinds: []model.Kind{model.KindSearch, model.KindIndex, model.KindHold, model.KindRelease}}},
	{limitIgnored, shrink.Bounds{Ops: 2, Files: 2, Filters: true}},
	{secondRelease, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindIndex, model.KindHold, model.KindRelease}}},
	{holdNoTouch, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindIndex, model.KindSearch, model.KindHold, model.KindStats}, Revisions: 1}},
	{forcedAppends, shrink.Bounds{Ops: 3, Modes: 3, Files: 2, Queries: []model.QueryKind{model.QueryOwn, model.QueryRevision}, Kinds: []model.Kind{model.KindSearch, model.KindIndex, model.KindHold, model.KindRelease}}},
	{missNotCounted, shrink.Bounds{Ops: 3}},
	{threeTenants, shrink.Bounds{Ops: 4, Kinds: []model.Kind{model.KindSearch, model.KindSwitch, model.KindIndex}, Revisions: 1}},
}

// fake is a service in memory.
type fake struct {
	program model.Program
	faults  []fault
	stored  map[string]map[int]model.Canary // by database, by file
	dropped map[string]map[int]model.Canary
	unknown map[string]bool // databases asked for before they were there
	active  map[int]int
	pools   []string // most recently used first
	leases  map[int]*fakeLease
	stats   model.Stats
}

type fakeLease struct {
	database           string
	project            int
	evicted, over, bad bool
}

func newFake(p model.Program, faults []fault) *fake {
	f := &fake{program: p, faults: faults, stored: map[string]map[int]model.Canary{}}
	f.dropped, f.unknown = map[string]map[int]model.Canary{}, map[string]bool{}
	f.restart()
	return f
}

func (f *fake) has(x fault) bool { return slices.Contains(f.faults, x) }

func (f *fake) restart() {
	f.active, f.leases, f.pools, f.stats = map[int]int{}, map[int]*fakeLease{}, nil, model.Stats{}
}

func (f *fake) database(project int) string {
	name := f.program.ProjectName(project)
	if f.has(nameFold) {
		name = strings.ToLower(name)
		name = name[:min(len(name), 63)]
	}
	return name
}

func (f *fake) acquire(project int, touch bool) {
	name := f.program.ProjectName(project)
	if i := slices.Index(f.pools, name); i >= 0 {
		f.stats.CacheHits++
		if touch {
			f.pools = slices.Insert(slices.Delete(f.pools, i, i+1), 0, name)
		}
		return
	}
	f.stats.CacheMisses++
	f.stats.Creations++
	limit := f.program.MaxProjects
	if f.has(capLazy) {
		limit++
	}
	if len(f.pools) >= limit {
		f.evict()
	}
	f.pools = slices.Insert(f.pools, 0, name)
}

func (f *fake) evict() {
	victim := f.pools[len(f.pools)-1]
	f.pools = f.pools[:len(f.pools)-1]
	f.stats.Evictions++
	for _, l := range f.leases {
		if f.program.ProjectName(l.project) == victim && !l.over {
			l.evicted = true
			l.bad = f.has(evictLosesHold)
		}
	}
	if f.has(threeTenants) {
		for s, p := range f.active {
			if f.program.ProjectName(p) == victim {
				delete(f.active, s)
			}
		}
	}
}

func failed(k model.ErrorKind) model.Response {
	return model.Response{Status: model.StatusError, Error: k}
}

var okay = model.Response{Status: model.StatusOK}

func (f *fake) do(o model.Op) model.Response {
	if f.has(switchGlobal) {
		o.Session = 0
	}
	if o.TakesProject() && o.Project == model.Active {
		p, ok := f.active[o.Session]
		if !ok {
			return failed(model.ErrNoActiveProject)
		}
		o.Project = p
	}
	switch o.Kind {
	case model.KindSwitch:
		f.active[o.Session] = o.Project
	case model.KindIndex:
		f.index(o)
	case model.KindSearch:
		return f.search(o)
	case model.KindHold:
		return f.hold(o)
	case model.KindRelease:
		return f.release(o)
	case model.KindStats:
		return f.report()
	case model.KindDrop:
		return f.drop(o)
	case model.KindRestart:
		if f.has(restartLoses) && len(f.pools) > 0 {
			delete(f.stored, f.pools[0])
		}
		f.restart()
	}
	return okay
}

func (f *fake) index(o model.Op) {
	f.acquire(o.Project, !f.has(getNoTouch))
	db := f.database(o.Project)
	files := map[int]model.Canary{}
	if old := f.stored[db]; f.has(deletedStay) && o.Mode == model.Incremental && old != nil {
		files = old
	}
	for i := range o.Files {
		files[i] = model.Canary{Project: o.Project, Revision: o.Revision, File: i}
		if old, ok := f.stored[db][i]; ok && f.has(forcedAppends) && o.Mode == model.Forced {
			files[i] = old
		}
	}
	if old, ok := f.dropped[db]; ok && f.has(staleRecreate) {
		files = old
	}
	f.stored[db] = files
}

func (f *fake) exists(project int) bool {
	db := f.database(project)
	if f.stored[db] == nil {
		f.unknown[db] = true
		return false
	}
	return !f.has(negativeCache) || !f.unknown[db]
}

func (f *fake) search(o model.Op) model.Response {
	if o.Limit > model.MaxSearchLimit {
		return failed(model.ErrBadLimit)
	}
	if !f.exists(o.Project) {
		return failed(model.ErrUnknownProject)
	}
	f.acquire(o.Project, !f.has(getNoTouch))
	return f.find(o)
}

func (f *fake) find(o model.Op) model.Response {
	limit := o.Limit
	if limit == 0 || f.has(limitIgnored) {
		limit = model.DefaultLimit
	}
	r := okay
	for i := range model.MaxFiles {
		c, ok := f.stored[f.database(o.Project)][i]
		if !ok || len(r.Matches) >= limit || o.Path > 0 && o.Path-1 != i {
			continue
		}
		text := c.String() + " " + model.SharedWord
		if strings.Contains(text, o.QueryText(o.Project)) {
			r.Matches = append(r.Matches, model.Match{Path: model.FilePath(i), StartLine: 1, EndLine: 1, Content: text})
		}
	}
	return r
}

func (f *fake) hold(o model.Op) model.Response {
	if !f.exists(o.Project) {
		return failed(model.ErrUnknownProject)
	}
	f.acquire(o.Project, !f.has(getNoTouch) && !f.has(holdNoTouch))
	f.leases[o.Handle] = &fakeLease{database: f.database(o.Project), project: o.Project}
	return okay
}

func (f *fake) release(o model.Op) model.Response {
	l, ok := f.leases[o.Handle]
	switch {
	case !ok:
		return okay
	case l.over && f.has(secondRelease), l.bad:
		l.over = true
		return failed(model.ErrClosed)
	case l.over:
		return okay
	}
	l.over = true
	return f.find(model.Op{Kind: model.KindSearch, Project: l.project})
}

func (f *fake) drop(o model.Op) model.Response {
	db := f.database(o.Project)
	if f.stored[db] == nil {
		return failed(model.ErrUnknownProject)
	}
	for _, l := range f.leases {
		if l.project == o.Project && !l.over {
			return failed(model.ErrInUse)
		}
	}
	f.dropped[db] = f.stored[db]
	if !f.has(dropKeeps) {
		delete(f.stored, db)
	}
	if i := slices.Index(f.pools, f.program.ProjectName(o.Project)); i >= 0 {
		f.pools = slices.Delete(f.pools, i, i+1)
		if f.has(missNotCounted) {
			f.stats.Evictions++
		} else {
			f.stats.Drops++
		}
	}
	return okay
}

func (f *fake) report() model.Response {
	st := f.stats
	st.MaxProjects, st.ActivePools = f.program.MaxProjects, len(f.pools)
	for _, p := range f.pools {
		st.Pools = append(st.Pools, model.PoolStats{Project: p})
	}
	for _, l := range f.leases {
		if l.evicted && !l.over {
			st.Draining++
		}
	}
	return model.Response{Status: model.StatusOK, Stats: &st}
}

// judge runs the program on the fake service and judges it by the oracle, an audit at the end included.
func judge(p model.Program, faults ...fault) shrink.Outcome {
	f, s := newFake(p, faults), model.NewState(p)
	cancelled := map[int]bool{}
	outcome := func(m *model.Mismatch, verb string, op int) shrink.Outcome {
		return shrink.Outcome{Fingerprint: m.Invariant + "/" + m.Kind + "/" + verb, LastOp: op}
	}
	for _, o := range p.Ops() {
		r := okay
		switch {
		case o.Kind == model.KindCancel:
			cancelled[o.Target] = true
		case cancelled[o.ID]:
			if o.Kind == model.KindRelease {
				f.release(o)
			}
			r.Status = model.StatusUnknown
		default:
			r = f.do(o)
		}
		if m := s.Step(o, r); m != nil {
			return outcome(m, o.Kind.String(), o.ID)
		}
	}
	if m := s.Step(model.Op{Kind: model.KindStats}, f.report()); m != nil {
		return outcome(m, "audit", 0)
	}
	for i := range p.Projects {
		r := failed(model.ErrUnknownProject)
		o := model.Op{Kind: model.KindSearch, Project: i}
		if f.exists(i) {
			r = f.find(o)
		}
		// Step rather than CheckSearch: after a cancelled index the project may be unknown.
		if m := s.Step(o, r); m != nil {
			return outcome(m, "audit", 0)
		}
	}
	return shrink.Outcome{}
}

// running returns a Run on the fake service with these faults.
func running(faults ...fault) shrink.Run {
	return func(_ context.Context, p model.Program) (shrink.Outcome, error) { return judge(p, faults...), nil }
}
