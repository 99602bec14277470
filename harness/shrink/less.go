package shrink

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/model"
)

// Less is the canonical order of programs: it says whether a is the simpler one. It is total on
// programs whose texts differ, and below every program there are only finitely many others, so
// whoever goes from program to lesser program ends.
//
// What is compared, the first difference deciding: operations plus interventions; projects; sessions;
// max_projects; the family of names; how demanding the verbs are, where an operation of the race and
// one on the session's active project count for more; whether projects and sessions are numbered in the
// order of their first use; how far the fields are from their simplest values; the operations one by one; the interventions one by one; the text.
func Less(a, b model.Program) bool { return compare(a, b) < 0 }

func compare(a, b model.Program) int {
	if c := cmp.Or(
		cmp.Compare(size(a), size(b)),
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
		slices.CompareFunc(a.Schedule, b.Schedule, compareInterventions),
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
	for _, in := range p.Schedule {
		fields += int(in.Kind) + in.Message + slices.Index(model.Faults, in.Fault) + 1
	}
	return verbs, fields
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

func compareInterventions(a, b model.Intervention) int {
	return cmp.Or(
		cmp.Compare(a.Op, b.Op),
		cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.To, b.To),
		cmp.Compare(a.Fault, b.Fault),
	)
}
