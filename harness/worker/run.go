package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
)

// dumpLimit is how long a hung worker gets to print its stacks.
const dumpLimit = 5 * time.Second

// Run runs a case. It returns a report, or how the worker died, or an error, which is the environment's:
// ctx's, a *BrokenError, ErrFrame, ErrNoVerdict, ErrBusy or ErrClosed. After a death, and after any error
// but a *BrokenError and ErrBusy, the worker is of no more use than to be closed.
func (w *Worker) Run(ctx context.Context, c Case) (Report, *Death, error) {
	if !w.running.TryLock() {
		return Report{}, nil, ErrBusy
	}
	defer w.running.Unlock()
	if w.over != nil {
		return Report{}, nil, fmt.Errorf("run case %d: %w", c.ID, w.over)
	}
	if ctx.Err() != nil {
		return Report{}, nil, fmt.Errorf("run case %d: %w", c.ID, context.Cause(ctx))
	}
	report, death, err := w.converse(ctx, c)
	if err != nil {
		w.over = ErrClosed
		return Report{}, nil, fmt.Errorf("run case %d: %w", c.ID, err)
	}
	if death != nil {
		w.over = ErrClosed
		return Report{}, death, nil
	}
	w.secret.report(&report)
	if report.Broken != "" {
		return report, nil, &BrokenError{Case: c.ID, Reason: report.Broken}
	}
	if report.Verdict.Status == check.Unset {
		w.over = ErrClosed
		return Report{}, nil, fmt.Errorf("run case %d: %w", c.ID, ErrNoVerdict)
	}
	return report, nil, nil
}

// converse sends the case and listens until there is a report.
func (w *Worker) converse(ctx context.Context, c Case) (Report, *Death, error) {
	d := &Death{Case: c.ID, Idle: true, Verb: beforeAny}
	timeout := c.timeout()
	switch err := w.send(ctx, message{Case: &c}, timeout); {
	case err == nil:
	case ctx.Err() != nil:
		w.interrupt()
		return Report{}, nil, context.Cause(ctx)
	case w.abandoned():
		return Report{}, nil, ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Report{}, w.hang(ctx, d, timeout), nil
	case errors.Is(err, syscall.EPIPE): // it is dying: the reader will see
	default:
		return Report{}, nil, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		m, what := w.listen(ctx, timer)
		switch what {
		case interrupted:
			w.interrupt()
			return Report{}, nil, context.Cause(ctx)
		case closed:
			return Report{}, nil, ErrClosed
		case silent:
			return Report{}, w.hang(ctx, d, timeout), nil
		case gone:
			if errors.Is(w.readErr, ErrFrame) {
				<-w.dead
				return Report{}, nil, w.readErr
			}
			return Report{}, w.died(d), nil
		}
		switch {
		case m.Taken != nil && m.Taken.ID == c.ID:
			d.Idle = false
		case m.Begin != nil && m.Begin.ID == c.ID:
			d.began(m.Begin)
		case m.Deviated != nil && m.Deviated.ID == c.ID:
			d.History.Realised = append(d.History.Realised, m.Deviated.By)
		case m.Report != nil && m.Report.ID == c.ID:
			return *m.Report, nil, nil
		case m.Begin != nil, m.Deviated != nil: // a straggler of an earlier case
			continue
		default:
			w.abandon()
			w.kill()
			return Report{}, nil, &FrameError{Reason: "a message out of turn"}
		}
		timer.Reset(timeout)
	}
}

// heard is what listening came to.
type heard int

const (
	something   heard = iota
	gone              // no more will come
	silent            // nothing came in time
	interrupted       // the caller gave up
	closed            // the worker is being closed
)

func (w *Worker) listen(ctx context.Context, timer *time.Timer) (message, heard) {
	got := func(m message, ok bool) (message, heard) {
		if ok {
			return m, something
		}
		if w.abandoned() {
			return m, closed
		}
		return m, gone
	}
	select {
	case m, ok := <-w.messages:
		return got(m, ok)
	case <-ctx.Done():
		return message{}, interrupted
	case <-w.ending:
		return message{}, closed
	case <-timer.C:
	}
	// On a machine that was held up the message may be there, too.
	select {
	case m, ok := <-w.messages:
		return got(m, ok)
	default:
		return message{}, silent
	}
}

// interrupt asks the worker to give its case up and end. Close waits for it.
func (w *Worker) interrupt() {
	w.abandon()
	_ = w.in.Close()
}

// hang ends a worker from which nothing comes any more, having it print its stacks first.
func (w *Worker) hang(ctx context.Context, d *Death, silence time.Duration) *Death {
	w.abandon()
	_ = w.cmd.Process.Signal(syscall.SIGQUIT) // fails only where the process has ended
	timer := time.NewTimer(dumpLimit)
	defer timer.Stop()
	select {
	case <-w.dead:
	case <-ctx.Done():
	case <-timer.C:
	}
	w.kill()
	d = w.died(d)
	// Our signals end a process that way. Any other end was its own, and merely went unnoticed.
	if d.Signal == syscall.SIGKILL.String() || strings.HasPrefix(d.Crash, markQuit) {
		d.Kind, d.Silence = Hung, silence
		d.Stacks, d.Crash, d.Signal = d.Crash, "", ""
		d.History.Stacks = d.Stacks
	}
	return d
}

// died waits for the end of the process and says how it came.
func (w *Worker) died(d *Death) *Death {
	<-w.dead
	d.classify(w.cmd.ProcessState, w.secret.text(w.stderr.announced()))
	d.Stderr = w.secret.text(w.stderr.text(w.secret.longest))
	d.Stdout = w.secret.text(w.stdout.text(w.secret.longest))
	return d
}

// gone reports whether the process has ended.
func (w *Worker) gone() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// Close asks the worker to end, kills it after the grace, and joins everything that Start started. A Run
// under way ends with ErrClosed. The error says that it had to be killed, or did not end well; it is
// nil for a worker whose death Run reported. Close may be called more than once, and always returns the
// same.
func (w *Worker) Close() error {
	w.closeOnce.Do(func() { w.closeErr = w.close() })
	return w.closeErr
}

func (w *Worker) close() error {
	w.abandon()
	_ = w.in.Close() // it may be closed already
	grace := w.opts.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	forced := false
	select {
	case <-w.dead:
	case <-timer.C:
		forced = true
		w.kill()
	}
	w.wg.Wait()
	_ = w.out.Close()
	w.running.Lock()
	over := w.over
	w.over = ErrClosed
	w.running.Unlock()
	state := w.cmd.ProcessState
	switch {
	case forced:
		return fmt.Errorf("close worker: %w after %v", ErrForced, grace)
	case over != nil || state.Success():
		return nil
	}
	return fmt.Errorf("close worker: it ended badly (%s): %s", state, strings.TrimSpace(w.secret.text(w.stderr.text(w.secret.longest))))
}
