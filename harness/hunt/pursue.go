package hunt

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
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
	if h.o.MaxFindings > 0 && len(h.sum.Findings) >= h.o.MaxFindings {
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
	full := h.o.MaxFindings > 0 && len(h.sum.Findings) >= h.o.MaxFindings
	if full {
		h.stop()
	}
	h.mu.Unlock()
	if side := f.aside; side != nil && !full && side.Program.Len() < f.Operations && ctx.Err() == nil && h.claim(side.Fingerprint) {
		side.Case, side.Executions, side.FoundAfter = f.Case, f.Executions, f.FoundAfter
		return side
	}
	return nil
}

// confirm completes a finding: it must show again on databases made anew, is shrunk, must show again
// once more, and is written down.
func (h *hunt) confirm(ctx context.Context, f *Finding) (bool, error) {
	p := f.Program
	trials := confirmations
	if p.Mode == model.Free {
		trials = freeConfirmations
	}
	first, err := Replay(ctx, h.o.Runner, p, f.Fingerprint, trials)
	if err != nil || first.Same == 0 {
		return false, err
	}
	p, first = h.realise(ctx, p, f.Fingerprint, first)
	smallest := h.shrink(ctx, p, f)
	last, err := Replay(ctx, h.o.Runner, smallest, f.Fingerprint, trials)
	if err == nil && last.Same < first.Same && (p.Mode != model.Free || last.Same == 0) {
		// Smaller but less certain: the user is better served by what replays.
		smallest, last, f.Minimal = p, first, false
	}
	if err != nil {
		last = first
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

// A race that runs free shows its fault now and then. A candidate gets freeTrials executions before it
// counts as passing: one that fails in half of them is wrongly passed over once in 32. What is reported
// is how many of freeConfirmations executions showed it.
const (
	freeTrials        = 5
	freeConfirmations = 10
)

// quickDeadline is how long a candidate may take while a hang is being shrunk. Only what shows with
// the program's own deadline, too, is reported.
const quickDeadline = 700 * time.Millisecond

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
		result := shrink.Outcome{Gated: len(out.History.Steps) > 0, Realised: out.History.Realised}
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
		result.Fingerprint, result.LastOp = v.Fingerprint(), v.Op
		return result, nil
	}
	opts := shrink.Options{MaxExecutions: h.o.ShrinkExecutions, Trials: 1}
	if p.Mode == model.Free {
		opts.Trials = freeTrials
	}
	if h.o.ShrinkBudget > 0 {
		opts.Until = func() bool { return time.Since(began) > h.o.ShrinkBudget }
	}
	res, err := shrink.Shrink(ctx, p, f.Fingerprint, run, opts)
	f.Shrink = executions
	if err != nil {
		return p
	}
	f.Minimal = res.Complete
	return res.Program.Renumber()
}

// Replayed is what came of executing one program several times.
type Replayed struct {
	Times     int
	Same      int              // executions that showed the fingerprint
	Other     map[string]int   // executions that showed another one
	Diverged  int              // executions that did not, and in which the schedule could not be followed
	Where     []string         // of the last of those: what could not be done
	Differing int              // executions whose steps under the gate were not those of the first
	Differ    string           // where the last of them did
	Unknown   int              // executions that say nothing: the worker was killed from outside
	Violation *check.Violation // the last one with the fingerprint
	History   history.History  // its history
	Last      *worker.Outcome
}

// Replay executes a program so many times, on databases made anew, and counts how often it shows the
// fingerprint; "" means whatever shows first.
func Replay(ctx context.Context, runner Runner, p model.Program, fingerprint string, times int) (Replayed, error) {
	r := Replayed{Other: map[string]int{}}
	var steps []history.Step
	for i := range times {
		out, err := runner.Do(ctx, worker.Case{Program: p.String(), Fresh: true})
		if err != nil {
			return r, err
		}
		r.Times++
		r.Last = &out
		if i == 0 {
			steps = out.History.Steps
		} else if where := Differ(steps, out.History.Steps); where != "" && out.Died == nil {
			r.Differing++
			r.Differ = where
		}
		v := out.Verdict.First()
		if len(out.History.Diverged) > 0 && (v == nil || fingerprint != "" && v.Fingerprint() != fingerprint) {
			r.Diverged++
			r.Where = out.History.Diverged
			continue
		}
		switch {
		case v == nil && out.Verdict.Status != check.Pass:
			r.Unknown++
		case v == nil:
		case fingerprint == "" || v.Fingerprint() == fingerprint:
			fingerprint = v.Fingerprint()
			r.Same++
			r.Violation, r.History = v, out.History
		default:
			r.Other[v.Fingerprint()]++
		}
	}
	return r, nil
}

func (h *hunt) write(f *Finding, hist history.History) {
	if h.o.Out == "" {
		return
	}
	meta := h.o.Meta
	meta.Seed, meta.Case = fmt.Sprint(h.o.Seed), fmt.Sprint(f.Case)
	path, err := repro.Save(h.o.Out, repro.Repro{Meta: meta, Program: f.Program, Violation: f.Violation, History: repro.Lines(hist)})
	if err == nil {
		f.Repro = filepath.Clean(path)
		var page bytes.Buffer // empty: the violation is not of an order
		if _, err = check.Visualize(&page, f.Program, hist, f.Violation); err == nil {
			err = repro.SaveVisualization(path, page.Bytes())
		}
	}
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.err == nil {
			h.err = fmt.Errorf("write the repro of %s: %w", f.Fingerprint, err)
		}
	}
}
