package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passCut drops what comes after the last operation that had to run. In a race that is only known of
// the operation's own session.
func passCut(s *shrinker) {
	p := s.current
	if i := indexOf(p.Setup, s.last.LastOp); i >= 0 {
		s.drop(append(ids(p.Setup[i+1:]), ids(p.Race)...)...)
		return
	}
	i := indexOf(p.Race, s.last.LastOp)
	if i < 0 {
		return
	}
	if p.Mode == model.Sequential {
		s.drop(ids(p.Race[i+1:])...)
		return
	}
	var later []int
	for _, o := range p.Race[i+1:] {
		if o.Session == p.Race[i].Session {
			later = append(later, o.ID)
		}
	}
	s.drop(later...)
}

func indexOf(ops []model.Op, id int) int {
	return slices.IndexFunc(ops, func(o model.Op) bool { return o.ID == id })
}
