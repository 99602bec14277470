package hunt

import (
	"context"
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// Sought is the outcome of [Seek].
type Sought struct {
	Executions int // up to the case that showed it, or all
	Found      bool
	Program    model.Program // of that case
}

// Seek executes a hunt's cases, one after the other, up to the first that shows a wanted fingerprint. That is
// a sight and no finding: it is neither confirmed nor shrunk, so that a race which shows once in a hundred
// executions counts, too. Of the options it heeds Runner, Seed, Bounds, Transform, Budget and MaxCases.
func Seek(ctx context.Context, o Options, wanted func(fingerprint string) bool) (s Sought, err error) {
	search, stop := context.WithCancel(ctx)
	defer stop()
	if o.Budget > 0 {
		var end context.CancelFunc
		search, end = context.WithTimeout(search, o.Budget)
		defer end()
	}
	h := newHunt(o)
	h.stop = stop
	for search.Err() == nil {
		i, more := h.draw()
		if !more {
			break
		}
		p := h.program(i)
		out, err := o.Runner.Do(ctx, worker.Case{ID: i, Program: p.String()})
		if err != nil {
			if h.failed(ctx, i, err) {
				break
			}
			continue
		}
		v := h.record(p, out)
		if s.Executions = h.sum.Executions; v != nil && wanted(v.Fingerprint()) {
			s.Found, s.Program = true, p
			break
		}
	}
	if ctx.Err() != nil && !s.Found {
		return s, fmt.Errorf("seek: %w", context.Cause(ctx))
	}
	return s, h.err
}
