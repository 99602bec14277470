package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// The test binary is its own worker: what the worker does is the case's program, or, before the
// handshake, fakeEnv.
const (
	fakeEnv   = "TENANTSTORM_FAKE"        // how a worker misbehaves before it serves
	parentEnv = "TENANTSTORM_FAKE_PARENT" // this process is a parent, to be killed
	fifoEnv   = "TENANTSTORM_FAKE_FIFO"   // held open by "hold" for as long as anything of it lives
	dirEnv    = "TENANTSTORM_FAKE_DIR"    // where workers leave marks
)

func TestMain(m *testing.M) {
	switch {
	case Requested():
		os.Exit(fakeMain())
	case os.Getenv(parentEnv) != "":
		os.Exit(parentMain())
	}
	goleak.VerifyTestMain(m)
}

func fakeMain() int {
	in, out, err := inherited()
	if err != nil {
		return mainOn(fakeTarget, os.Stderr)
	}
	switch how := os.Getenv(fakeEnv); how {
	case "die":
		fmt.Fprintln(os.Stderr, "cannot find my configuration")
		return 7
	case "silent":
		select {}
	case "garbage":
		fmt.Fprintln(out, "hello there, this is a log line")
		select {}
	case "no-greeting":
		_ = writeFrame(out, message{Taken: &taken{ID: 1}})
		select {}
	case "version":
		_ = writeFrame(out, message{Ready: &Ready{Protocol: Protocol + 1}})
		select {}
	case "deaf": // greets, and reads nothing more
		_ = writeFrame(out, message{Ready: &Ready{Protocol: Protocol}})
		select {}
	}
	err = serve(context.Background(), in, out, fakeTarget.Name, func(h Hello, log io.Writer) runner {
		return &fake{hello: h, log: log}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fake is a runner that does what the program's text says.
type fake struct {
	hello Hello
	log   io.Writer
	fresh bool
}

var (
	fakeSearch = model.Op{ID: 2, Kind: model.KindSearch, Project: 1}
	fakeIndex  = model.Op{ID: 1, Kind: model.KindIndex, Revision: 1, Files: 1}
	fakeAudit  = model.Op{Kind: model.KindSearch, Project: 1}
)

// fakeDeviations are what the schedule of the program "deviate" does.
var fakeDeviations = []model.Intervention{
	{At: model.Point{Op: 1, Kind: model.AtMessage, Nth: 2}, To: 2},
	{At: model.Point{Op: 2, Kind: model.AtCode, Site: "a.(*set).put:before-lock:1", Nth: 1}, Kind: model.Fault, Fault: "cancel"},
}

// close leaves a mark, so that tests can see that it was called.
func (f *fake) close(context.Context) error {
	if dir := os.Getenv(dirEnv); dir != "" {
		return os.WriteFile(filepath.Join(dir, f.hello.Prefix+"clean"), nil, 0o600)
	}
	return nil
}

func (f *fake) run(ctx context.Context, c Case, tell teller) Report {
	f.fresh = c.Fresh
	fmt.Fprintf(f.log, "case of %s fresh=%v\n", f.hello.Prefix, c.Fresh)
	what, early := strings.CutPrefix(c.Program, "early ")
	if !early {
		tell.begin(history.Entry{Op: fakeIndex})
		tell.begin(history.Entry{Op: fakeSearch})
	}
	if after, ok := strings.CutPrefix(what, "audit "); ok {
		what = after
		tell.begin(history.Entry{Op: fakeAudit, Audit: true})
	}
	r := Report{Verdict: check.Verdict{Status: check.Pass}}
	switch what {
	case "good":
	case "panic":
		panic("boom")
	case "panic in goroutine":
		go panic("boom")
		select {}
	case "fatal":
		var mu sync.Mutex
		mu.Unlock()
	case "deviate":
		for _, in := range fakeDeviations {
			tell.deviated(in)
		}
		panic("boom")
	case "race":
		fmt.Fprint(os.Stderr, "==================\nWARNING: DATA RACE\nWrite at 0x00c0001 by goroutine 8:\n  a.(*set).put()\n      /src/set.go:7 +0x1\n\n"+
			"Previous read at 0x00c0001 by goroutine 7:\n  a.(*set).has()\n      /src/set.go:3 +0x2\n==================\n")
		os.Exit(66)
	case "exit 66":
		os.Exit(66)
	case "exit 3":
		fmt.Println("leaving")
		os.Exit(3)
	case "exit 0":
		os.Exit(0)
	case "hang":
		select {}
	case "spin":
		for i := 0; ; i++ {
			_ = i
		}
	case "wait": // for the end of the case's context
		<-ctx.Done()
		r.Verdict.Status = check.Unset
		r.Broken = ctx.Err().Error()
	case "flood":
		flood(200 << 20)
	case "flood, then panic":
		flood(1 << 20)
		go panic("boom")
		select {}
	case "many stacks":
		for range 2000 {
			go func() { select {} }()
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		select {}
	case "garbage":
		_, _ = syscall.Write(outFD, []byte("a log line on the wrong descriptor\n"))
		select {}
	case "hold": // the FIFO, and say so; a child holds it, too
		fifo, err := os.OpenFile(os.Getenv(fifoEnv), os.O_WRONLY, 0)
		if err != nil {
			return Report{Broken: err.Error()}
		}
		child := exec.Command("sleep", "1000")
		child.ExtraFiles = []*os.File{fifo}
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return Report{Broken: err.Error()}
		}
		if strings.HasPrefix(f.hello.Prefix, "alone") {
			_ = child.Process.Kill()
			_ = child.Wait()
		}
		fmt.Fprintln(fifo, "held")
		if f.hello.Prefix == "exits_" {
			os.Exit(3)
		}
		select {}
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "killed once":
		if _, err := os.Stat(f.mark("killed")); err != nil {
			_ = os.WriteFile(f.mark("killed"), nil, 0o600)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	case "quit from outside":
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		select {}
	case "secret exit":
		fmt.Fprintln(os.Stderr, "connecting to "+f.hello.DSN)
		os.Exit(4)
	case "secret report":
		fmt.Fprintln(f.log, "connecting to "+f.hello.DSN)
		r.History.Entries = []history.Entry{{Response: model.Response{Text: "cannot reach " + f.hello.DSN}}}
	case "no verdict":
		r.Verdict.Status = check.Unset
	case "broken":
		r = Report{Broken: "no database"}
	case "tainted":
		r.Tainted = true
	case "not a number":
		r.History.Entries = []history.Entry{{Response: model.Response{Matches: []model.Match{{Score: math.NaN()}}}}}
	case "too long":
		r.History.Stacks = strings.Repeat("x", maxFrame)
	case "later": // dies when the parent says so, between cases
		go func() {
			gate, err := os.Open(os.Getenv(fifoEnv))
			if err == nil {
				_, _ = gate.Read(make([]byte, 1))
			}
			panic("late")
		}()
	case "straggler":
		go tell.begin(history.Entry{Op: fakeAudit, Audit: true})
	default:
		return Report{Broken: "the fake does not know " + what}
	}
	return r
}

func (f *fake) mark(name string) string { return filepath.Join(os.Getenv(dirEnv), name) }

func flood(bytesEach int) {
	chunk := bytes.Repeat([]byte("panic at the disco, says a service that logs too much\n"), 1000)
	var wg sync.WaitGroup
	for _, to := range []*os.File{os.Stdout, os.Stderr} {
		wg.Go(func() {
			for n := 0; n < bytesEach; n += len(chunk) {
				_, _ = to.Write(chunk)
			}
		})
	}
	wg.Wait()
}

// parentMain is a parent that has two workers at work until it is killed.
func parentMain() int {
	opts := fakeOptions()
	f, err := NewFleet(context.Background(), opts, 2)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for id := range 2 {
		wg.Go(func() { _, _ = f.Do(context.Background(), Case{ID: id, Program: "hold"}) })
	}
	wg.Wait()
	return 1
}
