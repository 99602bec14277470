package check

import (
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checker looks at a history for some families of invariants.
type checker func(model.Program, history.History, *board)

// board collects what the checkers find, a row a family.
type board struct{ rows map[string]*Result }

func (b *board) row(family string) *Result {
	r, ok := b.rows[family]
	if !ok {
		r = &Result{Invariant: family}
		b.rows[family] = r
	}
	return r
}

// looked counts n things of a family that were looked at.
func (b *board) looked(family string, n int) { b.row(family).Checked += n }

func (b *board) violate(v Violation) {
	r := b.row(v.Invariant)
	r.Violations = append(r.Violations, v)
}

// explain adds to the evidence of every violation which connections broke: that may be why, and is never
// what is wrong.
func (b *board) explain(broken []string) {
	for _, r := range b.rows {
		for i := range r.Violations {
			for _, why := range broken {
				r.Violations[i].Evidence = append(r.Violations[i].Evidence, "broken: "+why)
			}
		}
	}
}

// lacks says that the target cannot show what the family is about.
func (b *board) lacks(family, note string) {
	r := b.row(family)
	r.Status, r.Note = NotApplicable, note
}

// undecided says that something of a family could not be judged, so that it does not pass.
func (b *board) undecided(family, note string) {
	r := b.row(family)
	r.Status, r.Note = Inconclusive, note
}

// Judge judges one case. A family of which nothing was seen is inconclusive; a case in which no family
// failed and none passed is inconclusive, too. The row of LatencyFamily is there only if round trips were
// counted. Interventions that could not happen change nothing: the history is judged, not the schedule.
func Judge(p model.Program, h history.History) Verdict {
	if len(h.Outside) > 0 {
		return unseen(h)
	}
	b := &board{rows: map[string]*Result{}}
	for _, check := range []checker{checkPanic, checkIsolation, checkOracle, checkProgress, checkLeak, checkRoundTrips} {
		check(p, h, b)
	}
	b.explain(h.Broken)
	families := Families
	if b.row(LatencyFamily).Checked > 0 {
		families = allFamilies()
	}
	var v Verdict
	for _, family := range families {
		r := b.row(family)
		switch {
		case len(r.Violations) > 0:
			r.Status = Fail
		case r.Status == NotApplicable, r.Status == Inconclusive:
		case r.Checked > 0:
			r.Status = Pass
		default:
			r.Status = Inconclusive
		}
		v.Results = append(v.Results, *r)
	}
	v.Status = v.overall()
	return v
}

// unseen judges a history of which the gate saw a part only. What went past it may have come in between
// anywhere, so what was seen proves nothing.
func unseen(h history.History) Verdict {
	note := "connections did not come through the gate, so that nothing can be said: " + strings.Join(h.Outside, ", ")
	v := Verdict{Status: Inconclusive}
	for _, family := range allFamilies() {
		v.Results = append(v.Results, Result{Invariant: family, Status: Inconclusive, Note: note})
	}
	return v
}

func allFamilies() []string { return append(slices.Clone(Families), LatencyFamily) }

func (v Verdict) overall() Status {
	has := func(s Status) bool {
		return slices.ContainsFunc(v.Results, func(r Result) bool { return r.Status == s })
	}
	switch {
	case has(Fail):
		return Fail
	case has(Pass):
		return Pass
	}
	return Inconclusive
}

// verbOf names the operation that suffered: what the audit asks is asked of stored state, so it counts
// as the same kind of operation that a program would have used.
func verbOf(e history.Entry) string { return e.Op.Kind.String() }

func position(h history.History, i int) int {
	if i < 0 {
		return len(h.Entries)
	}
	return i
}

// opID is the program's operation, or 0 for one of the audit's.
func opID(e history.Entry) int {
	if e.Audit {
		return 0
	}
	return e.Op.ID
}

// name is how a sentence calls the entry's operation.
func name(e history.Entry) string {
	if !e.Audit {
		return e.Op.String()
	}
	o := e.Op.String()
	if i := len("#0 s0 "); len(o) > i {
		o = o[i:]
	}
	return "at the end, " + o
}
