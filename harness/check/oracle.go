package check

import (
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkOracle takes the model over the history and reports where the service leaves it. What follows a
// wrong answer cannot be judged against a state that the service no longer shares, so it stops at the
// first. From where operations overlap, checkRace takes over.
func checkOracle(p model.Program, h history.History, b *board) {
	walk(p, h, b, func(from int, s *model.State) { checkRace(p, h, from, s, b) })
}

// walk takes the model over the part of the history in which one operation followed another. Where they
// overlap it hands over to race, unless there is a wrong answer before.
func walk(p model.Program, h history.History, b *board, race func(from int, s *model.State)) {
	s := model.NewState(p)
	inOrder := map[int]bool{} // the setup's operations: a race may have a million
	for _, o := range p.Setup {
		inOrder[o.ID] = true
	}
	for i, e := range h.Entries {
		if !s.Judged() {
			return
		}
		if p.Mode != model.Sequential && !inOrder[e.Op.ID] && !e.Audit {
			race(i, s)
			return
		}
		exact := s.Exact()
		var m *model.Mismatch
		if e.Audit && e.Op.Kind == model.KindSearch {
			m = s.CheckSearch(e.Op.Project, e.Op, e.Response)
		} else {
			m = s.Step(e.Op, e.Response)
		}
		count(e, exact, b)
		if m == nil {
			continue
		}
		b.mismatch(e, i, m, "")
		return
	}
}

// mismatch reports that entry i answered what the model says is impossible; why ends the sentence.
func (b *board) mismatch(e history.Entry, i int, m *model.Mismatch, why string) {
	b.violate(Violation{
		Invariant: m.Invariant, Kind: m.Kind, Verb: verbOf(e), Op: opID(e), Position: i,
		Sentence: fmt.Sprintf("%s: expected %s; got %s%s", name(e), m.Want, m.Got, why),
		Evidence: evidence(e),
	})
}

// count notes which families an entry was judged by.
func count(e history.Entry, exact bool, b *board) {
	r := e.Response
	if r.Status != model.StatusOK && r.Status != model.StatusError {
		if r.Status == model.StatusSkipped && e.Op.Kind == model.KindStats {
			b.lacks("lru", "the target reports no statistics")
			b.lacks("accounting", "the target reports no statistics")
		}
		return
	}
	b.looked("errors", 1)
	switch {
	case r.Stats != nil:
		b.looked("lru", 1)
		if exact {
			b.looked("accounting", 1)
		}
	case e.Op.Kind == model.KindSearch && r.Status == model.StatusOK, len(r.Matches) > 0:
		b.looked("search", 1)
		b.looked("isolation", 1)
	}
}

// evidenceBytes is how much of each result a violation shows.
const evidenceBytes = 200

func evidence(e history.Entry) []string {
	var lines []string
	r := e.Response
	if r.Text != "" {
		lines = append(lines, fmt.Sprintf("%s: %s", r.Status, clip(r.Text)))
	}
	for _, m := range r.Matches {
		lines = append(lines, fmt.Sprintf("%s:%d %v: %s", m.Path, m.StartLine, model.FindCanaries(m.Path+" "+m.Content), clip(m.Content)))
	}
	if r.Stats != nil {
		lines = append(lines, fmt.Sprintf("%+v", *r.Stats))
	}
	return lines
}

func clip(s string) string {
	if len(s) <= evidenceBytes {
		return s
	}
	return s[:evidenceBytes] + " …"
}
