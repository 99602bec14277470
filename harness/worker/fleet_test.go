package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
)

func fleet(t *testing.T, size int, env ...string) *Fleet {
	t.Helper()
	opts := fakeOptions()
	opts.Prefix, opts.Env, opts.Log = "run_", env, true
	f, err := NewFleet(t.Context(), opts, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // asserted where it matters
	return f
}

func TestFleetSharesTheWork(t *testing.T) {
	dir := t.TempDir()
	f := fleet(t, 2, dirEnv+"="+dir)
	if f.Ready().Target != "fake" || f.Size() != 2 {
		t.Errorf("%+v of %d", f.Ready(), f.Size())
	}
	programs := []string{"good", "panic", "exit 3", "good", "tainted", "good", "killed once", "good", "broken", "good"}
	outcomes := make([]Outcome, len(programs))
	errs := make([]error, len(programs))
	var wg sync.WaitGroup
	for i, p := range programs {
		wg.Go(func() { outcomes[i], errs[i] = f.Do(t.Context(), Case{ID: i, Program: p}) })
	}
	wg.Wait()
	for i, p := range programs {
		o, want := outcomes[i], check.Pass
		if p == "panic" || p == "exit 3" {
			want = check.Fail
		}
		var broken *BrokenError
		switch {
		case p == "broken":
			if !errors.As(errs[i], &broken) || broken.Case != i {
				t.Errorf("%s: %v", p, errs[i])
			}
		case errs[i] != nil || o.Verdict.Status != want || (o.Died != nil) != (want == check.Fail):
			t.Errorf("%s: %+v, %v", p, o, errs[i])
		case want == check.Pass && !strings.HasPrefix(o.Log[0], "case of run_w1_ ") && !strings.HasPrefix(o.Log[0], "case of run_w2_ "):
			t.Errorf("%s: ran on %q", p, o.Log)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error("second close:", err)
	}
	if _, err := f.Do(t.Context(), Case{Program: "good"}); !errors.Is(err, ErrClosed) {
		t.Error("after close:", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "killed")); err != nil {
		t.Error("nothing was killed:", err)
	}
}

// What a dead worker left is not recycled by the next one.
func TestFleetAfterADeath(t *testing.T) {
	f := fleet(t, 1)
	for id, c := range []struct{ program, log string }{
		{"good", "case of run_w1_ fresh=false"},
		{"panic", ""},
		{"broken", ""},
		{"good", "case of run_w1_ fresh=true"},
		{"good", "case of run_w1_ fresh=false"},
		{"tainted", "case of run_w1_ fresh=false"}, // it ends in good order
		{"good", "case of run_w1_ fresh=false"},
	} {
		o, _ := f.Do(t.Context(), Case{ID: id, Program: c.program}) // the broken one's error is not the point
		if c.log != "" && !slices.Equal(o.Log, []string{c.log}) {
			t.Errorf("case %d (%s): %q, want %q", id, c.program, o.Log, c.log)
		}
	}
}

func TestFleetKilledTwice(t *testing.T) {
	f := fleet(t, 1)
	o, err := f.Do(t.Context(), Case{Program: "killed"})
	if err != nil || o.Verdict.Status != check.Inconclusive || o.Died == nil || o.Died.Kind != Killed {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = f.Do(t.Context(), Case{Program: "good"}); err != nil || o.Verdict.Status != check.Pass {
		t.Errorf("the next case: %+v, %v", o, err)
	}
}

// A worker that dies between two cases takes neither with it, and is not forgotten.
func TestFleetStrays(t *testing.T) {
	h := newHolders(t)
	f := fleet(t, 1, fifoEnv+"="+h.path)
	if _, err := f.Do(t.Context(), Case{ID: 7, Program: "later"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.own.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	b := <-f.free
	<-b.worker.dead
	f.free <- b
	o, err := f.Do(t.Context(), Case{ID: 8, Program: "good"})
	if err != nil || o.Verdict.Status != check.Pass || o.Died != nil {
		t.Errorf("%+v, %v", o, err)
	}
	strays := f.Strays()
	if len(strays) != 1 || strays[0].Case != 7 || strays[0].Death.Kind != Panicked || !strings.HasPrefix(strays[0].Death.Crash, "panic: late") {
		t.Errorf("%+v", strays)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestFleetInterrupted(t *testing.T) {
	f := fleet(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := f.Do(ctx, Case{Program: "wait"})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if o, err := f.Do(t.Context(), Case{Program: "good"}); err != nil || o.Verdict.Status != check.Pass {
		t.Errorf("the next case: %+v, %v", o, err)
	}
	go func() {
		_, err := f.Do(context.Background(), Case{Program: "wait"})
		done <- err
	}()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error("closed during a case:", err)
	}
}

func TestFleetOfNoWorkers(t *testing.T) {
	opts := fakeOptions()
	if _, err := NewFleet(t.Context(), opts, 0); err == nil {
		t.Error("no workers, no error")
	}
	opts.Path = "/bin/true"
	if _, err := NewFleet(t.Context(), opts, 1); !errors.Is(err, ErrNotWorker) {
		t.Error(err)
	}
}
