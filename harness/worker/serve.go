package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// workerEnv is set to 1 in the environment of a worker.
const workerEnv = "TENANTSTORM_WORKER"

// How long a worker whose parent is done with it waits for a case that was under way to notice, and for
// its databases to be dropped.
const (
	interruptGrace = 5 * time.Second
	cleanGrace     = 10 * time.Second
)

// Errors of Serve.
var (
	// ErrNotStarted: this process was not started as a worker.
	ErrNotStarted = errors.New("not started by tenantstorm as a worker")
	// ErrStuck: the parent is done, but a case does not end. The process has to.
	ErrStuck = errors.New("the case does not end")
)

// Requested reports whether this process was started as a worker. A program that is more than a worker,
// a test binary for one, asks this first and then calls [Main].
func Requested() bool { return os.Getenv(workerEnv) == "1" }

// Main is what the main function of a worker binary does: it serves target until the parent is done and
// returns the exit code. Where it was not started by tenantstorm it says so on standard error.
func Main(target harness.Target) int { return mainOn(target, os.Stderr) }

func mainOn(target harness.Target, stderr io.Writer) int {
	err := Serve(context.Background(), target)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrNotStarted):
		fmt.Fprintf(stderr, "This is a tenantstorm worker that serves %s. It does nothing by itself: name it to\n"+
			"tenantstorm storm --worker, which starts it. (%v)\n", target.Name, err)
		return 2
	}
	fmt.Fprintf(stderr, "tenantstorm worker: %v\n", err)
	return 1
}

// Serve runs the cases that the parent sends, one at a time, until the parent closes its end; then it
// drops the worker's databases and returns nil. When ctx ends it does the same and returns ctx's error.
// A process can serve once.
func Serve(ctx context.Context, target harness.Target) error {
	in, out, err := inherited()
	if err != nil {
		return err
	}
	return serve(ctx, in, out, target.Name, func(h Hello, log io.Writer) runner {
		return newBench(target, h.DSN, h.Prefix, log)
	})
}

// runner runs cases, one after the other.
type runner interface {
	run(ctx context.Context, c Case, tell teller) Report
	close(ctx context.Context) error
}

// teller is told of a case while it runs, for the parent to know should the worker not survive it.
type teller struct {
	begin    func(history.Entry)
	deviated func(model.Intervention)
}

// server is the worker's end of the conversation.
type server struct {
	in io.ReadCloser

	mu  sync.Mutex // of out
	out io.Writer
}

func (s *server) send(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeFrame(s.out, m)
}

func serve(ctx context.Context, in io.ReadCloser, out io.Writer, name string, open func(Hello, io.Writer) runner) (err error) {
	s := &server{in: in, out: out}
	ctx, cancel := context.WithCancelCause(ctx)
	incoming := make(chan message)
	var reading sync.WaitGroup
	reading.Go(func() { s.read(ctx, cancel, incoming) })
	defer func() {
		cancel(nil)
		_ = in.Close() // wakes the reader
		reading.Wait()
	}()

	hello, err := s.greet(ctx, incoming, name)
	if err != nil {
		return ended(err)
	}
	log := &lines{}
	var sink io.Writer = io.Discard
	if hello.Log {
		sink = log
	}
	r := open(hello, sink)
	defer func() {
		if errors.Is(err, ErrStuck) {
			return // r is in use
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanGrace)
		defer cancel()
		if e := r.close(clean); e != nil && err == nil {
			err = fmt.Errorf("clean up: %w", e)
		}
	}()
	for {
		m, err := next(ctx, incoming)
		if err != nil {
			return ended(err)
		}
		if m.Case == nil {
			return fmt.Errorf("serve: %w", &FrameError{Reason: "a case was expected"})
		}
		report, err := s.serveCase(ctx, r, *m.Case)
		if err != nil {
			return ended(err)
		}
		report.Log = log.take()
		if err := s.report(report); err != nil {
			return err
		}
	}
}

// ended makes nil of the parent's closing its end.
func ended(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, ErrStuck) {
		return nil
	}
	return err
}

// read passes the parent's messages on until there are no more; then it cancels with the reason, io.EOF
// where the parent closed its end.
func (s *server) read(ctx context.Context, cancel context.CancelCauseFunc, to chan<- message) {
	r := bufio.NewReader(s.in)
	for {
		m, err := readFrame(r)
		if err != nil {
			cancel(fmt.Errorf("read from parent: %w", err))
			return
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return
		}
	}
}

func next(ctx context.Context, incoming <-chan message) (message, error) {
	select {
	case m := <-incoming:
		return m, nil
	case <-ctx.Done():
		return message{}, context.Cause(ctx)
	}
}

func (s *server) greet(ctx context.Context, incoming <-chan message, name string) (Hello, error) {
	m, err := next(ctx, incoming)
	if err != nil {
		return Hello{}, err
	}
	if m.Hello == nil {
		return Hello{}, fmt.Errorf("greet: %w", &FrameError{Reason: "a hello was expected"})
	}
	// A parent of another version is told ours, and gives up.
	err = s.send(message{Ready: &Ready{
		Protocol: Protocol, Target: name, GoVersion: runtime.Version(), PgxVersion: pgxVersion(), Pid: os.Getpid(),
	}})
	if err != nil {
		return Hello{}, fmt.Errorf("greet: %w", err)
	}
	if m.Hello.Protocol != Protocol {
		return Hello{}, &VersionError{Ours: Protocol, Theirs: m.Hello.Protocol}
	}
	return *m.Hello, nil
}

// serveCase runs a case. When ctx ends first it waits for the case to notice and returns ctx's cause.
func (s *server) serveCase(ctx context.Context, r runner, c Case) (Report, error) {
	if err := s.send(message{Taken: &taken{ID: c.ID}}); err != nil {
		return Report{}, fmt.Errorf("take case %d: %w", c.ID, err)
	}
	done := make(chan Report, 1)
	go func() {
		// That something cannot be sent means that the parent is gone, which the reader notices, too.
		done <- r.run(ctx, c, teller{
			begin: func(e history.Entry) {
				_ = s.send(message{Begin: &begin{ID: c.ID, Op: e.Op, Audit: e.Audit, Start: e.Start}})
			},
			deviated: func(by model.Intervention) { _ = s.send(message{Deviated: &deviated{ID: c.ID, By: by}}) },
		})
	}()
	select {
	case report := <-done:
		report.ID = c.ID
		return report, nil
	case <-ctx.Done():
	}
	timer := time.NewTimer(interruptGrace)
	defer timer.Stop()
	select {
	case <-done:
		return Report{}, context.Cause(ctx)
	case <-timer.C:
		return Report{}, fmt.Errorf("case %d, interrupted: %w (%w)", c.ID, ErrStuck, context.Cause(ctx))
	}
}

// report sends a report; one that cannot be sent is replaced by one that says why.
func (s *server) report(r Report) error {
	// JSON has no word for scores that are no numbers.
	for i := range r.History.Entries {
		for j := range r.History.Entries[i].Response.Matches {
			if m := &r.History.Entries[i].Response.Matches[j]; math.IsNaN(m.Score) || math.IsInf(m.Score, 0) {
				m.Score = 0
			}
		}
	}
	err := s.send(message{Report: &r})
	if errors.Is(err, ErrFrame) {
		err = s.send(message{Report: &Report{ID: r.ID, Tainted: r.Tainted, Broken: fmt.Sprintf("send report: %v", err)}})
	}
	if err != nil {
		return fmt.Errorf("report case %d: %w", r.ID, err)
	}
	return nil
}

func pgxVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/jackc/pgx/v5" {
			return d.Version
		}
	}
	return ""
}
