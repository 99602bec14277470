// Package shrink finds the smallest program that still fails in the same way.
//
// It knows nothing of how programs are run: it is given a [Run] function, changes a failing program in
// many ways, and keeps a change where the changed program is simpler (see [Less]) and fails with the
// same fingerprint. It ends when no change helps any more. The last passes only tidy up, so that one
// fault ends in one program wherever it started, and findings can be compared by their text.
package shrink

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenantstorm/tenantstorm/model"
)

// Outcome is what came of running a program once.
type Outcome struct {
	// Fingerprint names the failure; "" means that the program did not fail.
	Fingerprint string
	// LastOp is the ID of the last operation that had to run for the failure to show; 0: unknown, or
	// it shows only at the end.
	LastOp int
	// Gated reports that the race ran under a gate, so that Realised and Points tell how it went.
	Gated bool
	// Realised are the deviations from the default schedule that happened, in order: the schedule which,
	// without a strategy, does the same again.
	Realised []model.Intervention
	// Points are the points of the race, in the order in which operations were let go on from them.
	Points []model.Point
}

// Run runs a program once. An error means that the program could not be run or judged, which says
// nothing about it. Programs come with IDs 1, 2, … and are the callee's own.
type Run func(ctx context.Context, p model.Program) (Outcome, error)

// Options are the limits of a shrink. The zero value has none and runs each candidate once.
type Options struct {
	// MaxExecutions is how often Run may be called, retries and trials included; 0: no limit.
	MaxExecutions int
	// Until reports that time is up. It is asked before each execution; nil: never.
	Until func() bool
	// Trials is how often a candidate is run before it counts as passing: 1 (and 0) where programs
	// replay exactly, more where a failure shows only sometimes.
	Trials int
	// Progress, where it is not nil, is called after each execution, from the goroutine that called
	// Shrink.
	Progress func(Progress)
}

// Progress is how far a shrink has come.
type Progress struct {
	Pass          string // the pass at work
	Executions    int
	Operations    int // of the best program so far
	Interventions int
}

// Result is what a shrink came to.
type Result struct {
	// Program is the simplest program found that fails with the fingerprint; IDs run from 1.
	Program model.Program
	// Executions is how often Run was called.
	Executions int
	// Candidates is how many changed programs were considered, run or not.
	Candidates int
	// Complete reports that no pass can make the program simpler.
	Complete bool
	// Stopped says why the shrink is not complete: [ErrLimit], the context's error, or what kept
	// candidates from being run. It is nil when the shrink is complete.
	Stopped error
	// Passes tells what each pass did, in the order of their first turn.
	Passes []PassCount
}

// PassCount is what one pass did.
type PassCount struct {
	Name       string
	Executions int // runs of its candidates
	Accepted   int // candidates that became the best program so far
}

var (
	// ErrNotFailing is returned for a program that does not fail with the fingerprint to begin with.
	ErrNotFailing = errors.New("the program does not fail with this fingerprint")
	// ErrLimit stands in Result.Stopped when MaxExecutions or Until ended the shrink.
	ErrLimit = errors.New("the limit of shrinking is reached")
	// ErrUnrunnable stands in Result.Stopped, with the cause, when candidates could not be run.
	ErrUnrunnable = errors.New("candidates could not be run")
)

// startTrials is how many times more trials the program to begin with gets where trials are needed at
// all: giving up on it costs the whole shrink, a candidate only itself.
const startTrials = 4

// Shrink returns the simplest program it can find that fails with the fingerprint as p does.
//
// It returns an error only when there is nothing to shrink: p is not valid, cannot be run, or does not
// fail with the fingerprint (ErrNotFailing); the result then holds p. Whatever ends the shrink later,
// be it ctx, leaves the best program so far in the result, and Stopped says what it was.
//
// Where p has a strategy and the outcome tells what it did, the schedule that was realised takes its
// place, if the program then fails in the same way.
func Shrink(ctx context.Context, p model.Program, fingerprint string, run Run, o Options) (Result, error) {
	s := &shrinker{ctx: ctx, run: run, options: o, fingerprint: fingerprint, passing: map[memoKey]bool{}, points: map[memoKey][]model.Point{}, current: p}
	s.options.Trials = max(1, o.Trials)
	if fingerprint == "" {
		return s.result(), fmt.Errorf("shrink: %w: it is empty", ErrNotFailing)
	}
	if err := p.Validate(); err != nil {
		return s.result(), fmt.Errorf("shrink: %w", err)
	}
	if err := s.begin(p.Renumber()); err != nil {
		return s.result(), err
	}
	if s.stopped == nil {
		s.fixpoint()
	}
	return s.result(), nil
}

// begin runs the program to begin with.
func (s *shrinker) begin(p model.Program) error {
	s.enter("start")
	trials := s.options.Trials
	if trials > 1 {
		trials *= startTrials
	}
	out, verdict := s.judge(p, trials)
	switch verdict {
	case failing:
		s.accept(p, out)
	case notFailing:
		return fmt.Errorf("shrink: %w", ErrNotFailing)
	case notRun:
		if s.stopped == nil {
			return fmt.Errorf("shrink: %w: %w", ErrUnrunnable, s.lastErr)
		}
	}
	return nil
}

// fixpoint takes the passes in turn until none of them changes anything. A costly pass has its turn
// only when nothing before it in the round has changed the program.
func (s *shrinker) fixpoint() {
	for {
		before := s.accepted
		s.notRun = 0
		for _, p := range passes() {
			if p.costly && s.accepted != before {
				break
			}
			s.enter(p.name)
			p.run(s)
			if s.stopped != nil {
				return
			}
		}
		if s.accepted == before {
			s.complete = s.notRun == 0
			if !s.complete {
				s.stopped = fmt.Errorf("%w: %w", ErrUnrunnable, s.lastErr)
			}
			return
		}
	}
}

// pass is one way of making programs simpler. Its run function offers candidates to shrinker.try.
type pass struct {
	name   string
	costly bool // offers many candidates; has its turn when the others are of no use any more
	run    func(*shrinker)
}

// passes in their order: those that remove much for few executions come first.
func passes() []pass {
	return []pass{
		{name: "cut", run: passCut},
		{name: "realised", run: passRealised},
		{name: "mode", run: passMode},
		{name: "chunks", run: passChunks},
		{name: "interventions", run: passInterventions},
		{name: "begin", run: passBegin},
		{name: "max projects", run: passMaxProjects},
		{name: "explicit", run: passExplicit},
		{name: "projects", run: passProjects},
		{name: "sessions", run: passSessions},
		{name: "names", run: passNames},
		{name: "setup", run: passSetup},
		{name: "fields", run: passFields},
		{name: "kinds", run: passKinds},
		{name: "pairs", costly: true, run: passPairs},
		{name: "cancels", costly: true, run: passCancels},
		{name: "lateral", costly: true, run: passLateral},
		{name: "reorder", costly: true, run: passReorder},
		{name: "replace", costly: true, run: passReplace},
		{name: "schedules", costly: true, run: passSchedules},
	}
}
