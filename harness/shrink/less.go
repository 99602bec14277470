package shrink

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/model"
)

// Less is the canonical order of programs: it says whether a is the simpler one. It is total on
// programs whose texts differ, and nobody can go from program to lesser program for ever.
//
// What is compared, the first difference deciding: whether a strategy chooses, since what it chooses can
// be written down; operations plus interventions; the mode, sequential first; projects; sessions;
// max_projects; the family of names; how demanding the verbs are, where an operation of the race and
// one on the session's active project count for more; whether projects and sessions are numbered in the
// order of their first use; how far the fields are from their simplest values; the operations one by one;
// the interventions one by one, in the order of their points; the text. Of an operation's points the start is
// the simplest, then messages, connects, acquires, releases and cancel requests, and of a kind the earlier one.
func Less(a, b model.Program) bool { return compare(a, b) < 0 }

func compare(a, b model.Program) int {
	if c := cmp.Or(
		cmp.Compare(strategies(a), strategies(b)),
		cmp.Compare(size(a), size(b)),
		cmp.Compare(a.Mode, b.Mode),
		cmp.Compare(a.Projects, b.Projects),
		cmp.Compare(a.Sessions, b.Sessions),
		cmp.Compare(a.MaxProjects, b.MaxProjects),
		cmp.Compare(a.Names, b.Names),
	); c != 0 {
		return c
	}
	av, af := costs(a)
	bv, bf := costs(b)
	if c := cmp.Or(cmp.Compare(av, bv), cmp.Compare(disorder(a), disorder(b)), cmp.Compare(af, bf)); c != 0 {
		return c
	}
	return cmp.Or(
		slices.CompareFunc(a.Ops(), b.Ops(), compareOps),
		slices.CompareFunc(inOrder(a.Schedule), inOrder(b.Schedule), compareInterventions),
		strings.Compare(a.String(), b.String()),
	)
}

// size is what a reader has to follow: operations and interventions.
func size(p model.Program) int { return p.Len() + len(p.Schedule) }

// raceCost is what an operation in the race costs in verbs: more than any verb, so that an operation
// that need not run beside others stands in the setup.
const raceCost = 2 * 16

// costs sums verbCost and fieldCost over the program.
func costs(p model.Program) (verbs, fields int) {
	for _, o := range p.Setup {
		verbs += verbCost(o)
		fields += fieldCost(o)
	}
	for _, o := range p.Race {
		verbs += verbCost(o) + raceCost
		fields += fieldCost(o)
	}
	return verbs, fields
}

// strategies is 1 for a program with a strategy.
func strategies(p model.Program) int {
	if p.Strategy != (model.Strategy{}) {
		return 1
	}
	return 0
}

// pointRank is the kind's place in the canonical order of points.
func pointRank(k model.PointKind) int {
	switch k {
	case model.AtStart:
		return 0
	case model.AtMessage:
		return 1
	}
	return int(k)
}

// disorder counts the projects and sessions whose number is not their place in the order of first use.
func disorder(p model.Program) int {
	n := 0
	for _, used := range [][]int{p.UsedProjects(), usedSessions(p)} {
		for place, number := range used {
			if place != number {
				n++
			}
		}
	}
	return n
}

// verbCost is the verb's place in the canonical order, twice, and one more for an operation on the
// active project: its reader must look for the switch.
func verbCost(o model.Op) int {
	c := 2 * int(o.Kind)
	if o.TakesProject() && o.Project == model.Active {
		c++
	}
	return c
}

// fieldCost is how far an operation's fields are from their simplest values.
func fieldCost(o model.Op) int {
	c := o.Session
	if o.TakesProject() {
		c += max(o.Project, 0)
	}
	switch o.Kind {
	case model.KindIndex:
		c += max(o.Revision-1, 0) + filesCost(o.Files) + int(o.Mode)
	case model.KindSearch:
		c += int(o.Query) + o.Path + o.Limit
		switch o.Query {
		case model.QueryForeign:
			c += o.Foreign
		case model.QueryRevision:
			c += max(o.Revision-1, 0)
		}
	case model.KindRelease:
		c += max(o.Handle-1, 0)
	}
	return c
}

// filesCost puts one file first, then two, then none: an empty repository is the special case.
func filesCost(n int) int {
	switch n {
	case 0:
		return 2
	case 1, 2:
		return n - 1
	}
	return n
}

// compareOps orders operations of equal cost. It does not look at IDs, which say the place only.
func compareOps(a, b model.Op) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(projectRank(a), projectRank(b)),
		cmp.Compare(a.Session, b.Session),
		cmp.Compare(a.Query, b.Query),
		cmp.Compare(a.Revision, b.Revision),
		cmp.Compare(a.Files, b.Files),
		cmp.Compare(a.Mode, b.Mode),
		cmp.Compare(a.Foreign, b.Foreign),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Limit, b.Limit),
		cmp.Compare(a.Handle, b.Handle),
		cmp.Compare(a.Target, b.Target),
	)
}

// projectRank puts the active project behind all explicit ones.
func projectRank(o model.Op) int {
	if o.TakesProject() && o.Project == model.Active {
		return model.MaxProjects
	}
	return o.Project
}

// inOrder returns the schedule in the order of its points: in which order those of different points are
// written means nothing.
func inOrder(schedule []model.Intervention) []model.Intervention {
	return slices.SortedStableFunc(slices.Values(schedule), func(a, b model.Intervention) int { return comparePoints(a.At, b.At) })
}

func compareInterventions(a, b model.Intervention) int {
	return cmp.Or(
		comparePoints(a.At, b.At),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.To, b.To),
		cmp.Compare(a.Fault, b.Fault),
	)
}

func comparePoints(a, b model.Point) int {
	return cmp.Or(
		cmp.Compare(a.Op, b.Op),
		cmp.Compare(pointRank(a.Kind), pointRank(b.Kind)),
		cmp.Compare(a.Nth, b.Nth),
	)
}
