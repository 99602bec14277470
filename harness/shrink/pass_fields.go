package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// passFields takes fields to simpler values: everywhere at once, then operation by operation.
func passFields(s *shrinker) {
	s.try(s.current.Edit(func(o model.Op) model.Op {
		if forms := o.Simpler(); len(forms) > 0 {
			return forms[0]
		}
		return o
	}))
	s.try(fewerRevisions(s.current))
	s.try(oneFileFewer(s.current))
	for i := s.current.Len() - 1; i >= 0; i-- {
		for i < s.current.Len() && s.simplify(s.current.Ops()[i]) {
			continue
		}
	}
}

// oneFileFewer returns the program with one file fewer in every repository and the plainest searches. A
// file that goes from one revision to the next can be the last one as well as the second.
func oneFileFewer(p model.Program) model.Program {
	return p.Edit(func(o model.Op) model.Op {
		switch {
		case o.Kind == model.KindIndex:
			o.Files = max(0, o.Files-1)
		case o.Kind == model.KindSearch && len(o.Simpler()) > 0:
			return o.Simpler()[0]
		}
		return o
	})
}

// simplify tries the operation's simpler forms; it reports whether one did.
func (s *shrinker) simplify(o model.Op) bool {
	for _, form := range o.Simpler() {
		if s.try(replaced(s.current, form)) {
			return true
		}
	}
	return false
}

// fewerRevisions returns the program with its revisions called 1, 2, … in their order: what matters is
// mostly which of two is newer.
func fewerRevisions(p model.Program) model.Program {
	used := revisions(p)
	return mapRevisions(p, func(r int) int { return slices.Index(used, r) + 1 })
}

// revisions returns the revisions that operations name, in ascending order.
func revisions(p model.Program) []int {
	var used []int
	mapRevisions(p, func(r int) int {
		used = append(used, r)
		return r
	})
	slices.Sort(used)
	return slices.Compact(used)
}

func mapRevisions(p model.Program, f func(int) int) model.Program {
	return p.Edit(func(o model.Op) model.Op {
		if o.Revision > 0 {
			o.Revision = f(o.Revision)
		}
		return o
	})
}
