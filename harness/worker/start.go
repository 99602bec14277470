package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// handshakeLimit is how long a started binary may take to say that it is a worker.
	handshakeLimit = 30 * time.Second
	// DefaultGrace is the grace of Options that give none.
	DefaultGrace = 20 * time.Second
	// drainLimit is how long, after a worker ended, what it had printed is waited for where something
	// that it started keeps its output open.
	drainLimit = time.Second
)

// Options say how a worker is started. They are not changed.
type Options struct {
	Path string   // of the worker binary
	Args []string // that it is given
	Env  []string // beside the parent's own environment, as name=value
	DSN  string   // of the server's maintenance database; it reaches the worker by the protocol only
	// Prefix begins the name of every database of this worker. No two workers may have the same.
	Prefix string
	Log    bool          // whether reports carry the service's log
	Grace  time.Duration // how long Close waits before it kills; 0: DefaultGrace

	handshake time.Duration // 0: handshakeLimit; tests shorten it
}

// Worker is a worker process, from the parent's side.
type Worker struct {
	opts   Options
	secret scrubber
	ready  Ready

	cmd      *exec.Cmd
	in       *os.File // to the worker
	out      *os.File // from it
	stdout   *tail
	stderr   *tail
	messages chan message // closed when no more will come; readErr is valid then
	readErr  error
	ending   chan struct{} // closed when nobody listens to messages any more
	endOnce  sync.Once
	dead     chan struct{} // closed when the process is reaped
	wg       sync.WaitGroup

	running sync.Mutex // held by Run
	over    error      // why Run must refuse; guarded by running

	closeOnce sync.Once
	closeErr  error

	mu      sync.Mutex
	reaping bool // from here on the process's id may belong to another
}

// A worker that was built with the race detector ends with the first race: what follows would be another
// program's behaviour.
const (
	raceEnv     = "GORACE"
	raceOptions = "halt_on_error=1 exitcode=66"
)

// Start starts a worker and waits until it is ready. The worker lives until Close, not until ctx ends.
// The error is a *StartError.
func Start(ctx context.Context, opts Options) (*Worker, error) {
	env := slices.Concat(os.Environ(), opts.Env, []string{workerEnv + "=1"})
	if os.Getenv(raceEnv) == "" {
		env = append(env, raceEnv+"="+raceOptions)
	}
	w := &Worker{
		opts: opts, secret: newScrubber(opts.DSN, env), cmd: exec.Command(opts.Path, opts.Args...),
		stdout: newTail(), stderr: newTail(), messages: make(chan message),
		ending: make(chan struct{}), dead: make(chan struct{}),
	}
	w.cmd.Env = env
	w.cmd.Stdout, w.cmd.Stderr = w.stdout, w.stderr
	w.cmd.WaitDelay = drainLimit
	w.cmd.SysProcAttr = processAttr()
	if err := w.launch(); err != nil {
		return nil, &StartError{Path: opts.Path, Err: ErrExec, Reason: w.secret.text(err.Error())}
	}
	if err := w.greet(ctx); err != nil {
		w.abandon()
		w.kill()
		_ = w.Close() // it was killed, which it will say
		if err.Stderr == "" {
			err.Stderr = w.secret.text(w.stderr.text(w.secret.longest))
		}
		return nil, err
	}
	return w, nil
}

// launch starts the process and the goroutines that look after it.
func (w *Worker) launch() error {
	childIn, in, err := os.Pipe()
	if err != nil {
		return err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return errors.Join(err, childIn.Close(), in.Close())
	}
	w.in, w.out = in, out
	w.cmd.ExtraFiles = []*os.File{childIn, childOut} // 3 and 4
	started, read := make(chan error, 1), make(chan struct{})
	w.wg.Go(func() { w.live(started, read) })
	err = <-started
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		w.wg.Wait()
		_, _ = in.Close(), out.Close()
		return err
	}
	w.wg.Go(func() {
		defer close(read)
		w.read()
	})
	return nil
}

// live starts the process and reaps it. It keeps its thread all that time, because Linux kills the
// worker when the thread that started it ends.
func (w *Worker) live(started chan<- error, read <-chan struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := w.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	// The worker's end closes when its process ends, which then has its exit status already: this does
	// not change it. Whatever else is still alive is what the service started, or a worker that lost
	// its voice.
	<-read
	w.kill()
	w.mu.Lock()
	w.reaping = true
	w.mu.Unlock()
	_ = w.cmd.Wait() // the status is in cmd.ProcessState
	close(w.dead)
}

// kill kills the worker and whatever it started, unless the process is gone.
func (w *Worker) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.reaping {
		_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // fails only where nothing is left to kill
	}
}

// read passes messages on until there are no more.
func (w *Worker) read() {
	defer close(w.messages)
	r := bufio.NewReader(w.out)
	for {
		m, err := readFrame(r)
		if err != nil {
			w.readErr = err
			return
		}
		select {
		case w.messages <- m:
		case <-w.ending: // drained, so that the worker can go on to its end
		}
	}
}

// abandon lets the reader throw away what comes.
func (w *Worker) abandon() { w.endOnce.Do(func() { close(w.ending) }) }

func (w *Worker) abandoned() bool {
	select {
	case <-w.ending:
		return true
	default:
		return false
	}
}

// send writes a message to the worker, in at most limit.
func (w *Worker) send(ctx context.Context, m message, limit time.Duration) error {
	if err := w.in.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.in.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	err := writeFrame(w.in, m)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (w *Worker) greet(ctx context.Context) *StartError {
	limit := w.opts.handshake
	if limit == 0 {
		limit = handshakeLimit
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	fail := func(err error, reason string) *StartError {
		return &StartError{Path: w.opts.Path, Err: err, Reason: reason}
	}
	hello := Hello{Protocol: Protocol, DSN: w.opts.DSN, Prefix: w.opts.Prefix, Log: w.opts.Log}
	// One that does not read may still have said something; what matters is what it says.
	_ = w.send(ctx, message{Hello: &hello}, limit)
	select {
	case m, ok := <-w.messages:
		switch {
		case !ok && errors.Is(w.readErr, ErrFrame):
			return fail(ErrNotWorker, "on descriptor 4 it said what is "+w.readErr.Error())
		case !ok:
			<-w.dead
			return fail(ErrNotWorker, "it ended before the handshake ("+w.cmd.ProcessState.String()+")")
		case m.Ready == nil:
			return fail(ErrNotWorker, "it did not greet")
		case m.Ready.Protocol != Protocol:
			return fail(&VersionError{Ours: Protocol, Theirs: m.Ready.Protocol}, "")
		}
		w.ready = *m.Ready
		return nil
	case <-timer.C:
		return fail(ErrNotWorker, fmt.Sprintf("it said nothing within %v", limit))
	case <-ctx.Done():
		return fail(context.Cause(ctx), "")
	}
}

// Ready returns what the worker said of itself.
func (w *Worker) Ready() Ready { return w.ready }
