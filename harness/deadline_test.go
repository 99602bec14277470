package harness_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// The clock of these tests is a fake one: nothing waits.

// over returns a channel that is closed at the end of the test, when calls that ignore everything else
// must come back.
func over(t *testing.T) <-chan struct{} {
	c := make(chan struct{})
	t.Cleanup(func() { close(c) })
	return c
}

const searchTwice = `
	deadline 50ms
	setup
	#1 s0 search p0 own
	#2 s0 switch p0`

func TestDeadline(t *testing.T) {
	for _, row := range []struct {
		name  string
		does  func(*testing.T) func(context.Context) error
		stuck bool
		text  string
	}{
		{"answers when cancelled", func(*testing.T) func(context.Context) error { return heeds }, false,
			"no answer within 50ms, and nothing moves any more; it answered once its context was cancelled"},
		{"never answers", func(t *testing.T) func(context.Context) error { return ignores(over(t)) }, true,
			"no answer within 50ms, and nothing moves any more, nor after its context was cancelled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := (&fake{}).on("s0 search p0 cnry_p000_", row.does(t))
				run := execute(t, f, searchTwice)
				check(t, "outcomes", outcomes(run), "hung")
				e := run.History.Entries[0]
				check(t, "text", e.Response.Text, row.text)
				if run.Stuck() != row.stuck || run.Alive() {
					t.Errorf("stuck %v, alive %v", run.Stuck(), run.Alive())
				}
				if !strings.Contains(run.History.Stacks, "fakeSession.Search") {
					t.Errorf("the stacks do not show where it hangs:\n%s", run.History.Stacks)
				}
			})
		})
	}
}

// TestDeadlineIsNotTold: a service that waits for what never comes has to be caught, not helped.
func TestDeadlineIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&fake{}).on("s0 search p0 cnry_p000_", func(ctx context.Context) error {
			if d, ok := ctx.Deadline(); ok {
				t.Errorf("the operation knows of its deadline: %v", d)
			}
			select { // slow, but within the deadline
			case <-time.After(49 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		check(t, "outcomes", outcomes(execute(t, f, searchTwice)), "ok ok")
	})
}

// TestRestartMayTakeAsLongAsClose: closing has a bound of its own, whatever an operation's.
func TestRestartMayTakeAsLongAsClose(t *testing.T) {
	takes := func(d time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	const program = "deadline 50ms\n setup\n #1 s0 restart\n #2 s0 switch p0"
	for _, row := range []struct {
		takes    time.Duration
		outcomes string
	}{
		{harness.CloseDeadline - time.Millisecond, "ok ok"},
		{2 * harness.CloseDeadline, "hung"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := (&fake{}).on("close", takes(row.takes))
			check(t, "outcomes of a close that takes "+row.takes.String(), outcomes(execute(t, f, program)), row.outcomes)
		})
	}
}

func TestInterrupt(t *testing.T) {
	for _, row := range []struct {
		name  string
		does  func(*testing.T) func(context.Context) error
		stuck bool
	}{
		{"while an operation is under way", func(*testing.T) func(context.Context) error { return heeds }, false},
		{"while one is under way that does not care", func(t *testing.T) func(context.Context) error { return ignores(over(t)) }, true},
	} {
		for _, last := range []bool{false, true} {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := (&fake{}).on("s0 switch p0", row.does(t))
					program := "setup\n #1 s0 search p0 own\n #2 s0 switch p0\n"
					if !last {
						program += "#3 s0 search p0 own\n"
					}
					run := begin(t, f, program)
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(time.Second, cancel)
					if err := run.Execute(ctx); !errors.Is(err, context.Canceled) {
						t.Errorf("error %v, want %v", err, context.Canceled)
					}
					check(t, "outcomes", outcomes(run), "ok unknown:cancelled")
					if run.Stuck() != row.stuck || run.Alive() == row.stuck {
						t.Errorf("stuck %v, alive %v", run.Stuck(), run.Alive())
					}
				})
			})
		}
	}
}

func TestInterruptedBeforeItBegins(t *testing.T) {
	f := &fake{}
	run := begin(t, f, searchTwice)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.Execute(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	check(t, "outcomes", outcomes(run), "")
}

// TestOnlyItsOwnContextIsCancelled: a hung operation takes no other one's context with it, and the
// audit's operations, all numbered 0, share none.
func TestOnlyItsOwnContextIsCancelled(t *testing.T) {
	f := &fake{}
	run := begin(t, f, searchTwice)
	for range 2 {
		f.on("stats", func(ctx context.Context) error { return ctx.Err() })
		if e := run.Do(t.Context(), model.Op{Kind: model.KindStats}, true); outcome(e) != "ok" {
			t.Errorf("%s: %s", outcome(e), e.Response.Text)
		}
	}
}
