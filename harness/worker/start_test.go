package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
)

func TestStartErrors(t *testing.T) {
	script := filepath.Join(t.TempDir(), "loud")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho s3cr/t s3cr%2Ft >&2\necho no such flag >&2\nexit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var version *VersionError
	for _, c := range []struct {
		name, path, fake string
		is               error
		as               any
		says             string
	}{
		{name: "no such file", path: "/nonexistent/worker", is: ErrExec, says: "no such file"},
		{name: "not executable", path: "doc.go", is: ErrExec, says: "cannot be started"},
		{name: "another program", path: "/bin/true", is: ErrNotWorker, says: "exit status 0"},
		{name: "a loud program", path: script, is: ErrNotWorker, says: "*** ***\n\tno such flag"},
		{name: "dies", fake: "die", is: ErrNotWorker, says: "exit status 7); it printed:\n\tcannot find my configuration"},
		{name: "silent", fake: "silent", is: ErrNotWorker, says: "said nothing within 1s"},
		{name: "garbage", fake: "garbage", is: ErrNotWorker, says: "not a frame"},
		{name: "no greeting", fake: "no-greeting", is: ErrNotWorker, says: "did not greet"},
		{name: "version", fake: "version", as: &version, says: "version 2 where 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := fakeOptions()
			if c.path != "" {
				opts.Path = c.path
			}
			opts.Env = []string{fakeEnv + "=" + c.fake}
			if c.fake == "silent" {
				opts.handshake = time.Second
			}
			w, err := Start(t.Context(), opts)
			if err == nil {
				_ = w.Close()
				t.Fatal("it started")
			}
			var se *StartError
			if !errors.As(err, &se) || c.is != nil && !errors.Is(err, c.is) || c.as != nil && !errors.As(err, c.as) {
				t.Errorf("%T %v", err, err)
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cr") {
				t.Errorf("%q lacks %q or tells a secret", err, c.says)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		opts := fakeOptions()
		opts.Env = []string{fakeEnv + "=silent"}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := Start(ctx, opts); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestMainWithoutParent(t *testing.T) {
	var said bytes.Buffer
	if code := mainOn(fakeTarget, &said); code != 2 || !strings.Contains(said.String(), "tenantstorm worker that serves fake") {
		t.Errorf("%d, %q", code, said.String())
	}
	// The environment alone does not make a worker: the descriptors are not there.
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "does nothing by itself") {
		t.Errorf("%v, %q", err, out)
	}
}

// holders is a FIFO that shows whether anyone still holds it.
type holders struct {
	path string
	r    *os.File
	own  *os.File // so that there is no end of file before the others come
}

func newHolders(t *testing.T) *holders {
	t.Helper()
	h := &holders{path: filepath.Join(t.TempDir(), "fifo")}
	if err := syscall.Mkfifo(h.path, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.r, err = os.OpenFile(h.path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.r.Close() })
	if h.own, err = os.OpenFile(h.path, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.own.Close() })
	if err := h.r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return h
}

// await waits until n processes hold it.
func (h *holders) await(t *testing.T, n int) {
	t.Helper()
	if _, err := io.ReadFull(h.r, make([]byte, n*len("held\n"))); err != nil {
		t.Fatal("wait for the workers:", err)
	}
}

// gone waits until nobody does.
func (h *holders) gone(t *testing.T) {
	t.Helper()
	_ = h.own.Close()
	if rest, err := io.ReadAll(h.r); err != nil || len(rest) > 0 {
		t.Errorf("somebody lives on: %v", err)
	}
}

func TestKilledParentLeavesNoWorker(t *testing.T) {
	h := newHolders(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"=1", fifoEnv+"="+h.path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.await(t, 2)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	h.gone(t)
}

// Whatever the service started ends with the worker, even where it holds on to the worker's output.
func TestNothingIsLeftOfADeadWorker(t *testing.T) {
	for _, c := range []struct{ prefix, kind string }{{"exits_", Exited}, {"hangs_", Hung}} {
		t.Run(c.kind, func(t *testing.T) {
			h := newHolders(t)
			w := start(t, func(o *Options) { o.Prefix, o.Env = c.prefix, []string{fifoEnv + "=" + h.path} })
			_, d, err := w.Run(t.Context(), Case{Program: "hold", Timeout: 2 * time.Second})
			if err != nil || d.Kind != c.kind {
				t.Fatalf("%+v, %v", d, err)
			}
			h.await(t, 1)
			h.gone(t)
		})
	}
}

// A worker that is killed from outside, by an operator or for want of memory, accuses nobody.
func TestKilledFromOutside(t *testing.T) {
	h := newHolders(t)
	w := start(t, func(o *Options) { o.Env = []string{fifoEnv + "=" + h.path} })
	died := make(chan *Death, 1)
	go func() {
		_, d, err := w.Run(context.Background(), Case{Program: "hold"})
		if err != nil {
			d = &Death{Kind: err.Error()}
		}
		died <- d
	}()
	h.await(t, 1)
	if err := syscall.Kill(w.Ready().Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d := <-died
	if d.Kind != Killed || d.Signal != "killed" || d.Idle || d.Op != 2 || JudgeDeath(d).Status != check.Inconclusive {
		t.Errorf("%+v", d)
	}
	h.gone(t)
}
