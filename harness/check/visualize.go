package check

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Visualize draws a violation for which no order of the concurrent operations was found: a page of HTML
// that shows the operations over time, how far an order explains them, and where it ends. It judges the
// part of the history again that the violation is of, and returns false, having written nothing, where
// that does not show v: v was found otherwise, or could not be decided this time. The same history gives
// the same page, which holds no text that the service made up.
func Visualize(w io.Writer, p model.Program, h history.History, v Violation) (ok bool, err error) {
	if v.Position < 0 || v.Position >= len(h.Entries) {
		return false, nil
	}
	b := &board{rows: map[string]*Result{}}
	walk(p, h, b, func(from int, s *model.State) {
		r := newRace(p, h, from, s, b)
		for project := range p.Projects {
			if !ok && err == nil && len(r.tenants[project]) <= longRace {
				ok, err = draw(w, r, p, v, r.tenantSpec(project), r.tenants[project])
			}
		}
		if !ok && err == nil && r.recencyKnown() {
			ok, err = draw(w, r, p, v, r.recencySpec(), r.pools)
		}
	})
	return ok, err
}

// draw draws the events where they show v.
func draw[S any](w io.Writer, r *race, p model.Program, v Violation, s spec[S], events []event) (bool, error) {
	if !slices.ContainsFunc(events, func(e event) bool { return e.entry == v.Position }) {
		return false, nil
	}
	result, culprit, m := s.judge(events)
	if result != porcupine.Illegal || culprit.entry != v.Position || m.Invariant != v.Invariant || m.Kind != v.Kind {
		return false, nil
	}
	at := slices.IndexFunc(events, func(e event) bool { return e.entry == culprit.entry })
	events = onPaper(events)
	rows := rowsOf(events, p.Sessions)
	ops := make([]porcupine.Operation, len(events))
	for i, e := range events {
		ops[i] = porcupine.Operation{ClientId: rows[i], Input: e, Call: e.call, Return: e.end}
	}
	checked := s.porcupine()
	checked.DescribeOperation = func(input, _ any) string {
		e := input.(event)
		return called(r.h.Entries[e.entry], *e.op) + " → " + answer(p, *e.op, *e.response)
	}
	result, info := porcupine.CheckOperationsVerbose(checked, ops, linearTime)
	if result != porcupine.Illegal {
		return false, nil
	}
	for _, orders := range info.PartialLinearizations() {
		// They come in the order of a map.
		slices.SortFunc(orders, func(a, b []int) int { return cmp.Or(cmp.Compare(len(b), len(a)), slices.Compare(a, b)) })
	}
	info.AddAnnotations([]porcupine.Annotation{{
		Tag: v.Fingerprint(), Start: events[at].call, End: events[at].end,
		Description: "no order is left", Details: called(r.h.Entries[culprit.entry], *culprit.op) + ": when it ended, no order of the operations explained every answer",
	}})
	if err := porcupine.Visualize(checked, info, w); err != nil {
		return false, fmt.Errorf("visualize %s: %w", v.Fingerprint(), err)
	}
	return true, nil
}

// onPaper returns the events with those that never end ending after all others.
func onPaper(events []event) []event {
	events = slices.Clone(events)
	var last int64
	for _, e := range events {
		last = max(last, e.call)
		if e.end != never {
			last = max(last, e.end)
		}
	}
	for i := range events {
		if events[i].end == never {
			events[i].end = last + 1
		}
	}
	return events
}

// rowsOf gives every event a row to be drawn in: its session's or, where that is taken (by an operation
// that is still under way for all one knows, or by the other part of a release), one below.
func rowsOf(events []event, sessions int) []int {
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(events[a].call, events[b].call) })
	rows := make([]int, len(events))
	taken := make([]int64, sessions) // by row: until when
	for i := range taken {
		taken[i] = -1
	}
	for _, i := range order {
		row := events[i].op.Session
		if taken[row] >= events[i].call {
			row = sessions
			for row < len(taken) && taken[row] >= events[i].call {
				row++
			}
		}
		if row == len(taken) {
			taken = append(taken, 0)
		}
		rows[i], taken[row] = row, events[i].end
	}
	return rows
}

// called is an operation as a picture calls it: a part of a release is one of its own.
func called(e history.Entry, o model.Op) string {
	e.Op = o
	return name(e)
}

// shownCanaries is how many canaries of an answer a picture names.
const shownCanaries = 4

// answer is what came of an operation, in short. Only numbers, kinds and canaries are taken from the
// service: what it says in words may name the machine it runs on.
func answer(p model.Program, o model.Op, r model.Response) string {
	switch {
	case r.Status == model.StatusError:
		return "error " + string(r.Error)
	case r.Status != model.StatusOK:
		return r.Status.String()
	case r.Stats != nil:
		return fmt.Sprintf("pools %s; hits + misses %d, creations %d, evictions %d, drops %d", pools(p, r.Stats.Pools),
			r.Stats.CacheHits+r.Stats.CacheMisses, r.Stats.Creations, r.Stats.Evictions, r.Stats.Drops)
	case o.Kind != model.KindSearch:
		return r.Status.String()
	case len(r.Matches) == 0:
		return "nothing"
	}
	var text strings.Builder
	for _, m := range r.Matches {
		text.WriteString(m.Path + " " + m.Content + "\n")
	}
	found := model.FindCanaries(text.String())
	if len(found) == 0 {
		return "no canaries"
	}
	var words []string
	for _, c := range found[:min(len(found), shownCanaries)] {
		words = append(words, c.String())
	}
	if more := len(found) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// pools names the pools as programs do.
func pools(p model.Program, resident []model.PoolStats) string {
	if len(resident) == 0 {
		return "none"
	}
	words := make([]string, len(resident))
	for i, pool := range resident {
		words[i] = "unknown"
		for project := range p.Projects {
			if p.ProjectName(project) == pool.Project {
				words[i] = fmt.Sprintf("p%d", project)
			}
		}
	}
	return strings.Join(words, " ")
}
