package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passProjects makes do with fewer projects: it drops all operations on one, takes two for one, and
// calls what is left p0, p1, … in the order of first use.
func passProjects(s *shrinker) {
	for _, p := range s.current.UsedProjects() {
		s.drop(onProject(s.current, p)...)
	}
	s.mergeProjects()
	s.canonicalProjects()
}

// onProject returns the IDs of the operations that name the project.
func onProject(p model.Program, project int) []int {
	var on []int
	for _, o := range p.Ops() {
		if o.TakesProject() && o.Project == project ||
			o.Kind == model.KindSearch && o.Query == model.QueryForeign && o.Foreign == project {
			on = append(on, o.ID)
		}
	}
	return on
}

func (s *shrinker) mergeProjects() {
	used := s.current.UsedProjects()
	for b := len(used) - 1; b > 0; b-- {
		for a := range b {
			// One project fewer counts even where no operation goes.
			if s.try(tight(s.current.MapProjects(swap(used[b], used[a], false)))) ||
				s.try(s.current.MapProjects(swap(used[b], used[a], false))) {
				break
			}
		}
	}
}

// swap maps project a to b and, if both is set, b to a.
func swap(a, b int, both bool) func(int) int {
	return func(p int) int {
		switch {
		case p == a:
			return b
		case p == b && both:
			return a
		}
		return p
	}
}

// tight returns the program with its projects called p0, p1, … in the order of first use, and no more
// of them than are used.
func tight(p model.Program) model.Program {
	used := p.UsedProjects()
	p = p.MapProjects(func(i int) int { return slices.Index(used, i) })
	p.Projects = max(1, len(used))
	return p
}

// canonicalProjects renames all at once or, where names matter to the failure, one by one. A project
// that no operation names can matter, too: the audit looks at it.
func (s *shrinker) canonicalProjects() {
	if s.try(tight(s.current)) {
		return
	}
	for n := 1; n < s.current.Projects; n++ {
		if s.try(declaring(s.current, n)) {
			break
		}
	}
	for _, p := range s.current.UsedProjects() {
		for to := range p {
			q := s.current.MapProjects(swap(p, to, true))
			if s.try(declaring(q, 1+slices.Max(q.UsedProjects()))) || s.try(q) {
				break
			}
		}
	}
	for n := 1; n < s.current.Projects; n++ {
		if s.try(declaring(s.current, n)) {
			break
		}
	}
}

// declaring returns the program with n projects, which is not valid where it uses more.
func declaring(p model.Program, n int) model.Program {
	q := p.Clone()
	q.Projects = n
	return q
}
