package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/tenantstorm/tenantstorm/model"
)

// Patience is for how many of its deadlines an operation is waited for while something still moves. After
// that it hangs, whatever moves: a service that is busy for ever, or lets one of its clients starve, gives
// no answer either.
const Patience = 10

// A machine that has no time for a service is no fault of the service. So a deadline only raises a question:
// does anything still move that the operation may be waiting for? It is looked for a few times, with
// pauses; what moves on the service's behalf is seen nearly every time, and what does not, a collection of
// garbage or another's statement, now and then. So one sight does not count.
//
// Each look also asks PostgreSQL, over a connection made for the question. A statement that was sent, or a
// connection that was asked for, is served by a slow server before so many later ones of ours are; the
// pauses are no shorter than the server took to let us in.
const (
	looks     = 10
	enough    = 2
	lookPause = 20 * time.Millisecond
	leaveTime = time.Second // for the connection to end
)

// errNoAnswer is why nothing is known of PostgreSQL where it has not answered at all.
var errNoAnswer = errors.New("it has not answered")

// await waits for the end of an operation that is overdue, and returns what it counts as if it does not
// come; unset where it has come.
func (r *Run) await(ctx context.Context, ended <-chan struct{}, since, limit time.Duration) (late model.Response) {
	asking, cancel := context.WithTimeout(ctx, since+Patience*limit-r.Now())
	defer cancel()
	moved, err := "", errNoAnswer
	for {
		type answer struct {
			moved string
			err   error
		}
		came := make(chan answer, 1)
		go func() {
			moved, err := r.moving(asking, min(lookPause, limit/looks))
			came <- answer{moved, err}
		}()
		select {
		case <-ended:
			cancel()
			<-came
			return late
		case a := <-came:
			switch {
			case asking.Err() != nil:
				return r.lastWord(ctx, limit, moved, err)
			case a.err == nil && a.moved == "":
				return model.Response{Status: model.StatusHung, Text: fmt.Sprintf("no answer within %s, and nothing moves any more", limit)}
			}
			moved, err = a.moved, a.err
		}
		pause := time.NewTimer(limit / looks)
		select {
		case <-ended:
			pause.Stop()
			return late
		case <-asking.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// lastWord says what an operation counts as for which there is no patience left.
func (r *Run) lastWord(ctx context.Context, limit time.Duration, moved string, err error) model.Response {
	unknown := model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled, Text: "the run was interrupted"}
	if ctx.Err() != nil {
		return unknown
	}
	if err == nil {
		return model.Response{Status: model.StatusHung, Text: fmt.Sprintf("no answer within %d times %s, although something moved: %s", Patience, limit, moved)}
	}
	unknown.Text = fmt.Sprintf("no answer within %d times %s, and PostgreSQL cannot be asked whether anything moves: %v", Patience, limit, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blind = fmt.Errorf("an operation gave no answer within %d times %s, and PostgreSQL cannot be asked whether it hangs: %w", Patience, limit, err)
	return unknown
}

// moving returns what moves on the service's behalf; "" where nothing does.
func (r *Run) moving(ctx context.Context, pause time.Duration) (string, error) {
	select {
	case r.asking <- struct{}{}: // one at a time: two would see each other
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var control *Control
	var before activity
	if r.env.DSN != "" {
		control = NewControl(r.env.DSN)
		defer leave(ctx, control)
		began := time.Now()
		var err error
		if before, err = control.activity(ctx, r.env.Prefix); err != nil {
			return "", err
		}
		pause = max(pause, time.Since(began))
	}
	again := time.NewTicker(pause)
	defer again.Stop()
	answers, seen := r.answered(), 0
	for range looks {
		select {
		case <-again.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if r.answered() != answers {
			return "other operations end", nil
		}
		what := r.goroutines()
		if control != nil {
			now, err := control.activity(ctx, r.env.Prefix)
			if err != nil {
				return "", err
			}
			if what == "" {
				what = now.since(before)
			}
			before = now
		}
		if what == "" {
			continue
		}
		if seen++; seen == enough {
			return what, nil
		}
	}
	if before.Hidden > 0 {
		return "", fmt.Errorf("it does not show what %d of the service's backends do", before.Hidden)
	}
	return "", nil
}

func leave(ctx context.Context, control *Control) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	_ = control.Close(ctx) // it was only to ask
}

// answered returns how many operations have ended.
func (r *Run) answered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers
}

// A thread that looks for something to do counts as running, and does so for some microseconds each time
// something wakes. So one look takes glances until one shows nothing: a goroutine that could go on is in each
// of them. Where one is runnable a glance costs a time slice.
const (
	glances    = 2000
	timeSlices = 10
)

// goroutines tells what goroutines other than the caller do, "" where all wait.
func (r *Run) goroutines() string {
	what, waited := "", 0
	for range glances {
		switch runnable, running, outside := r.glance(); {
		case runnable > 0:
			what = "a goroutine could run"
			if waited++; waited == timeSlices {
				return what
			}
		case running > 1:
			what = "a goroutine runs"
		case outside > r.outside:
			what = "a goroutine is in a system call"
		default:
			return ""
		}
		runtime.Gosched()
	}
	return what
}

// scheduled returns how many goroutines could run, run, and are not in Go.
func scheduled() (runnable, running, outside uint64) {
	s := []metrics.Sample{
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/not-in-go:goroutines"},
	}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
}
