package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passSessions makes do with fewer sessions, as passProjects does with projects.
func passSessions(s *shrinker) {
	for _, n := range usedSessions(s.current) {
		var own []int
		for _, o := range s.current.Ops() {
			if o.Session == n {
				own = append(own, o.ID)
			}
		}
		s.drop(own...)
	}
	if used := usedSessions(s.current); len(used) > 1 {
		s.try(fewerSessions(mapSessions(s.current, func(int) int { return 0 })))
	}
	used := usedSessions(s.current)
	for b := len(used) - 1; b > 0; b-- {
		for a := range b {
			if s.try(fewerSessions(mapSessions(s.current, swap(used[b], used[a], false)))) {
				break
			}
		}
	}
	if s.try(fewerSessions(s.current)) {
		return
	}
	q := s.current.Clone()
	q.Sessions = 1 + slices.Max(append(usedSessions(q), 0))
	s.try(q)
}

func usedSessions(p model.Program) []int {
	var used []int
	for _, o := range p.Ops() {
		if !slices.Contains(used, o.Session) {
			used = append(used, o.Session)
		}
	}
	return used
}

func mapSessions(p model.Program, f func(int) int) model.Program {
	return p.Edit(func(o model.Op) model.Op {
		o.Session = f(o.Session)
		return o
	})
}

// fewerSessions returns the program with its sessions called s0, s1, … in the order of first use, and
// no more of them than are used.
func fewerSessions(p model.Program) model.Program {
	used := usedSessions(p)
	p = mapSessions(p, func(n int) int { return slices.Index(used, n) })
	p.Sessions = max(1, len(used))
	return p
}
