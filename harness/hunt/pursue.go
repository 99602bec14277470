package hunt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// Pursue turns one program's violation into a finding, for callers that search on their own: it is
// confirmed, shrunk and written down as in a hunt. It returns false when it did not show again on
// databases made anew.
func Pursue(ctx context.Context, o Options, p model.Program, v check.Violation) (Finding, bool, error) {
	h := newHunt(o)
	f := Finding{Fingerprint: v.Fingerprint(), Violation: v, Program: p}
	confirmed, err := h.confirm(ctx, &f)
	if err == nil {
		err = h.err
	}
	return f, confirmed, err
}

// pursue makes a finding of a violation that a search came upon.
func (h *hunt) pursue(ctx context.Context, number int, p model.Program, v check.Violation) {
	h.shrinking.Lock()
	defer h.shrinking.Unlock()
	h.mu.Lock()
	if h.full() {
		// Another worker's finding was the last one wanted, while this one waited for its turn.
		delete(h.seen, v.Fingerprint())
		h.mu.Unlock()
		return
	}
	f := Finding{Fingerprint: v.Fingerprint(), Violation: v, Program: p, Case: number,
		Executions: h.sum.Executions, FoundAfter: time.Since(h.began)}
	h.mu.Unlock()
	for next := &f; next != nil; {
		next = h.complete(ctx, next)
	}
}

// complete makes a finding whole and reports it. One fault often shows in several ways, and the way that
// a search comes upon first need not be the simplest: where shrinking met a smaller program with another
// fingerprint, that one is returned, to be made a finding of its own.
func (h *hunt) complete(ctx context.Context, f *Finding) (smaller *Finding) {
	confirmed, err := h.confirm(ctx, f)
	if !confirmed {
		h.unconfirmed(ctx, *f, err)
		return nil
	}
	h.mu.Lock()
	h.sum.Findings = append(h.sum.Findings, *f)
	h.tell(Progress{Found: f})
	if h.full() {
		h.stop()
	}
	h.mu.Unlock()
	side := f.aside
	if side == nil || ctx.Err() != nil || side.Program.Len()+len(side.Program.Schedule) >= f.Operations+f.Interventions {
		return nil
	}
	if h.claim(side.Fingerprint) {
		side.Case, side.Executions, side.FoundAfter = f.Case, f.Executions, f.FoundAfter
		return side
	}
	return nil
}

// full reports that there are as many findings as are wanted, those apart that were met while one was shrunk; the
// lock is held.
func (h *hunt) full() bool {
	n := 0
	for _, f := range h.sum.Findings {
		if !f.Aside {
			n++
		}
	}
	return h.o.MaxFindings > 0 && n >= h.o.MaxFindings
}

// confirm completes a finding: it must show again on databases made anew, is shrunk, must show again
// once more, and is written down.
func (h *hunt) confirm(ctx context.Context, f *Finding) (bool, error) {
	p := f.Program
	trials := confirmations
	if h.loose(p) {
		trials = freeConfirmations
	}
	first, err := Replay(ctx, h.o.Runner, p, f.Fingerprint, trials)
	if err != nil || first.Same == 0 {
		return false, err
	}
	p, first = h.realise(ctx, p, f.Fingerprint, first)
	smallest := h.shrink(ctx, p, f)
	last, err := Replay(ctx, h.o.Runner, smallest, f.Fingerprint, trials)
	if err == nil && last.Same < first.Same && (!h.loose(p) || last.Same == 0) {
		// Smaller but less certain: the user is better served by what replays.
		smallest, last, f.Minimal = p, first, false
	}
	if err != nil {
		last = first
		if smallest.String() != p.String() {
			// Interrupted: what is told has to be of this program.
			last.History, last.Violation = f.shown.of(smallest)
		}
	}
	f.Program, f.Reproduced, f.Trials = smallest, last.Same, last.Times
	if last.Violation != nil {
		f.Violation = *last.Violation
	}
	f.Operations, f.Interventions = smallest.Len(), len(smallest.Schedule)
	h.write(f, last.History)
	return true, nil
}

// realise replaces a program's strategy by what it chose, if that shows the same as surely.
func (h *hunt) realise(ctx context.Context, p model.Program, fingerprint string, first Replayed) (model.Program, Replayed) {
	if p.Strategy == (model.Strategy{}) {
		return p, first
	}
	q := p.Clone()
	q.Strategy, q.Schedule = model.Strategy{}, first.History.Realised
	again, err := Replay(ctx, h.o.Runner, q, fingerprint, first.Times)
	if err != nil || again.Same < first.Same {
		return p, first
	}
	return q, again
}

func (h *hunt) unconfirmed(ctx context.Context, f Finding, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	note := f.Fingerprint
	switch {
	case ctx.Err() != nil:
		note += " (interrupted before it could be confirmed)"
	case err != nil:
		note = fmt.Sprintf("%s (%v)", f.Fingerprint, err)
	}
	h.sum.Unconfirmed = append(h.sum.Unconfirmed, fmt.Sprintf("%s in case %d: %s", note, f.Case, f.Violation.Sentence))
	delete(h.seen, f.Fingerprint)
}

// loose reports whether a program may show its fault in one execution and not in the next.
func (h *hunt) loose(p model.Program) bool { return p.Mode == model.Free || h.o.Loose }

// A race that runs free shows its fault now and then. A candidate gets freeTrials executions before it
// counts as passing: one that fails in half of them is wrongly passed over once in 32. What is reported
// is how many of freeConfirmations executions showed it.
const (
	freeTrials        = 5
	freeConfirmations = 10
)

// quickDeadline is how long a candidate may take while a hang is being shrunk. Only what shows with
// the program's own deadline, too, is reported.
const quickDeadline = 250 * time.Millisecond

func (h *hunt) shrink(ctx context.Context, p model.Program, f *Finding) model.Program {
	hang := f.Violation.Invariant == "progress"
	began, executions := time.Now(), 0
	run := func(ctx context.Context, c model.Program) (shrink.Outcome, error) {
		if hang && c.OpDeadline() > quickDeadline {
			c.Deadline = quickDeadline
		}
		out, err := h.o.Runner.Do(ctx, worker.Case{Program: c.String(), Quick: true})
		if err != nil {
			return shrink.Outcome{}, err
		}
		executions++
		h.mu.Lock()
		h.tell(Progress{Shrinking: f.Fingerprint, Candidates: executions})
		h.mu.Unlock()
		// A worker that died has said what its schedule did, and not which steps it came to.
		under := len(out.History.Steps) > 0 || c.Mode == model.Gated && out.Died != nil
		result := shrink.Outcome{Gated: under, Realised: out.History.Realised}
		for _, s := range out.History.Steps {
			result.Points = append(result.Points, s.Point)
		}
		v := out.Verdict.First()
		if v == nil {
			return result, nil
		}
		if v.Fingerprint() != f.Fingerprint && (f.aside == nil || shrink.Less(c, f.aside.Program)) {
			c.Deadline = p.Deadline
			f.aside = &Finding{Fingerprint: v.Fingerprint(), Violation: *v, Program: c, Aside: true}
		}
		if v.Fingerprint() == f.Fingerprint {
			f.shown = shownBy{c.String(), out.History, v}
		}
		result.Fingerprint, result.LastOp = v.Fingerprint(), v.Op
		return result, nil
	}
	opts := shrink.Options{MaxExecutions: h.o.ShrinkExecutions, Trials: 1}
	if h.loose(p) {
		opts.Trials = freeTrials
	}
	if h.o.ShrinkBudget > 0 {
		opts.Until = func() bool { return time.Since(began) > h.o.ShrinkBudget }
	}
	res, err := shrink.Shrink(ctx, p, f.Fingerprint, run, opts)
	f.Shrink, f.ShrinkTook = executions, time.Since(began)
	if err != nil {
		return p
	}
	f.Minimal = res.Complete
	return res.Program.Renumber()
}

// shownBy is the last candidate that showed a finding, and how it went.
type shownBy struct {
	program   string
	history   history.History
	violation *check.Violation
}

// of returns how a program went, if it is the last that showed the finding.
func (s shownBy) of(p model.Program) (history.History, *check.Violation) {
	if s.program != p.String() {
		return history.History{}, nil
	}
	return s.history, s.violation
}

func (h *hunt) write(f *Finding, hist history.History) {
	f.History = hist
	if h.o.Out == "" {
		return
	}
	meta := h.o.Meta
	meta.Seed, meta.Case = fmt.Sprint(h.o.Seed), fmt.Sprint(f.Case)
	meta.Reproduced = fmt.Sprintf("%d of %d", f.Reproduced, f.Trials)
	r := repro.New(meta, f.Program, f.Violation, hist)
	var page bytes.Buffer // empty: the violation is not of an order
	_, noPage := check.Visualize(&page, f.Program, hist, f.Violation)
	if noPage != nil {
		page.Reset()
	}
	var err error
	f.Repro, err = report.Save(h.o.Out, repro.Name(r), r, hist, page.Bytes())
	if err = errors.Join(noPage, err); err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.err == nil {
			h.err = fmt.Errorf("write the repro of %s: %w", f.Fingerprint, err)
		}
	}
}
