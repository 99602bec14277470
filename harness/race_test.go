package harness_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// after is a script of a call that takes so long, unless its context ends first.
func after(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// together is a script of calls of which none comes back before so many are under way.
func together(n int) func(context.Context) error {
	var wg sync.WaitGroup
	wg.Add(n)
	return func(context.Context) error {
		wg.Done()
		wg.Wait()
		return nil
	}
}

func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := together(3)
		f := (&fake{}).on("s0 search p0 cnry_p000_", both).on("s1 search p0 cnry_p000_", both).on("s2 search p0 cnry_p000_", both).
			on("s0 switch p1", after(2*time.Second)).on("s1 switch p1", after(3*time.Second))
		run := execute(t, f, `
			mode free
			projects 2
			sessions 3
			setup
			#1 s2 switch p0
			race
			#2 s0 search p0 own
			#3 s0 switch p1
			#4 s0 search own
			#5 s1 search p0 own
			#6 s1 switch p1
			#7 s2 search p0 own`)
		check(t, "outcomes", outcomes(run), "ok ok ok ok ok ok ok")

		// Setup before the race; each session in its own order; the history in the order of beginnings.
		began := map[int]int{}
		var last time.Duration
		for i, e := range run.History.Entries {
			began[e.Op.ID] = i
			if e.Start < last {
				t.Errorf("%s began at %v, and stands after one that began at %v", e.Op, e.Start, last)
			}
			last = e.Start
		}
		for _, pair := range [][2]int{{1, 2}, {1, 5}, {1, 7}, {2, 3}, {3, 4}, {5, 6}, {3, 4}} {
			if began[pair[0]] >= began[pair[1]] {
				t.Errorf("#%d did not begin before #%d", pair[0], pair[1])
			}
		}
		// What an unnamed operation asks for follows its own session's switches.
		if !strings.Contains(f.log(), "s0 search cnry_p001_") {
			t.Errorf("calls: %s", f.log())
		}
	})
}

// TestRaceInSequentialMode: the race section of a sequential program is no race.
func TestRaceInSequentialMode(t *testing.T) {
	f := &fake{}
	execute(t, f, `
		projects 3
		sessions 2
		race
		#1 s1 switch p1
		#2 s0 switch p0
		#3 s1 switch p2`)
	check(t, "calls", f.log(), "open; session s0; session s1; s1 switch p1; s0 switch p0; s1 switch p2")
}

// TestRaceCancel: a cancel reaches an operation of another session that is under way.
func TestRaceCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&fake{}).on("s0 search p0 cnry_p000_", heeds).on("s1 search p0 cnry_p000_", after(time.Second))
		run := execute(t, f, `
			mode free
			sessions 2
			race
			#1 s0 search p0 own
			#2 s0 switch p0
			#3 s1 search p0 own
			#4 s1 cancel #1`)
		got := map[int]string{}
		for _, e := range run.History.Entries {
			got[e.Op.ID] = outcome(e)
		}
		check(t, "outcomes", fmt.Sprint(got), "map[1:unknown:cancelled 2:ok 3:ok 4:ok]")
	})
}

// TestRaceStops: after a hang or a panic no session begins anything more.
func TestRaceStops(t *testing.T) {
	for what, does := range map[string]func(context.Context) error{
		"hung":     heeds,
		"panicked": func(context.Context) error { <-time.After(time.Second); panic("no") },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := (&fake{}).on("s0 search p0 cnry_p000_", does).on("s1 switch p0", after(4*time.Second))
			run := execute(t, f, `
				mode free
				deadline 5s
				sessions 2
				race
				#1 s0 search p0 own
				#2 s0 switch p0
				#3 s1 switch p0
				#4 s1 search p0 shared
				#5 s1 switch p0
				#6 s1 search p0 shared`)
			got := map[int]string{}
			for _, e := range run.History.Entries {
				got[e.Op.ID] = outcome(e)
			}
			want := map[int]string{1: "hung", 3: "ok", 4: "ok", 5: "ok"} // #5 was under way when #1 was given up
			if what == "panicked" {
				want = map[int]string{1: "panicked", 3: "ok"}
			}
			check(t, "outcomes", fmt.Sprint(got), fmt.Sprint(want))
			if run.Alive() || run.Stuck() {
				t.Errorf("%s: alive %v, stuck %v", what, run.Alive(), run.Stuck())
			}
		})
	}
}

// TestRaceOfReleases: of two releases of one lease at once, one uses it, and the other only gives it back.
func TestRaceOfReleases(t *testing.T) {
	f := &fake{}
	run := begin(t, f, `
		mode free
		sessions 2
		setup
		#1 s0 hold p0 as h1
		race
		#2 s0 release h1
		#3 s1 release h1`)
	var releases sync.WaitGroup
	releases.Add(2)
	run.Begin = func(e history.Entry) {
		if e.Op.Kind == model.KindRelease {
			releases.Done()
		}
	}
	f.on("lease p0 search cnry_p000_", func(context.Context) error {
		releases.Wait() // the other one has begun
		return nil
	})
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, "outcomes", outcomes(run), "ok ok ok")
	check(t, "calls", f.log(), "open; session s0; session s1; hold p0; lease p0 search cnry_p000_; lease p0 release; lease p0 release")
	again := 0
	for _, e := range run.History.Entries {
		if e.Response.Again {
			again++
		}
	}
	if again != 1 {
		t.Errorf("%d releases were the second one, want 1", again)
	}
}
