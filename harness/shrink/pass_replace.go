package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passReplace puts simpler operations in the place of one or two, be it other projects, sessions or
// fields: the last step to the one program that every start comes to. It tries much and runs little,
// since few combinations come earlier in the canonical order than a program that is nearly there.
func passReplace(s *shrinker) {
	for i := range s.current.Len() {
		ops := s.current.Ops()
		if i >= len(ops) {
			return
		}
		for _, n := range slices.Concat(otherProjects(s.current, ops[i]), otherSessions(s.current, ops[i]), otherFields(ops[i])) {
			if s.try(fewerSessions(tight(replaced(s.current, n)))) || s.try(replaced(s.current, n)) {
				break
			}
		}
	}
	if s.current.Len() <= mostPairs {
		s.replaceTwo()
	}
}

// mostPairs is the longest program of which two operations are replaced at a time.
const mostPairs = 8

func (s *shrinker) replaceTwo() {
	ops := s.current.Ops()
	for i := range ops {
		for j := i + 1; j < len(ops); j++ {
			if s.eachTwo(otherFields(ops[i]), otherFields(ops[j])) ||
				s.eachTwo(otherProjects(s.current, ops[i]), otherProjects(s.current, ops[j])) {
				return
			}
		}
	}
}

// eachTwo replaces two operations by each combination; it reports whether one did.
func (s *shrinker) eachTwo(as, bs []model.Op) bool {
	for _, a := range as {
		for _, b := range bs {
			if s.try(replaced(replaced(s.current, a), b)) {
				return true
			}
		}
	}
	return false
}

// otherFields returns the operation with each combination of simple fields.
func otherFields(o model.Op) []model.Op {
	var out []model.Op
	switch n := o; o.Kind {
	case model.KindIndex:
		for n.Revision = 1; n.Revision <= 2; n.Revision++ {
			for _, n.Files = range []int{1, 2, 0} {
				for _, n.Mode = range slices.Compact([]model.IndexMode{model.Incremental, o.Mode}) {
					out = append(out, n)
				}
			}
		}
	case model.KindSearch:
		n.Query, n.Foreign, n.Revision, n.Path, n.Limit = model.QueryOwn, 0, 0, 0, 0
		out = append(out, n)
		n.Query = model.QueryShared
		out = append(out, n)
		for n.Query, n.Revision = model.QueryRevision, 1; n.Revision <= 2; n.Revision++ {
			out = append(out, n)
		}
	}
	return slices.DeleteFunc(out, func(n model.Op) bool { return n == o })
}
