package harness_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tenantstorm/tenantstorm/harness"
)

// TestRelease: a lease is used once more before it is given back; a second release only gives it back.
func TestRelease(t *testing.T) {
	f := &fake{}
	f.on("hold p1", fails(errBoom))
	run := execute(t, f, `
		projects 2
		setup
		#1 s0 hold p0 as h1
		#2 s0 hold p1 as h2
		#3 s0 release h2
		#4 s0 release h1
		#5 s0 release h1`)
	check(t, "outcomes", outcomes(run), "ok error:other skipped ok ok")
	check(t, "calls", f.log(), strings.Join([]string{"open", "session s0", "hold p0", "hold p1",
		"lease p0 search cnry_p000_", "lease p0 release", "lease p0 release"}, "; "))
	if n := len(run.History.Entries[3].Response.Matches); n != 1 {
		t.Errorf("the release found %d matches, want 1", n)
	}
	if r := run.History.Entries[4].Response; r.Matches != nil || !r.Again {
		t.Errorf("the second release: %+v; want no search, and to be told that it was the second", r)
	}
}

// TestReleaseErrors: either half of a release may fail, and the first failure is told. It is given back
// whatever its search said.
func TestReleaseErrors(t *testing.T) {
	for _, row := range []struct {
		name     string
		script   map[string]error
		outcomes string
	}{
		{"search", map[string]error{"lease p0 search cnry_p000_": harness.ErrClosed}, "ok error:closed"},
		{"release", map[string]error{"lease p0 release": harness.ErrInUse}, "ok error:in-use"},
		{"both", map[string]error{"lease p0 search cnry_p000_": harness.ErrClosed, "lease p0 release": harness.ErrInUse}, "ok error:closed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &fake{}
			for call, err := range row.script {
				f.on(call, fails(err))
			}
			run := execute(t, f, "setup\n #1 s0 hold p0 as h1\n #2 s0 release h1")
			check(t, "outcomes", outcomes(run), row.outcomes)
			if !strings.HasSuffix(f.log(), "lease p0 release") || len(run.Held()) != 0 {
				t.Errorf("it was not given back: %s; held %v", f.log(), run.Held())
			}
		})
	}
}

// TestRestartReleases: leases first, in order, then the service; afterwards nothing is held.
func TestRestartReleases(t *testing.T) {
	f := &fake{}
	run := begin(t, f, `
		projects 3
		sessions 2
		setup
		#1 s0 hold p2 as h9
		#2 s0 hold p1 as h2
		#3 s0 hold p0 as h1
		#4 s0 release h2
		#5 s0 switch p1
		#6 s0 restart
		#7 s0 release h9
		#8 s0 release h2
		#9 s0 hold p2 as h10`)
	var held []string
	f.on("close", func(context.Context) error {
		held = append(held, fmt.Sprint(run.Held()))
		return nil
	})
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, "outcomes", outcomes(run), "ok ok ok ok ok ok skipped skipped ok")
	_, calls, _ := strings.Cut(f.log(), "s0 switch p1; ")
	check(t, "calls", calls, "lease p0 release; lease p2 release; close; open; session s0; session s1; hold p2")
	check(t, "held", fmt.Sprint(run.Held()), "[10]")
	check(t, "held when it was closed", fmt.Sprint(held), "[[]]")
	if hung, err := run.Close(t.Context()); hung || err != nil {
		t.Errorf("close: hung %v, %v", hung, err)
	}
	if !strings.HasSuffix(f.log(), "lease p2 release; close") || !run.Closed() {
		t.Errorf("at the end: %s", f.log())
	}
}

// TestRestartErrors: whatever fails is the restart's error; what follows still has sessions to use.
func TestRestartErrors(t *testing.T) {
	for _, call := range []string{"lease p0 release", "close", "open", "session s1"} {
		t.Run(call, func(t *testing.T) {
			f := &fake{}
			run := begin(t, f, `
				sessions 2
				setup
				#1 s0 hold p0 as h1
				#2 s0 restart
				#3 s1 search p0 own`)
			f.on(call, fails(errBoom))
			if err := run.Execute(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(t, "outcomes", outcomes(run), "ok error:other ok")
		})
	}
}

func TestClose(t *testing.T) {
	t.Run("error", func(t *testing.T) {
		run := execute(t, (&fake{}).on("close", fails(errBoom)), "setup")
		if hung, err := run.Close(t.Context()); hung || !errors.Is(err, errBoom) {
			t.Errorf("hung %v, error %v", hung, err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		run := execute(t, (&fake{}).on("close", func(context.Context) error { panic("oh") }), "setup")
		if hung, err := run.Close(t.Context()); hung || err == nil || !strings.Contains(err.Error(), "panic: oh") {
			t.Errorf("hung %v, error %v", hung, err)
		}
	})
	t.Run("a lease that cannot be released does not keep it open", func(t *testing.T) {
		f := (&fake{}).on("lease p0 release", fails(errBoom))
		run := execute(t, f, "setup\n #1 s0 hold p0 as h1")
		if hung, err := run.Close(t.Context()); hung || !errors.Is(err, errBoom) {
			t.Errorf("hung %v, error %v", hung, err)
		}
		if !strings.HasSuffix(f.log(), "close") {
			t.Errorf("calls: %s", f.log())
		}
	})
}

func TestCloseHung(t *testing.T) {
	for _, row := range []struct {
		name  string
		does  func(*testing.T) func(context.Context) error
		stuck bool
	}{
		{"until it is cancelled", func(*testing.T) func(context.Context) error { return heeds }, false},
		{"for good", func(t *testing.T) func(context.Context) error { return ignores(over(t)) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := execute(t, (&fake{}).on("close", row.does(t)), "setup")
				hung, err := run.Close(t.Context())
				if !hung || err != nil || run.Stuck() != row.stuck {
					t.Errorf("hung %v, error %v, stuck %v", hung, err, run.Stuck())
				}
				if !strings.Contains(run.History.Stacks, "plainSystem).Close") {
					t.Errorf("the stacks do not show where it hangs:\n%s", run.History.Stacks)
				}
			})
		})
	}
}
