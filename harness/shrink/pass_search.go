package shrink

import (
	"cmp"
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

const (
	searchBudget  = 300 // executions of one turn of passSchedules, for neighbours of each sort
	searchDepth   = 2   // most preemptions of the schedules searched
	mostSearched  = 6   // operations of the longest race that is searched
	leastSearched = 2   // of the shortest
)

// passSchedules searches the schedules of the current program and of its neighbours for a smaller
// failing one: all with no preemption, then all with one, then with two, each in the canonical order. It
// finds what no step from schedule to schedule leads to, and makes of equally small schedules the least.
func passSchedules(s *shrinker) {
	p := s.current
	if p.Mode != model.Gated || !s.last.Gated || strategies(p) > 0 || len(p.Race) < leastSearched || len(p.Race) > mostSearched {
		return
	}
	for _, neighbours := range [][]model.Program{fewer(p), reordered(p)} {
		search := &scheduleSearch{shrinker: s, until: s.executions + searchBudget}
		for _, q := range neighbours {
			if search.from(q) {
				return
			}
		}
	}
}

// fewer returns the program without one operation, whichever session begins the race, and with one
// operation of the race in the setup.
func fewer(p model.Program) []model.Program {
	var out []model.Program
	for i := p.Len() - 1; i >= 0; i-- {
		q := p.Without(p.Ops()[i].ID)
		for _, session := range usedSessions(model.Program{Setup: q.Race}) {
			out = append(out, begunBy(q, session))
		}
	}
	for i := len(p.Race) - 1; i >= 0; i-- {
		out = append(out, moved(p, []int{p.Race[i].ID}))
	}
	return onlyFaults(p, append(out, creating(p)))
}

// creating returns the program in which the race creates what it is about instead of finding it: its
// operations are indexes, and the setup has none of their projects. What races in making a pool again,
// which takes a setup to evict it, mostly races in making it for the first time.
func creating(p model.Program) model.Program {
	racing := model.Program{Setup: p.Race}.UsedProjects()
	q := p.Without(onProjects(model.Program{Setup: p.Setup}, racing)...)
	for i, o := range q.Race {
		if o.TakesProject() {
			q.Race[i] = model.Op{ID: o.ID, Session: o.Session, Kind: model.KindIndex, Project: o.Project, Revision: 1, Files: 1}
		}
	}
	return q.Without() // releases of what was held
}

// onProjects returns the IDs of the operations that name one of the projects.
func onProjects(p model.Program, projects []int) []int {
	var on []int
	for _, project := range projects {
		on = append(on, onProject(p, project)...)
	}
	return on
}

// reordered returns the program itself, with two operations of the race in each other's place, and with
// the race of two sessions exchanged.
func reordered(p model.Program) []model.Program {
	out := []model.Program{p}
	for _, session := range usedSessions(model.Program{Setup: p.Race}) {
		out = append(out, begunBy(p, session))
	}
	for i, a := range usedSessions(p) {
		for _, b := range usedSessions(p)[i+1:] {
			q := p.Clone()
			q.Race = mapSessions(model.Program{Setup: q.Race}, swap(a, b, true)).Setup
			out = append(out, q)
		}
	}
	for i := len(p.Setup); i < p.Len(); i++ {
		for j := i + 1; j < p.Len(); j++ {
			for _, change := range []func([]model.Op, int, int){exchange, moveUp} {
				if q, ok := inSection(p, i, j, change); ok {
					out = append(out, q)
				}
			}
		}
	}
	return onlyFaults(p, out)
}

// begunBy returns the program with the operations of a session at the beginning of the race.
func begunBy(p model.Program, session int) model.Program {
	q := p.Clone()
	slices.SortStableFunc(q.Race, func(a, b model.Op) int {
		return cmp.Compare(boolRank(a.Session != session), boolRank(b.Session != session))
	})
	return q
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// onlyFaults returns the programs made from p with p's faults for a schedule, each once.
func onlyFaults(p model.Program, made []model.Program) []model.Program {
	var out []model.Program
	seen := map[string]bool{}
	for _, q := range made {
		faults := slices.DeleteFunc(projected(p, q, toSamePoint), func(in model.Intervention) bool { return in.Kind == model.Preempt })
		q = fewerSessions(tight(withSchedule(q, faults))).Renumber()
		if text := q.String(); !seen[text] {
			seen[text] = true
			out = append(out, q)
		}
	}
	return out
}

// scheduleSearch is one turn of passSchedules.
type scheduleSearch struct {
	*shrinker
	until int // number of executions at which the turn is over
}

// node is a schedule and where in the execution its last intervention happened.
type node struct {
	interventions []model.Intervention
	at            int
}

// from searches the schedules of p, which has none but faults.
func (s *scheduleSearch) from(p model.Program) bool {
	depth := 0
	for _, in := range s.current.Schedule {
		if in.Kind == model.Preempt {
			depth++
		}
	}
	// Less looks at a schedule last: where the operations are not fewer or lesser, preemptions must be.
	if whole := withSchedule(p, s.current.Schedule); p.Len() == s.current.Len() && !slices.Equal(p.Ops(), s.current.Ops()) && !Less(whole, s.current) {
		depth--
	}
	if depth < 0 {
		return false
	}
	depth = min(depth, searchDepth)
	level := []node{{at: -1}}
	for d := 0; ; d++ {
		for _, n := range level {
			if s.stopped != nil || s.executions >= s.until {
				return false
			}
			if s.try(withInterventions(p, n)) {
				return true
			}
		}
		if d == depth {
			return false
		}
		var next []node
		for _, n := range level {
			next = append(next, s.children(p, n)...)
		}
		slices.SortStableFunc(next, func(a, b node) int { return compare(withInterventions(p, a), withInterventions(p, b)) })
		level = next
	}
}

// withInterventions puts the preemptions before the faults: of two at one point the preemption is first.
func withInterventions(p model.Program, n node) model.Program {
	return withSchedule(p, slices.Concat(n.interventions, p.Schedule))
}

// children returns n's schedule with one preemption more, later than its last: at every point at which
// an operation was let go on, in favour of what each other session came to next.
func (s *scheduleSearch) children(p model.Program, n node) []node {
	points := s.pointsOf(withInterventions(p, n))
	session := map[int]int{}
	for _, o := range p.Race {
		session[o.ID] = o.Session
	}
	var out []node
	for i := n.at + 1; i < len(points); i++ {
		own, racing := session[points[i].Op]
		if !racing {
			continue
		}
		seen := map[int]bool{own: true}
		for _, later := range points[i+1:] {
			other, racing := session[later.Op]
			if !racing || seen[other] {
				continue
			}
			seen[other] = true
			in := model.Intervention{Kind: model.Preempt, At: points[i], To: later.Op}
			out = append(out, node{append(slices.Clone(n.interventions), in), i})
		}
	}
	return out
}

// pointsOf returns the points to which the race of p comes.
func (s *scheduleSearch) pointsOf(p model.Program) []model.Point {
	key := keyOf(p)
	if points, known := s.points[key]; known || s.stopped != nil || s.executions >= s.until {
		return points
	}
	switch _, v := s.judge(p, s.options.Trials); v {
	case notFailing:
		s.passing[key] = true
	case notRun:
		s.notRun++
	}
	return s.points[key]
}
