package harness_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// TestOperationsAreSent: what a program's operations become, by their names and their contents.
func TestOperationsAreSent(t *testing.T) {
	f := &fake{}
	run := execute(t, f, `
		projects 3
		sessions 2
		names case
		setup
		#1 s0 index p1 rev=4 files=1 mode=full
		#2 s0 switch p2
		#3 s0 index rev=5 files=1
		#4 s1 search p0 own
		#5 s0 search shared
		#6 s1 search p0 foreign=p2
		#7 s0 search rev=7
		#8 s0 stats
		#9 s0 drop p1
		#10 s0 hold p2 as h3
		#11 s1 release h3`)
	check(t, "calls", f.log(), strings.Join([]string{
		"open", "session s0", "session s1",
		"s0 index PROJECT0 with cnry_p001_r004_f000 full", "s0 switch project1", "s0 index  with cnry_p002_r005_f000 incremental",
		"s1 search project0 cnry_p000_", "s0 search sharedword", "s1 search project0 cnry_p002_", "s0 search cnry_p002_r007_",
		"stats", "drop PROJECT0", "hold project1", "lease project1 search cnry_p002_", "lease project1 release",
	}, "; "))
	check(t, "outcomes", outcomes(run), strings.TrimSpace(strings.Repeat("ok ", 11)))
}

// TestHistory: what is recorded of each operation, and when it is told.
func TestHistory(t *testing.T) {
	f := (&fake{}).on("s0 switch p0", fails(fmt.Errorf("cannot: %w", harness.ErrClosed)))
	run := begin(t, f, `
		setup
		#3 s0 search p0 own
		#7 s0 switch p0
		#5 s0 stats`)
	var told []string
	run.Begin = func(e history.Entry) {
		if e.Response.Status != model.StatusUnset || e.End != e.Start {
			t.Errorf("told of %s with a response: %+v", e.Op, e)
		}
		told = append(told, fmt.Sprintf("#%d after %d calls", e.Op.ID, strings.Count(f.log(), ";")))
	}
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	run.Do(t.Context(), model.Op{Kind: model.KindStats}, true)
	check(t, "told", fmt.Sprint(told), "[#3 after 1 calls #7 after 2 calls #5 after 3 calls #0 after 4 calls]")

	type row struct {
		ID       int
		Audit    bool
		Response model.Response
	}
	var got []row
	for i, e := range run.History.Entries {
		got = append(got, row{e.Op.ID, e.Audit, e.Response})
		if e.End < e.Start || i > 0 && e.Start < run.History.Entries[i-1].End {
			t.Errorf("%s: from %v to %v, after one that ended at %v", e.Op, e.Start, e.End, run.History.Entries[max(0, i-1)].End)
		}
	}
	stats := model.Response{Status: model.StatusOK, Stats: &model.Stats{CacheHits: 7}}
	want := []row{
		{3, false, model.Response{Status: model.StatusOK, Matches: found}},
		{7, false, model.Response{Status: model.StatusError, Error: model.ErrClosed, Text: "cannot: service closed"}},
		{5, false, stats},
		{0, true, stats},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	check(t, "capabilities", fmt.Sprint(run.History.Capabilities), "[stats drop hold]")
	if run.History.Stacks != "" || run.Stuck() || !run.Alive() || run.Closed() {
		t.Error("a run in which nothing went wrong looks otherwise")
	}
}

// TestErrorsEndNothing: an error is recorded, and the program goes on.
func TestErrorsEndNothing(t *testing.T) {
	f := (&fake{}).on("s0 search p0 cnry_p000_", fails(errBoom))
	run := execute(t, f, `
		setup
		#1 s0 search p0 own
		#2 s0 switch p0`)
	check(t, "outcomes", outcomes(run), "error:other ok")
	check(t, "text", run.History.Entries[0].Response.Text, "boom")
}

func TestPanic(t *testing.T) {
	f := (&fake{}).on("s0 switch p0", func(context.Context) error { panic("the shelf fell down") })
	run := execute(t, f, `
		setup
		#1 s0 search p0 own
		#2 s0 switch p0
		#3 s0 search p0 own`)
	check(t, "outcomes", outcomes(run), "ok panicked")
	text := run.History.Entries[1].Response.Text
	if !strings.HasPrefix(text, "panic: the shelf fell down\n") || !strings.Contains(text, "fakeSession.Switch") {
		t.Errorf("the panic's value and stack are not told: %s", text)
	}
	if run.Alive() || run.Stuck() {
		t.Errorf("after a panic: alive %v, stuck %v", run.Alive(), run.Stuck())
	}
}

// TestCapabilitiesAreSkipped: what a service cannot do is not asked of it.
func TestCapabilitiesAreSkipped(t *testing.T) {
	f := &fake{plain: true}
	run := execute(t, f, `
		setup
		#1 s0 stats
		#2 s0 drop p0
		#3 s0 hold p0 as h1
		#4 s0 release h1
		#5 s0 switch p0`)
	check(t, "outcomes", outcomes(run), "skipped skipped skipped skipped ok")
	check(t, "calls", f.log(), "open; session s0; s0 switch p0")
	if run.History.Capabilities != nil {
		t.Errorf("capabilities: %v", run.History.Capabilities)
	}
}

func TestCancel(t *testing.T) {
	var asked []error
	note := func(err error) func(context.Context) error {
		return func(ctx context.Context) error {
			asked = append(asked, ctx.Err())
			return err
		}
	}
	for _, row := range []struct {
		name, text, call string
		answer           error
		outcomes         string
		asked            error
	}{
		{"before, and it answers", "#1 s0 cancel #2\n #2 s0 switch p0", "s0 switch p0", nil, "ok ok", context.Canceled},
		{"before, and it says so", "#1 s0 cancel #2\n #2 s0 switch p0", "s0 switch p0", fmt.Errorf("switch: %w", context.Canceled), "ok unknown:cancelled", context.Canceled},
		{"before, and anything else is explained by it", "#1 s0 cancel #2\n #2 s0 switch p0", "s0 switch p0", errBoom, "ok unknown:other", context.Canceled},
		{"before, but the error has a name", "#1 s0 cancel #2\n #2 s0 switch p0", "s0 switch p0", harness.ErrUnknownProject, "ok error:unknown-project", context.Canceled},
		{"after", "#2 s0 switch p0\n #3 s0 cancel #2", "s0 switch p0", nil, "ok ok", nil},
		{"another", "#1 s0 cancel #4\n #2 s0 switch p0\n #4 s0 switch p1", "s0 switch p0", errBoom, "ok error:other ok", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked = nil
			f := (&fake{}).on(row.call, note(row.answer))
			run := execute(t, f, "projects 2\n setup\n "+row.text)
			check(t, "outcomes", outcomes(run), row.outcomes)
			if len(asked) != 1 || !errors.Is(asked[0], row.asked) {
				t.Errorf("the operation's context said %v, want [%v]", asked, row.asked)
			}
		})
	}
}

// TestUnsureSession: after a switch that may have happened nobody knows whose files an unnamed index
// would have to be given, so it is not sent. Everything else is.
func TestUnsureSession(t *testing.T) {
	f := (&fake{}).on("s0 switch p1", heeds).on("s0 switch p2", fails(errBoom))
	run := execute(t, f, `
		projects 3
		sessions 2
		setup
		#1 s0 switch p0
		#2 s0 cancel #3
		#3 s0 switch p1
		#4 s0 index rev=1 files=1
		#5 s0 index p0 rev=2 files=1
		#6 s0 search own
		#7 s0 switch p2
		#8 s0 index rev=3 files=1
		#9 s1 switch p2
		#10 s1 index rev=4 files=1
		#11 s0 switch p0
		#12 s0 index rev=5 files=1
		#13 s0 index rev=6 files=1`)
	check(t, "outcomes", outcomes(run), "ok ok unknown:cancelled skipped ok ok error:other skipped ok ok ok ok ok")
	check(t, "calls", f.log(), strings.Join([]string{
		"open", "session s0", "session s1", "s0 switch p0", "s0 switch p1",
		"s0 index p0 with cnry_p000_r002_f000 incremental", "s0 search cnry_p000_", "s0 switch p2",
		"s1 switch p2", "s1 index  with cnry_p002_r004_f000 incremental",
		"s0 switch p0", "s0 index  with cnry_p000_r005_f000 incremental", "s0 index  with cnry_p000_r006_f000 incremental",
	}, "; "))
}

func TestStartGivesTheServiceItsRoom(t *testing.T) {
	f := &fake{}
	run := begin(t, f, `
		max_projects 3
		projects 2
		sessions 4
		setup
		#1 s0 hold p0 as h1
		#2 s0 hold p1 as h2`)
	env := f.envs[0]
	if env.MaxProjects != 3 || env.ConnsPerProject != 4+2+1 {
		t.Errorf("max projects %d, connections a project %d; want 3 and 7", env.MaxProjects, env.ConnsPerProject)
	}
	if run.Target().Name != "fake" || run.Env().MaxProjects != 3 || run.Program().Sessions != 4 || run.System() == nil {
		t.Error("the run does not say what it runs")
	}
}

func TestStartErrors(t *testing.T) {
	program := model.Program{MaxProjects: 1, Projects: 1, Sessions: 2}
	start := func(f *fake, p model.Program) error {
		_, err := harness.Start(t.Context(), f.target(), harness.Env{}, p)
		return err
	}
	f := &fake{}
	var invalid *model.InvalidError
	if err := start(f, model.Program{}); !errors.As(err, &invalid) || f.log() != "" {
		t.Errorf("a program that cannot be run: %v; calls %q", err, f.log())
	}
	f = (&fake{}).on("open", fails(errBoom))
	if err := start(f, program); !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "open fake") {
		t.Errorf("a service that does not open: %v", err)
	}
	f = (&fake{}).on("session s1", fails(errBoom))
	if err := start(f, program); !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "s1") {
		t.Errorf("a session that does not open: %v", err)
	}
	check(t, "a service without its sessions is closed", f.log(), "open; session s0; session s1; close")
}
