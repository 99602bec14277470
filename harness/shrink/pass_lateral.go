package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passLateral changes one thing in any direction and drops an operation. It leads out of programs
// that only look smallest because what makes a smaller one fail is something else, say an index in the
// place of a search, or one pool more.
func passLateral(s *shrinker) {
	for _, changed := range lateral(s.current) {
		ops := changed.Ops()
		for j := len(ops) - 1; j >= 0; j-- {
			q := changed.Without(ops[j].ID)
			if len(q.Schedule) == 0 && len(s.current.Schedule) > 0 {
				continue // what fails only under a schedule is not looked for without
			}
			if s.try(tight(q)) {
				return
			}
		}
	}
	if s.current.Len() <= mostSwitched {
		s.onActive()
	}
}

// mostSwitched is the longest program that onActive works on.
const mostSwitched = 6

// onActive puts an operation on the active project of any session and drops two others: where sessions
// mix up their projects, that operation alone may show it.
func (s *shrinker) onActive() {
	ops := s.current.Ops()
	if !slices.ContainsFunc(ops, func(o model.Op) bool { return o.Kind == model.KindSwitch }) {
		return
	}
	for _, o := range ops {
		if !o.TakesProject() {
			continue
		}
		for _, o.Session = range usedSessions(s.current) {
			o.Project = model.Active
			q := replaced(s.current, o)
			for i, a := range ops {
				for _, b := range ops[i+1:] {
					if a.ID != o.ID && b.ID != o.ID && s.try(fewerSessions(tight(q.Without(a.ID, b.ID)))) {
						return
					}
				}
			}
		}
	}
}

// lateral returns the program with one thing changed, in every way there is. What is returned may not
// be valid.
func lateral(p model.Program) []model.Program {
	var out []model.Program
	// What races is in making, filling, emptying and evicting pools: other verbs would only cost executions.
	fitting := func(k model.Kind) bool {
		return p.Mode != model.Gated || k == model.KindSearch || k == model.KindIndex || k == model.KindHold || k == model.KindDrop
	}
	ops := p.Ops()
	for _, n := range []int{p.MaxProjects - 1, p.MaxProjects + 1} {
		q := p.Clone()
		q.MaxProjects = n
		out = append(out, q)
	}
	for i := len(ops) - 1; i >= 0; i-- {
		alternatives := otherKinds(p, ops[i], fitting)
		alternatives = append(alternatives, otherProjects(p, ops[i])...)
		alternatives = append(alternatives, otherSessions(p, ops[i])...)
		for _, n := range alternatives {
			q := replaced(p, n)
			q.Projects = model.MaxProjects // made tight later
			out = append(out, q)
		}
	}
	return out
}
