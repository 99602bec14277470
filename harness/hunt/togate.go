package hunt

import (
	"context"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// GateOptions say how long a schedule is searched for, at least one of them.
type GateOptions struct {
	Runner Runner
	// Budget is how long to search; 0: until Executions.
	Budget time.Duration
	// Executions is how many cases to run; 0: until Budget.
	Executions int
	// Spans are when the operations ran when the program failed. They are used where it does not fail
	// again.
	Spans []repro.Span
	// Progress, where it is not nil, is told of each execution.
	Progress func(Progress)
}

// Gating is what the search for a schedule came to.
type Gating struct {
	// Program is gated and shows the fingerprint in every execution; only where Found.
	Program model.Program
	Found   bool
	// Windows is how many sets of operations were tried to race, and Racing how many operations those of
	// the program are.
	Windows, Racing int
	// Executions is how many cases were run, and Free how many of them as the program stands, to see it
	// fail once more.
	Executions, Free int
}

// ToGate turns a program that fails now and then, run free, into one that fails under a schedule, and so
// every time. Of the operations that overlapped when it failed it lets a few race at a time, under schedules
// that are drawn; what went before becomes the setup. A schedule counts if it shows the same fingerprint, and
// does so again.
func ToGate(ctx context.Context, p model.Program, fingerprint string, o GateOptions) (Gating, error) {
	g := &gating{o: o, fingerprint: fingerprint, began: time.Now()}
	spans, at, err := g.failing(ctx, p)
	if err != nil {
		return g.result, err
	}
	races := windows(p, spans, at)
	g.result.Windows = len(races)
	steps := make([]int, len(races)) // that each takes
	for round := 0; len(races) > 0; round++ {
		for i, q := range races {
			if ctx.Err() != nil || g.over() {
				return g.result, nil
			}
			q.Strategy = drawn(round, steps[i])
			out, err := g.run(ctx, q)
			if err != nil {
				return g.result, err
			}
			steps[i] = max(steps[i], len(out.History.Steps))
			if !g.shows(out) {
				continue
			}
			q.Strategy, q.Schedule = model.Strategy{}, out.History.Realised
			if again, err := g.run(ctx, q); err != nil || g.shows(again) {
				g.result.Program, g.result.Found, g.result.Racing = q, err == nil, len(q.Race)
				return g.result, err
			}
		}
	}
	return g.result, nil
}

type gating struct {
	o           GateOptions
	fingerprint string
	began       time.Time
	result      Gating
}

// over reports whether the search has had its time.
func (g *gating) over() bool {
	return g.o.Budget > 0 && time.Since(g.began) > g.o.Budget || g.o.Executions > 0 && g.result.Executions >= g.o.Executions ||
		g.o.Budget <= 0 && g.o.Executions <= 0
}

func (g *gating) run(ctx context.Context, p model.Program) (worker.Outcome, error) {
	out, err := g.o.Runner.Do(ctx, worker.Case{Program: p.String(), Quick: true})
	g.result.Executions++
	if g.o.Progress != nil {
		g.o.Progress(Progress{Elapsed: time.Since(g.began), Shrinking: g.fingerprint, Candidates: g.result.Executions})
	}
	return out, err
}

func (g *gating) shows(out worker.Outcome) bool {
	v := out.Verdict.First()
	return v != nil && v.Fingerprint() == g.fingerprint
}

// failing runs the program until it fails, and returns when its operations ran and which one suffered; 0 if
// it shows at the end.
func (g *gating) failing(ctx context.Context, p model.Program) (spans []repro.Span, at int, err error) {
	for range freeConfirmations * freeTrials {
		if g.over() {
			break
		}
		out, err := g.run(ctx, p)
		g.result.Free++
		if err != nil {
			return nil, 0, err
		}
		if g.shows(out) {
			return repro.Spans(p, out.History), out.Verdict.First().Op, nil
		}
	}
	return g.o.Spans, 0, nil
}

// drawn is the strategy of a round: the default schedule once, which also tells how many steps there are,
// and from then on mostly the one that is known to reach faults of small depth.
func drawn(round, steps int) model.Strategy {
	seed := uint64(round)
	switch {
	case round == 0:
		return model.Strategy{}
	case round%4 == 0:
		return model.Strategy{Kind: model.RandomWalk, Seed: seed}
	}
	return model.Strategy{Kind: model.PCT, Depth: 2 + round%2, Steps: max(steps, 1), Seed: seed}
}
