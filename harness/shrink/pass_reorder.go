package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passReorder brings operations into the canonical order: every two of a section change places, and
// every one moves to every earlier place, where the program then comes earlier in the order, its
// projects and sessions renamed by their new first use.
func passReorder(s *shrinker) {
	for i := range s.current.Len() {
		for j := i + 1; j < s.current.Len(); j++ {
			for _, reordered := range []func([]model.Op, int, int){exchange, moveUp} {
				q, ok := inSection(s.current, i, j, reordered)
				if ok && !s.try(fewerSessions(tight(q))) {
					s.try(q)
				}
			}
		}
	}
	s.exchangeNumbers(s.current.UsedProjects(), model.Program.MapProjects)
	s.exchangeNumbers(usedSessions(s.current), mapSessions)
	s.exchangeNumbers(revisions(s.current), mapRevisions)
}

// exchangeNumbers calls every two of the numbers by each other's.
func (s *shrinker) exchangeNumbers(numbers []int, renamed func(model.Program, func(int) int) model.Program) {
	for i, a := range numbers {
		for _, b := range numbers[i+1:] {
			s.try(renamed(s.current, swap(a, b, true)))
		}
	}
}

// exchange puts the ith and the jth operation in each other's place.
func exchange(ops []model.Op, i, j int) { ops[i], ops[j] = ops[j], ops[i] }

// moveUp puts the jth operation before the ith, i < j.
func moveUp(ops []model.Op, i, j int) {
	o := ops[j]
	copy(ops[i+1:j+1], ops[i:j])
	ops[i] = o
}

// inSection returns the program with its ith and jth operation reordered, i < j. It is not possible
// across sections.
func inSection(p model.Program, i, j int, reordered func([]model.Op, int, int)) (model.Program, bool) {
	q := p.Clone()
	section := q.Setup
	if n := len(q.Setup); i >= n {
		section, i, j = q.Race, i-n, j-n
	}
	if j >= len(section) {
		return p, false
	}
	reordered(section, i, j)
	return q, true
}
