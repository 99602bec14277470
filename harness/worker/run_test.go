package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/check"
)

var fakeTarget = harness.Target{Name: "fake"}

const fakeDSN = "postgres://storm:s3cr%2Ft@localhost/postgres"

func fakeOptions() Options {
	return Options{Path: os.Args[0], DSN: fakeDSN, Prefix: "alone_", Grace: 10 * time.Second}
}

func start(t *testing.T, change ...func(*Options)) *Worker {
	t.Helper()
	opts := fakeOptions()
	for _, c := range change {
		c(&opts)
	}
	w, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // what it says is asserted where it matters
	return w
}

func good(t *testing.T, w *Worker, id int) {
	t.Helper()
	r, d, err := w.Run(t.Context(), Case{ID: id, Program: "good"})
	if err != nil || d != nil || r.ID != id || r.Verdict.Status != check.Pass {
		t.Fatalf("good case %d: %+v, %v, %v", id, r, d, err)
	}
}

func TestRunManyCasesOnOneWorker(t *testing.T) {
	dir := t.TempDir()
	w := start(t, func(o *Options) { o.Log = true; o.Env = []string{dirEnv + "=" + dir} })
	ready := w.Ready()
	if ready.Target != "fake" || ready.Protocol != Protocol || ready.Pid == os.Getpid() || ready.GoVersion == "" {
		t.Errorf("ready: %+v", ready)
	}
	if group, err := syscall.Getpgid(ready.Pid); err != nil || group != ready.Pid {
		t.Errorf("worker is in process group %d, %v: an interrupt from the terminal would reach it", group, err)
	}
	for id := range 20 {
		good(t, w, id)
	}
	r, _, err := w.Run(t.Context(), Case{ID: 21, Program: "good", Fresh: true})
	if want := []string{"case of alone_ fresh=true"}; err != nil || !cmp.Equal(r.Log, want) {
		t.Errorf("log: %q, %v", r.Log, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "alone_clean")); err != nil {
		t.Error("the worker did not clean up:", err)
	}
	if err := w.Close(); err != nil {
		t.Error("second close:", err)
	}
	if _, _, err := w.Run(t.Context(), Case{Program: "good"}); !errors.Is(err, ErrClosed) {
		t.Error("run after close:", err)
	}
}

// What becomes of a case whose worker does not survive it.
func TestDeaths(t *testing.T) {
	none := check.Violation{}
	inPanic := func(kind string) check.Violation {
		return check.Violation{Invariant: "panic", Kind: kind, Verb: "search", Op: 2, Position: 1}
	}
	for _, c := range []struct {
		program  string
		kind     string
		exit     int
		want     check.Violation // the zero one: inconclusive
		sentence string
		reason   string
	}{
		{"panic", Panicked, 2, inPanic("panic"), "panic: boom", "in the operation's goroutine"},
		{"panic in goroutine", Panicked, 2, inPanic("panic"), "panic: boom", "where no runner can recover it"},
		{"fatal", Panicked, 2, inPanic("panic"), "fatal error: sync: unlock of unlocked mutex", "no recover catches it"},
		{"flood, then panic", Panicked, 2, inPanic("panic"), "panic: boom", "found behind a megabyte of other output"},
		{"exit 3", Exited, 3, inPanic("exit"), "exit code 3", "os.Exit in the service"},
		{"exit 0", Exited, 0, inPanic("exit"), "exit code 0", "even a polite one is one"},
		{"race", Raced, 66, check.Violation{Invariant: "panic", Kind: "data-race", Verb: "any", Op: 2, Position: 1},
			"write in a.(*set).put, previous read in a.(*set).has", "the race detector ends a worker that was built with it"},
		{"exit 66", Exited, 66, inPanic("exit"), "exit code 66", "the same code without a report is the service's own"},
		{"audit exit 3", Exited, 3, check.Violation{Invariant: "panic", Kind: "exit", Verb: "search", Op: 0, Position: 2},
			"at the end, search p1 own", "an operation of the audit has no number"},
		{"early exit 3", Exited, 3, check.Violation{Invariant: "panic", Kind: "exit", Verb: "open"}, "before the first operation", "while the service was opened"},
		{"hang", Hung, 2, check.Violation{Invariant: "progress", Kind: "hang", Verb: "search", Op: 2, Position: 1}, "nothing came", "deadlock"},
		{"spin", Hung, 2, check.Violation{Invariant: "progress", Kind: "hang", Verb: "search", Op: 2, Position: 1}, "nothing came", "endless loop"},
		{"early hang", Hung, 2, none, "", "perhaps a server that does not answer"},
		{"killed", Killed, -1, none, "", "out of memory, an operator: not the service's doing as far as known"},
		{"quit from outside", Killed, 2, none, "", "we did not send it"},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			good(t, w, 1)
			sent := Case{ID: 2, Program: c.program}
			if c.kind == Hung {
				sent.Timeout = 2 * time.Second
			}
			r, d, err := w.Run(t.Context(), sent)
			if err != nil || d == nil {
				t.Fatalf("%s: report %+v, error %v", c.reason, r, err)
			}
			if d.Kind != c.kind || d.ExitCode != c.exit || d.Case != 2 || d.Idle {
				t.Errorf("%s: %+v", c.reason, d)
			}
			v := JudgeDeath(d)
			if len(v.Results) != len(check.Families) {
				t.Errorf("%d families judged", len(v.Results))
			}
			first := v.First()
			if c.want.Invariant == "" {
				if v.Status != check.Inconclusive || first != nil {
					t.Errorf("%s: %v %+v", c.reason, v.Status, first)
				}
			} else if v.Status != check.Fail || first == nil {
				t.Errorf("%s: %v %+v", c.reason, v.Status, first)
			} else {
				if !strings.Contains(first.Sentence, c.sentence) {
					t.Errorf("sentence %q lacks %q", first.Sentence, c.sentence)
				}
				got := *first
				got.Sentence, got.Evidence = "", nil
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				if first.Op != 0 && d.History.Entries[first.Position].Op.ID != first.Op {
					t.Errorf("position %d of the history is not #%d", first.Position, first.Op)
				}
			}
			// Go cannot always walk the stack of a goroutine that runs on another thread, and says so.
			shown := strings.Contains(d.Stacks, "worker.(*fake).run") ||
				c.program == "spin" && strings.Contains(d.Stacks, "goroutine running on other thread")
			if c.kind == Hung && !shown {
				t.Errorf("the stacks do not show where it hangs:\n%s", d.Stacks)
			}
			if _, _, err := w.Run(t.Context(), Case{ID: 3, Program: "good"}); !errors.Is(err, ErrClosed) {
				t.Error("run on a dead worker:", err)
			}
			if err := w.Close(); err != nil {
				t.Error("its death was reported, yet close says", err)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	t.Run("flood", func(t *testing.T) {
		w := start(t)
		r, d, err := w.Run(t.Context(), Case{ID: 1, Program: "flood"})
		if err != nil || d != nil || r.Verdict.Status != check.Pass {
			t.Fatalf("%+v, %v, %v", r, d, err)
		}
		if c := cap(w.stdout.ring) + cap(w.stderr.ring) + cap(w.stderr.crash); c > 4*tailSize {
			t.Errorf("%d bytes kept", c)
		}
		good(t, w, 2)
	})
	t.Run("what the schedule did", func(t *testing.T) {
		_, d, err := start(t).Run(t.Context(), Case{Program: "deviate"})
		if err != nil || d.Kind != Panicked || !slices.Equal(d.History.Realised, fakeDeviations) {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("its end", func(t *testing.T) {
		_, d, err := start(t).Run(t.Context(), Case{Program: "exit 3"})
		if err != nil || d.Stdout != "leaving\n" {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("stacks longer than what is kept", func(t *testing.T) {
		_, d, err := start(t).Run(t.Context(), Case{Program: "many stacks"})
		if err != nil || d.Kind != Killed || !strings.HasPrefix(d.Crash, markQuit) || len(d.Crash) > tailSize {
			t.Errorf("%d bytes beginning %.60q, %v", len(d.Crash), d.Crash, err)
		}
	})
	t.Run("secrets", func(t *testing.T) {
		w := start(t, func(o *Options) { o.Log = true })
		r, _, err := w.Run(t.Context(), Case{ID: 1, Program: "secret report"})
		if err != nil || !strings.HasSuffix(r.Log[1], "postgres://storm:***@localhost/postgres") ||
			!strings.HasSuffix(r.History.Entries[0].Response.Text, ":***@localhost/postgres") {
			t.Errorf("%q %+v, %v", r.Log, r.History, err)
		}
		_, d, err := w.Run(t.Context(), Case{ID: 2, Program: "secret exit"})
		if err != nil || d.Stderr != "connecting to postgres://storm:***@localhost/postgres\n" {
			t.Errorf("%q, %v", d.Stderr, err)
		}
	})
}

// What is wrong with the harness or its surroundings is an error, never a judgement.
func TestRunErrors(t *testing.T) {
	for _, c := range []struct {
		program string
		is      error // nil: a *BrokenError
		usable  bool
	}{
		{"garbage", ErrFrame, false},
		{"no verdict", ErrNoVerdict, false},
		{"broken", nil, true},
		{"too long", nil, true},
	} {
		t.Run(c.program, func(t *testing.T) {
			w := start(t)
			_, d, err := w.Run(t.Context(), Case{ID: 1, Program: c.program})
			var broken *BrokenError
			switch {
			case d != nil:
				t.Errorf("death: %v", d)
			case c.is != nil && !errors.Is(err, c.is), c.is == nil && !errors.As(err, &broken):
				t.Errorf("error: %v", err)
			}
			if c.usable {
				good(t, w, 2)
			} else if _, _, err := w.Run(t.Context(), Case{ID: 2, Program: "good"}); !errors.Is(err, ErrClosed) {
				t.Error("the next case:", err)
			}
		})
	}
	t.Run("not a number", func(t *testing.T) {
		r, d, err := start(t).Run(t.Context(), Case{Program: "not a number"})
		if err != nil || d != nil || r.History.Entries[0].Response.Matches[0].Score != 0 {
			t.Errorf("%+v, %v, %v", r, d, err)
		}
	})
	t.Run("straggler", func(t *testing.T) {
		w := start(t)
		if _, d, err := w.Run(t.Context(), Case{ID: 1, Program: "straggler"}); d != nil || err != nil {
			t.Fatal(d, err)
		}
		good(t, w, 2)
	})
	t.Run("too long a case", func(t *testing.T) {
		_, d, err := start(t).Run(t.Context(), Case{Program: strings.Repeat("x", maxFrame)})
		if d != nil || !errors.Is(err, ErrFrame) {
			t.Error(d, err)
		}
	})
	t.Run("a worker that does not read", func(t *testing.T) {
		w := start(t, func(o *Options) { o.Env = []string{fakeEnv + "=deaf"}; o.Grace = time.Millisecond })
		_, d, err := w.Run(t.Context(), Case{Program: strings.Repeat("x", 1<<20), Timeout: time.Second})
		if err != nil || d.Kind != Hung || !d.Idle || JudgeDeath(d).Status != check.Inconclusive {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	for _, program := range []string{"wait", "hang"} {
		t.Run(program, func(t *testing.T) {
			dir := t.TempDir()
			w := start(t, func(o *Options) {
				o.Env = []string{dirEnv + "=" + dir}
				if program == "hang" {
					o.Grace = 100 * time.Millisecond
				}
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("enough")
			time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
			if _, d, err := w.Run(ctx, Case{Program: program}); d != nil || !errors.Is(err, why) {
				t.Errorf("%v, %v", d, err)
			}
			err := w.Close()
			if program == "hang" {
				if !errors.Is(err, ErrForced) {
					t.Error("close:", err)
				}
				return
			}
			if err != nil {
				t.Error("close:", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "alone_clean")); err != nil {
				t.Error("the interrupted worker did not clean up:", err)
			}
		})
	}
	t.Run("close during a run", func(t *testing.T) {
		w := start(t)
		done := make(chan error, 1)
		go func() {
			_, d, err := w.Run(context.Background(), Case{Program: "wait"})
			if d != nil {
				err = errors.New(d.String())
			}
			done <- err
		}()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// Two runs at once would mix up their messages.
func TestBusy(t *testing.T) {
	w := start(t)
	w.running.Lock()
	_, _, err := w.Run(t.Context(), Case{Program: "good"})
	w.running.Unlock()
	if !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	good(t, w, 1)
}
