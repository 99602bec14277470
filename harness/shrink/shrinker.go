package shrink

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// unrunnableInARow is how many candidates in a row may be impossible to run before the environment,
// rather than the candidates, is to blame.
const unrunnableInARow = 3

// memoKey stands for a program's text: a long program times thousands of candidates is too much to keep.
type memoKey [sha256.Size]byte

// shrinker is one shrink under way.
type shrinker struct {
	ctx         context.Context // a shrinker lives no longer than one call of Shrink
	run         Run
	options     Options
	fingerprint string

	current model.Program // the simplest failing program so far, IDs from 1
	last    Outcome       // what came of it
	passing map[memoKey]bool
	points  map[memoKey][]model.Point // where the race of each program that was run came to

	executions, candidates, accepted int
	notRun                           int   // candidates passed over in this round
	notRunInARow                     int   // since the last one that could be run
	lastErr                          error // why the last of them could not be run
	complete                         bool
	stopped                          error
	counts                           []PassCount
	counting                         int // index in counts of the pass at work
}

type verdict int

const (
	notRun verdict = iota
	notFailing
	failing
)

// enter begins a pass's turn.
func (s *shrinker) enter(name string) {
	s.counting = slices.IndexFunc(s.counts, func(c PassCount) bool { return c.Name == name })
	if s.counting < 0 {
		s.counting = len(s.counts)
		s.counts = append(s.counts, PassCount{Name: name})
	}
}

// try makes p the current program if it is simpler and fails in the same way.
func (s *shrinker) try(p model.Program) bool {
	if s.stopped != nil {
		return false
	}
	s.candidates++
	p = p.Renumber()
	if !Less(p, s.current) || p.Validate() != nil {
		return false
	}
	key := keyOf(p)
	if s.passing[key] {
		return false
	}
	out, v := s.judge(p, s.options.Trials)
	switch v {
	case failing:
		s.notRunInARow = 0
		s.accept(p, out)
		s.accepted++
		s.counts[s.counting].Accepted++
		return true
	case notFailing:
		s.notRunInARow = 0
		s.passing[key] = true
	case notRun:
		if s.stopped != nil {
			return false
		}
		s.notRun++
		if s.notRunInARow++; s.notRunInARow >= unrunnableInARow {
			s.stopped = fmt.Errorf("%w, %d in a row: %w", ErrUnrunnable, s.notRunInARow, s.lastErr)
		}
	}
	return false
}

func keyOf(p model.Program) memoKey { return sha256.Sum256([]byte(p.String())) }

// accept makes p, which failed, the current program. One that failed under a strategy gives way to the
// same program with the schedule that the strategy made, if that fails in the same way: only an explicit
// schedule can be made smaller bit by bit.
//
// The interventions of an explicit schedule are put in the order in which they happened, which changes
// nothing but how they read.
func (s *shrinker) accept(p model.Program, out Outcome) {
	s.current, s.last = p, out
	if !out.Gated {
		return
	}
	if p.Strategy == (model.Strategy{}) {
		if slices.Equal(inOrder(p.Schedule), inOrder(out.Realised)) {
			s.current = withSchedule(p, out.Realised)
		}
		return
	}
	q := withSchedule(p, realised(p, out))
	q.Strategy = model.Strategy{}
	key := keyOf(q)
	if s.passing[key] || q.Validate() != nil {
		return
	}
	switch out, v := s.judge(q, s.options.Trials); v {
	case failing:
		s.accept(q, out)
	case notFailing:
		s.passing[key] = true
	}
}

// judge runs p until it fails with the fingerprint, at most so many times.
func (s *shrinker) judge(p model.Program, trials int) (Outcome, verdict) {
	for range trials {
		out, ok := s.execute(p)
		if !ok {
			return Outcome{}, notRun
		}
		if out.Fingerprint == s.fingerprint {
			return out, failing
		}
	}
	return Outcome{}, notFailing
}

// execute runs p once, and once more if that was not possible.
func (s *shrinker) execute(p model.Program) (Outcome, bool) {
	for range 2 {
		if s.stopped = s.over(); s.stopped != nil {
			return Outcome{}, false
		}
		s.executions++
		s.counts[s.counting].Executions++
		out, err := s.run(s.ctx, p.Clone())
		if s.options.Progress != nil {
			s.options.Progress(Progress{s.counts[s.counting].Name, s.executions, s.current.Len(), len(s.current.Schedule)})
		}
		if err == nil {
			if out.Gated {
				s.points[keyOf(p)] = out.Points
			}
			return out, true
		}
		s.lastErr = err
	}
	s.stopped = s.over() // a cancelled context is not the candidate's fault
	return Outcome{}, false
}

// over says why there must be no further execution, or nil.
func (s *shrinker) over() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.options.MaxExecutions > 0 && s.executions >= s.options.MaxExecutions || s.options.Until != nil && s.options.Until() {
		return ErrLimit
	}
	return nil
}

func (s *shrinker) result() Result {
	return Result{
		Program: s.current, Executions: s.executions, Candidates: s.candidates,
		Complete: s.complete, Stopped: s.stopped, Passes: s.counts,
	}
}

// ids returns the operations' IDs.
func ids(ops []model.Op) []int {
	out := make([]int, len(ops))
	for i, o := range ops {
		out[i] = o.ID
	}
	return out
}

// replaced returns the program with the operation of o's ID changed to o.
func replaced(p model.Program, o model.Op) model.Program {
	return p.Edit(func(old model.Op) model.Op {
		if old.ID == o.ID {
			return o
		}
		return old
	}).Without() // what referred to the old operation may have nothing to refer to now
}
