package check

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// race is the concurrent part of a history, with what the audit asked after it, sorted by what each
// operation concerns.
type race struct {
	h       history.History
	b       *board
	state   *model.State    // before the race
	tenants map[int][]event // by project
	pools   []event         // touches, drops and statistics
	vague   bool            // whether some operation touched its pool is not known
}

// longRace is from how many operations on one project on its history is judged by intervals, which
// takes linear time, instead of searching for a linearization.
const longRace = 120

// checkRace judges entries[from:], which may overlap in time. Projects do not see one another, so each
// is judged on its own; the LRU of pools is judged apart from what the databases hold, since an
// operation touches its pool at one moment and takes effect at another.
func checkRace(p model.Program, h history.History, from int, s *model.State, b *board) {
	r := newRace(p, h, from, s, b)
	for project := range p.Projects {
		if events := r.tenants[project]; len(events) > 0 {
			r.tenant(project, events)
		}
	}
	r.recency()
}

// newRace sorts entries[from:]. Where one hung or panicked it holds none of them: what else was under way
// then cannot be judged.
func newRace(p model.Program, h history.History, from int, s *model.State, b *board) *race {
	r := &race{h: h, b: b, state: s, tenants: map[int][]event{}, vague: !s.Exact()}
	for i := from; i < len(h.Entries); i++ {
		if status := h.Entries[i].Response.Status; status == model.StatusHung || status == model.StatusPanicked {
			return r
		}
	}
	r.sort(p, from)
	return r
}

// sort assigns every entry to what it concerns, and judges those that concern nothing shared.
func (r *race) sort(p model.Program, from int) {
	active := make([][]int, p.Sessions)
	for i := range active {
		active[i] = r.state.ActiveOf(i)
	}
	holds := holders(p)
	for i := from; i < len(r.h.Entries); i++ {
		e := &r.h.Entries[i]
		count(*e, !r.vague, r.b)
		if e.Response.Status == model.StatusSkipped {
			continue
		}
		project := e.Op.Project
		switch e.Op.Kind {
		case model.KindSwitch:
			switch e.Response.Status {
			case model.StatusOK:
				active[e.Op.Session] = []int{e.Op.Project}
			case model.StatusUnknown:
				active[e.Op.Session] = append(active[e.Op.Session], e.Op.Project)
			}
			r.alone(i, e)
			continue
		case model.KindStats:
			r.stats(p, i, e)
			continue
		case model.KindRelease:
			project = holds[e.Op.Handle]
		case model.KindIndex, model.KindSearch:
			if project == model.Active {
				if len(active[e.Op.Session]) > 1 {
					r.vague = true
					continue
				}
				project = active[e.Op.Session][0]
			}
			if project == model.Active {
				r.alone(i, e)
				continue
			}
		case model.KindHold, model.KindDrop:
		default:
			continue
		}
		r.concern(i, e, project)
	}
}

// alone judges an entry that depends on nothing another session does.
func (r *race) alone(i int, e *history.Entry) {
	if m := r.state.Clone().Step(e.Op, e.Response); m != nil {
		r.report(i, m)
	}
}

func (r *race) concern(i int, e *history.Entry, project int) {
	end := int64(e.End)
	if e.Response.Status == model.StatusUnknown {
		end = never
	}
	if e.Response.Again {
		return // a second release searches nothing and ends nothing
	}
	o := &e.Op
	if o.Project != project {
		named := e.Op
		named.Project = project
		o = &named
	}
	add := func(part *model.Op) {
		r.tenants[project] = append(r.tenants[project], event{entry: i, op: part, response: &e.Response, call: int64(e.Start), end: end})
	}
	if o.Kind == model.KindRelease {
		for _, part := range e.Op.Parts(project) {
			add(&part)
		}
	} else {
		add(o)
	}
	if e.Audit && e.Op.Kind == model.KindSearch {
		return // asked of another service, with pools of its own
	}
	touched, certain := e.Op.Touches(e.Response)
	dropped := e.Op.Kind == model.KindDrop && e.Response.Status != model.StatusError
	if !certain || e.Op.Kind == model.KindDrop && e.Response.Status == model.StatusUnknown {
		r.vague = true
	}
	if touched || dropped {
		r.pool(event{entry: i, op: o, response: &e.Response, call: int64(e.Start), end: end})
	}
}

func (r *race) stats(p model.Program, i int, e *history.Entry) {
	if e.Response.Status == model.StatusUnknown {
		return
	}
	if e.Response.Stats == nil {
		r.alone(i, e)
		return
	}
	if m := p.CheckBounds(*e.Response.Stats); m != nil {
		r.report(i, m)
		return
	}
	r.pool(event{entry: i, op: &e.Op, response: &e.Response, call: int64(e.Start), end: int64(e.End)})
}

// pool keeps what the pools saw, as long as it will be looked at: recency passes over long races.
func (r *race) pool(e event) {
	if len(r.pools) <= longRace {
		r.pools = append(r.pools, e)
	}
}

// tenant judges what one project's operations saw.
func (r *race) tenant(project int, events []event) {
	if len(events) > longRace {
		r.intervals(project, events)
		return
	}
	result, culprit, m := r.tenantSpec(project).judge(events)
	r.conclude("search", result, culprit, m)
}

func (r *race) tenantSpec(project int) spec[model.Tenant] {
	return spec[model.Tenant]{
		family: "search", init: r.state.Tenant(project), equal: model.Tenant.Equal, describe: model.Tenant.String,
		step: func(t model.Tenant, e event) (model.Tenant, *model.Mismatch) { return t.Step(*e.op, *e.response) },
	}
}

// recency judges the order of the pools and the counters, as far as they are known exactly.
func (r *race) recency() {
	if r.recencyKnown() {
		result, culprit, m := r.recencySpec().judge(r.pools)
		r.conclude("lru", result, culprit, m)
	}
}

// recencyKnown reports whether somebody looked at the pools, and what was seen can be judged.
func (r *race) recencyKnown() bool {
	seen := slices.ContainsFunc(r.pools, func(e event) bool { return e.op.Kind == model.KindStats })
	return seen && !r.vague && len(r.pools) <= longRace
}

func (r *race) recencySpec() spec[model.Recency] {
	return spec[model.Recency]{
		family: "lru", init: r.state.Recency(), equal: model.Recency.Equal, describe: model.Recency.String,
		step: func(q model.Recency, e event) (model.Recency, *model.Mismatch) {
			switch {
			case e.op.Kind == model.KindStats && e.response.Stats != nil:
				return q, q.Check(*e.response.Stats)
			case e.op.Kind == model.KindStats:
				return q, nil // pending
			case e.op.Kind == model.KindDrop:
				return q.Drop(e.op.Project), nil
			}
			return q.Touch(e.op.Project), nil
		},
	}
}

func (r *race) conclude(family string, result porcupine.CheckResult, culprit event, m *model.Mismatch) {
	switch result {
	case porcupine.Illegal:
		r.report(culprit.entry, m)
	case porcupine.Unknown:
		r.b.undecided(family, fmt.Sprintf("not decided within %s", linearTime))
	}
}

func (r *race) report(i int, m *model.Mismatch) {
	r.b.mismatch(r.h.Entries[i], i, m, ", and no order of the concurrent operations explains it")
}
