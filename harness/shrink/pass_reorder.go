package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passReorder brings operations into the canonical order: every two of a section change places where
// the program then comes earlier in the order, its projects and sessions renamed by their new first use.
func passReorder(s *shrinker) {
	for i := range s.current.Len() {
		for j := i + 1; j < s.current.Len(); j++ {
			q, ok := exchanged(s.current, i, j)
			if !ok {
				continue
			}
			if !s.try(fewerSessions(tight(q))) {
				s.try(q)
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

// exchanged returns the program with its ith and jth operation in each other's place, i < j. It is
// not possible across sections.
func exchanged(p model.Program, i, j int) (model.Program, bool) {
	q := p.Clone()
	section := q.Setup
	if n := len(q.Setup); i >= n {
		section, i, j = q.Race, i-n, j-n
	}
	if j >= len(section) {
		return p, false
	}
	section[i], section[j] = section[j], section[i]
	return q, true
}
