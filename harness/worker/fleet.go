package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
)

// Outcome is what became of a case.
type Outcome struct {
	Verdict check.Verdict
	History history.History
	Died    *Death   // nil where the worker survived
	Log     []string // the service's own
}

// Stray is a worker that died between two cases. The case before is the likely cause, but it was judged
// before: only running it again can tell.
type Stray struct {
	Case  int // ID of the last case that the worker had finished
	Death *Death
}

// Fleet keeps workers alive and gives each case to a free one. Safe for concurrent use.
type Fleet struct {
	opts  Options
	ready Ready
	free  chan *berth // holds every berth that no Do has
	size  int
	stop  context.CancelCauseFunc
	ctx   context.Context // ends with Close

	closeOnce sync.Once
	closeErr  error

	mu      sync.Mutex
	strays  []Stray
	closing error // what workers that were replaced said when they were closed
}

// berth is a worker's place in a fleet.
type berth struct {
	opts   Options
	worker *Worker // nil: none
	last   int     // the last case it reported
	ran    bool    // whether there was one
	spent  bool    // the worker was interrupted, and has to be closed
	dirty  bool    // the one before did not clean up
}

// NewFleet makes a fleet of size workers, whose databases begin with opts.Prefix, "w", their number and
// "_". One worker is started at once, to show that the binary is one; the others when they are needed.
func NewFleet(ctx context.Context, opts Options, size int) (*Fleet, error) {
	if size < 1 {
		return nil, fmt.Errorf("new fleet: %d workers", size)
	}
	f := &Fleet{opts: opts, free: make(chan *berth, size), size: size}
	f.ctx, f.stop = context.WithCancelCause(context.Background())
	for n := range size {
		b := &berth{opts: opts}
		b.opts.Prefix = fmt.Sprintf("%sw%d_", opts.Prefix, n+1)
		if n == 0 {
			var err error
			if b.worker, err = Start(ctx, b.opts); err != nil {
				f.stop(err)
				return nil, err
			}
			f.ready = b.worker.Ready()
		}
		f.free <- b
	}
	return f, nil
}

// Ready returns what the first worker said of itself.
func (f *Fleet) Ready() Ready { return f.ready }

// Size returns the number of workers.
func (f *Fleet) Size() int { return f.size }

// Strays returns the workers that died between cases so far.
func (f *Fleet) Strays() []Stray {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Stray(nil), f.strays...)
}

// Do runs a case on a free worker, for which it waits. A case whose worker was killed from outside, or
// died before it took the case up, is run once more on a new worker. The error is the environment's.
func (f *Fleet) Do(ctx context.Context, c Case) (Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.ctx, func() { cancel(context.Cause(f.ctx)) })()
	var b *berth
	select {
	case b = <-f.free:
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("case %d: wait for a worker: %w", c.ID, context.Cause(ctx))
	}
	defer func() { f.free <- b }()
	for again := false; ; again = true {
		report, death, err := f.once(ctx, b, c)
		switch {
		case err != nil:
			return Outcome{}, err
		case death == nil:
			return Outcome{Verdict: report.Verdict, History: report.History, Log: report.Log}, nil
		case !again && (death.Idle || death.Kind == Killed):
			continue
		case death.Idle:
			return Outcome{}, &BrokenError{Case: c.ID, Reason: "two workers died before they took it up: " + death.how()}
		}
		return Outcome{Verdict: JudgeDeath(death), History: death.History, Died: death}, nil
	}
}

// once runs a case on the berth's worker, after starting one where there is none.
func (f *Fleet) once(ctx context.Context, b *berth, c Case) (Report, *Death, error) {
	f.inspect(b)
	if b.worker == nil {
		w, err := Start(ctx, b.opts)
		if err != nil {
			return Report{}, nil, fmt.Errorf("case %d: %w", c.ID, err)
		}
		b.worker, b.ran = w, false
	}
	// What a worker left that was not able to clean up may still be in use: it is not to be recycled.
	c.Fresh = c.Fresh || b.dirty
	report, death, err := b.worker.Run(ctx, c)
	var broken *BrokenError
	switch {
	case errors.As(err, &broken):
		// The worker is well, and knows that what it left is not to be recycled.
		if report.Tainted {
			f.discard(b)
		}
	case err != nil && ctx.Err() != nil:
		b.spent = true // closing it may take its time, which the caller has no more of
	case err != nil:
		f.discard(b)
	case death != nil:
		if death.Idle {
			f.stray(b, death)
		}
		f.discard(b)
	default:
		b.last, b.ran, b.dirty = c.ID, true, false
		if report.Tainted {
			f.discard(b)
		}
	}
	return report, death, err
}

// inspect clears the berth of a worker that is of no more use.
func (f *Fleet) inspect(b *berth) {
	switch {
	case b.worker == nil:
	case b.spent:
		f.discard(b)
	case b.worker.gone():
		f.stray(b, b.worker.died(&Death{Idle: true, Verb: beforeAny}))
		f.discard(b)
	}
}

// discard ends the berth's worker.
func (f *Fleet) discard(b *berth) {
	alive := !b.worker.gone()
	err := b.worker.Close()
	b.worker, b.spent = nil, false
	b.dirty = b.dirty || !alive || err != nil
	if alive && err != nil && !errors.Is(err, ErrForced) {
		f.mu.Lock()
		f.closing = errors.Join(f.closing, err)
		f.mu.Unlock()
	}
}

func (f *Fleet) stray(b *berth, d *Death) {
	if !b.ran {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strays = append(f.strays, Stray{Case: b.last, Death: d})
}

// Close ends all workers, joins everything, and makes every Do under way and to come fail with
// ErrClosed. It may be called more than once, and always returns the same.
func (f *Fleet) Close() error {
	f.closeOnce.Do(func() {
		f.stop(ErrClosed)
		errs := make(chan error, f.size)
		for range f.size {
			b := <-f.free // every Do gives its own back
			go func() { errs <- f.leave(b) }()
		}
		var all []error
		for range f.size {
			all = append(all, <-errs)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closeErr = errors.Join(append(all, f.closing)...)
	})
	return f.closeErr
}

// leave ends the berth's worker for good.
func (f *Fleet) leave(b *berth) error {
	if !b.spent {
		f.inspect(b)
	}
	if b.worker == nil {
		return nil
	}
	return b.worker.Close()
}
