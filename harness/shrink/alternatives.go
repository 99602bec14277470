package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// drawnKinds are the verbs that an operation is changed to. A cancel is none of them: which operation
// it would have to cancel is anybody's guess, and by itself it does nothing.
var drawnKinds = []model.Kind{
	model.KindSearch, model.KindSwitch, model.KindIndex, model.KindHold, model.KindRelease,
	model.KindStats, model.KindDrop, model.KindRestart,
}

// otherKinds returns the operation as one of another verb, with the simplest sensible fields, for the
// verbs that want allows.
func otherKinds(p model.Program, o model.Op, want func(model.Kind) bool) []model.Op {
	var out []model.Op
	for _, k := range drawnKinds {
		if k == o.Kind || !want(k) {
			continue
		}
		n := model.Op{ID: o.ID, Session: o.Session, Kind: k}
		switch k {
		case model.KindStats, model.KindRestart:
			out = append(out, n)
			continue
		case model.KindRelease:
			for _, h := range handles(p) {
				n.Handle = h
				out = append(out, n)
			}
			continue
		case model.KindHold:
			n.Handle = len(p.Ops()) + 1 // not in use: renumbered programs have smaller ones
		case model.KindIndex:
			n.Revision, n.Files = 1, 1
		}
		for _, project := range projectsFor(p, o) {
			n.Project = project
			out = append(out, n)
			if k == model.KindIndex {
				again := n
				again.Revision = 2
				out = append(out, again)
			}
		}
	}
	return out
}

// projectsFor returns what an operation that takes o's place may be about: o's own project, or all.
func projectsFor(p model.Program, o model.Op) []int {
	if o.TakesProject() && o.Project != model.Active {
		return []int{o.Project}
	}
	used := p.UsedProjects()
	if len(used) == 0 {
		used = []int{0}
	}
	return used
}

// otherProjects returns the operation on each other project in use, on one more, and on the active one.
func otherProjects(p model.Program, o model.Op) []model.Op {
	if !o.TakesProject() {
		return nil
	}
	used := p.UsedProjects()
	var out []model.Op
	for _, project := range append(used, model.Active, 1+slices.Max(append(used, 0))) {
		if project != o.Project && project < model.MaxProjects {
			n := o
			n.Project = project
			out = append(out, n)
		}
	}
	return out
}

// otherSessions returns the operation in each other session in use.
func otherSessions(p model.Program, o model.Op) []model.Op {
	var out []model.Op
	for _, session := range usedSessions(p) {
		if session != o.Session {
			n := o
			n.Session = session
			out = append(out, n)
		}
	}
	return out
}

func handles(p model.Program) []int {
	var hs []int
	for _, o := range p.Ops() {
		if o.Kind == model.KindHold {
			hs = append(hs, o.Handle)
		}
	}
	return hs
}
