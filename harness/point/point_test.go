package point

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
)

func site(kind Kind, line int) *Site {
	return &Site{Package: "p", Func: "f", Kind: kind, Ordinal: 1, File: "f.go", Line: line}
}

// log is a hook that writes down what it is told.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) hook(thread any, at *Site) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprint(thread, " ", at.Kind, " ", at.Line))
}

func (l *log) want(t *testing.T, lines ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, lines) {
		t.Errorf("the hook was told\n\t%s\nwant\n\t%s", strings.Join(l.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

// A point does what stood there, whether or not a hook is told of it, and tells it before or after.
func TestCallsDoWhatTheyStandFor(t *testing.T) {
	use := func(l *log) {
		var mu sync.Mutex
		Via(site(BeforeLock, 1), &mu).Lock()
		After(site(AfterUnlock, 2), func() { l.hook("unlocks", site(AfterUnlock, 0)); mu.Unlock() })
		if !mu.TryLock() {
			t.Error("After did not unlock")
		}
		ch := make(chan int)
		Close(site(BeforeClose, 3), site(AfterClose, 4), ch)
		if _, open := <-ch; open {
			t.Error("Close did not close")
		}
		Before(site(Cond, 5), func() { l.hook("signals", site(Cond, 0)) })
		if got := Started(site(Go, 6), func(n ...int) int { return len(n) })(1, 2, 3); got != 3 {
			t.Errorf("Started ran with %d arguments, want 3", got)
		}
		if got := Via(site(Send, 7), 7); got != 7 {
			t.Errorf("Via handed on %d, want 7", got)
		}
	}
	idle := &log{}
	use(idle)
	idle.want(t, "unlocks after-unlock 0", "signals cond 0")

	gated := &log{}
	remove := Install(gated.hook)
	leave := Enter("#1")
	use(gated)
	leave()
	remove()
	use(&log{})
	gated.want(t, "#1 before-lock 1", "unlocks after-unlock 0", "#1 after-unlock 2", "#1 before-close 3",
		"#1 after-close 4", "#1 cond 5", "signals cond 0", "#1 go 6", "#1 send 7")
}

// start runs f in a goroutine as a go statement in instrumented code would, and waits for it.
func start(at *Site, f func()) {
	done := make(chan struct{})
	go Started(at, func() { defer close(done); f() })()
	<-done
}

// Goroutines belong to the thread that started them, however deep, and whoever wrote the go statement.
func TestThreadIsInherited(t *testing.T) {
	l := &log{}
	defer Install(l.hook)()
	leave := Enter("#1")
	start(site(Go, 1), func() {
		start(site(Go, 2), func() { Via(site(Receive, 3), 0) })
	})
	var wg sync.WaitGroup
	wg.Go(func() { Via(site(Atomic, 4), 0) }) // started by the standard library
	wg.Wait()
	nested := Enter("#2")
	Via(site(Atomic, 5), 0)
	nested()
	Via(site(Atomic, 6), 0)
	leave()
	Via(site(Atomic, 7), 0)
	l.want(t, "#1 go 1", "#1 go 2", "#1 receive 3", "#1 atomic 4", "#2 atomic 5", "#1 atomic 6", "<nil> atomic 7")
}

// A goroutine keeps its thread when the operation that it was started for is over.
func TestThreadOutlivesItsOperation(t *testing.T) {
	l := &log{}
	defer Install(l.hook)()
	goOn, done := make(chan struct{}), make(chan any)
	leave := Enter("#1")
	go func() { <-goOn; done <- Thread() }()
	leave()
	close(goOn)
	if got := <-done; got != "#1" {
		t.Errorf("the thread is %v, want #1", got)
	}
}

// What nobody in the program has started is a background thread, named by where it was started, numbered in order.
func TestBackgroundThreads(t *testing.T) {
	l := &log{}
	defer Install(l.hook)()
	reaper := site(Go, 10)
	for range 2 {
		start(reaper, func() {
			Via(site(Receive, 1), 0)
			start(site(Go, 11), func() { Via(site(Receive, 2), 0) })
		})
	}
	done := make(chan struct{})
	go Started(site(Go, 12), func(from, to int) { defer close(done); Via(site(Send, from+to), 0) })(1, 2)
	<-done
	first, second, third := "background 1 of f.go:10", "background 2 of f.go:10", "background 1 of f.go:12"
	l.want(t,
		"<nil> go 10", first+" receive 1", first+" go 11", first+" receive 2",
		"<nil> go 10", second+" receive 1", second+" go 11", second+" receive 2",
		"<nil> go 12", third+" send 3")
	if Thread() != nil {
		t.Error("starting a background thread changed the starter's")
	}
}

// The threads of one run are nobody's in the next, and outside of one nobody has a thread.
func TestRunsAreApart(t *testing.T) {
	if Enter("#0")(); Thread() != nil {
		t.Error("there is a thread outside of a run")
	}
	remove := Install((&log{}).hook)
	leave := Enter("#1")
	remove()
	if Thread() != nil {
		t.Error("there is a thread after the run")
	}
	second := &log{}
	defer Install(second.hook)()
	Via(site(Atomic, 1), 0)
	leave()
	second.want(t, "<nil> atomic 1")
	remove() // that of another run
	Via(site(Atomic, 2), 0)
	second.want(t, "<nil> atomic 1", "<nil> atomic 2")
}

func TestInstallTwice(t *testing.T) {
	defer Install((&log{}).hook)()
	defer func() {
		if recover() == nil {
			t.Error("a second hook was installed over the first")
		}
	}()
	Install((&log{}).hook)
}

// What profiles and dumps call a goroutine is its thread, and a nil function fails as it would without a point.
func TestLabelIsReadable(t *testing.T) {
	defer Install((&log{}).hook)()
	defer Enter("#1 search p0")()
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	if want := `{"tenantstorm":"#1 search p0"}`; !strings.Contains(b.String(), want) {
		t.Errorf("no goroutine is labelled %s:\n%s", want, b.String())
	}
	pprof.Do(context.Background(), pprof.Labels("a", "b"), func(context.Context) {
		if Thread() != nil {
			t.Error("a foreign label is taken for a thread")
		}
	})
	if f := Started[func()](site(Go, 1), nil); f != nil {
		t.Error("a nil function became another")
	}
}

// Many goroutines at points, enlisting and entering at a time: for the race detector.
func TestConcurrentUse(t *testing.T) {
	var mu sync.Mutex
	wrong := 0
	defer Install(func(thread any, at *Site) {
		mu.Lock()
		defer mu.Unlock()
		if thread != at.Line {
			wrong++
		}
	})()
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			defer Enter(n)()
			for range 50 {
				start(site(Go, n), func() { Via(site(Atomic, n), 0); runtime.Gosched() })
			}
		})
	}
	wg.Wait()
	if wrong > 0 {
		t.Errorf("%d points were told as another thread's", wrong)
	}
}

// An idle point allocates nothing.
func TestIdleAllocatesNothing(t *testing.T) {
	var mu sync.Mutex
	at := site(BeforeLock, 1)
	if n := testing.AllocsPerRun(100, func() {
		Via(at, &mu).Lock()
		After(at, mu.Unlock)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
