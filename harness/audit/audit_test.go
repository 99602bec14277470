package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Most of these tests have a clock of their own, which moves only when everything waits: the seconds
// that an audit gives a service to settle cost nothing. Waiting for the real server does not move it.

var errBoom = errors.New("boom")

// TestClean: nothing is said of a service that leaves nothing, and everything was looked at.
func TestClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rest(t, &fake{}, audit.Options{Goroutines: audit.Baseline()})
		leaks(t, r)
		if want := []string{"draining", "in-use", "conservation", "backends", "goroutines"}; !slices.Equal(r.Looked, want) {
			t.Errorf("looked for %v, want %v", r.Looked, want)
		}
		if r.CloseHung || r.CloseError != "" {
			t.Errorf("close: %+v", r)
		}
	})
}

// TestWhatIsAsked: in which order, of whom, and what the history keeps of it.
func TestWhatIsAsked(t *testing.T) {
	f := &fake{found: func(project string) ([]model.Match, error) {
		if project == "p2" {
			return nil, harness.ErrUnknownProject
		}
		return []model.Match{{Path: project}}, nil
	}}
	run, err := inspect(t, f, `
		max_projects 1
		projects 4
		sessions 2
		setup
		#1 s0 hold p0 as h7
		#2 s1 hold p2 as h3
		#3 s0 hold p0 as h4
		#4 s0 release h4`, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"open 1", "hold p0", "hold p2", "hold p0", "use the lease on p0", "release p0",
		"stats", "use the lease on p2", "release p2", "use the lease on p0", "release p0", "close 1",
		"open 2", "search 2 p0 sharedword limit 50", "search 2 p2 sharedword limit 50", "close 2",
	}, "; ")
	if f.log() != want {
		t.Errorf("calls:\n got %s\nwant %s", f.log(), want)
	}
	var told []string
	for _, e := range run.History.Entries {
		if e.Audit {
			told = append(told, e.Op.Kind.String()+" "+e.Response.Status.String())
		}
	}
	if want := []string{"stats ok", "release ok", "release ok", "search ok", "search error"}; !slices.Equal(told, want) {
		t.Errorf("entries of the audit: %v, want %v", told, want)
	}
	last := time.Duration(0)
	for _, e := range run.History.Entries {
		if e.Start < last {
			t.Errorf("%s began at %v, after one that ended at %v: another clock", e.Op, e.Start, last)
		}
		last = e.End
	}
	if !run.Closed() || run.History.Rest == nil {
		t.Error("the service is not closed, or nothing was seen at rest")
	}
}

// TestNoProjects: where no project was used there are no contents to ask for.
func TestNoProjects(t *testing.T) {
	f := &fake{}
	if _, err := inspect(t, f, "setup\n #1 s0 stats", audit.Options{}); err != nil {
		t.Fatal(err)
	}
	if f.opens != 1 {
		t.Errorf("calls: %s", f.log())
	}
}

// TestFewCapabilities: a service without statistics is asked for none, and nothing is said to have been
// looked at that was not.
func TestFewCapabilities(t *testing.T) {
	f := &fake{}
	target := f.target()
	full := target.New
	target.New = func(ctx context.Context, env harness.Env) (harness.System, error) {
		sys, err := full(ctx, env)
		return struct{ harness.System }{sys}, err
	}
	run, err := inspectTarget(t, target, "setup\n #1 s0 index p0 rev=1 files=1", audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := run.History.Rest; !slices.Equal(r.Looked, []string{"backends"}) || len(r.Leaks) > 0 {
		t.Errorf("%+v", r)
	}
	if strings.Contains(f.log(), "stats") {
		t.Errorf("calls: %s", f.log())
	}
}

func TestStatistics(t *testing.T) {
	type stats = model.Stats
	busy := []model.PoolStats{{Project: "p0", Size: 3, InUse: 2}, {Project: "p1", Size: 1, InUse: 1}}
	for _, row := range []struct {
		name  string
		first int // so many answers are the bad one; then it settles
		bad   stats
		want  []history.Leak
	}{
		{"draining for ever", -1, stats{Draining: 2}, []history.Leak{{What: "draining", Got: 2}}},
		{"draining for a while", 100, stats{Draining: 2}, nil},
		{"in use for ever", -1, stats{ActivePools: 2, Creations: 2, Pools: busy}, []history.Leak{{What: "in-use", Got: 3}}},
		{"in use for a while", 100, stats{ActivePools: 2, Creations: 2, Pools: busy}, nil},
		{"both", -1, stats{Draining: 1, ActivePools: 2, Creations: 2, Pools: busy}, []history.Leak{{What: "draining", Got: 1}, {What: "in-use", Got: 3}}},
		{"one pool too few", -1, stats{Creations: 5, ActivePools: 1, Evictions: 2, Drops: 1}, []history.Leak{{What: "conservation", Want: 4, Got: 5}}},
		{"one pool too many", -1, stats{Creations: 3, ActivePools: 1, Evictions: 2, Drops: 1}, []history.Leak{{What: "conservation", Want: 4, Got: 3}}},
		{"every pool accounted for", -1, stats{Creations: 4, ActivePools: 1, Evictions: 2, Drops: 1}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rest(t, &fake{stats: func(n int) (model.Stats, error) {
					if row.first >= 0 && n > row.first {
						return model.Stats{}, nil
					}
					return row.bad, nil
				}}, audit.Options{})
				leaks(t, r, row.want...)
			})
		})
	}
}

// TestStatisticsFail: that is the service's doing, and no reason not to look at the rest.
func TestStatisticsFail(t *testing.T) {
	f := &fake{stats: func(int) (model.Stats, error) { return model.Stats{}, errBoom }}
	run, err := inspect(t, f, "setup\n #1 s0 index p0 rev=1 files=1", audit.Options{})
	if err != nil {
		t.Fatalf("an error of the service is told as one of the environment: %v", err)
	}
	for _, at := range []int{1, 2} {
		if e := run.History.Entries[at]; !e.Audit || e.Op.Kind != model.KindStats || e.Response.Status != model.StatusError {
			t.Errorf("the history does not tell of it: %+v", e)
		}
	}
	if got := run.History.Rest.Looked; !slices.Equal(got, []string{"backends"}) {
		t.Errorf("looked for %v, want [backends]", got)
	}
}

func TestConnections(t *testing.T) {
	t.Run("left open", func(t *testing.T) {
		conn := connection(t)
		defer conn.Close(context.Background())
		if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			r := rest(t, &fake{}, audit.Options{})
			leaks(t, r, history.Leak{What: "backends", Got: 1})
			if detail := r.Leaks[0].Detail; !strings.Contains(detail, prefix+"p0") || !strings.Contains(detail, "idle in transaction") {
				t.Errorf("detail: %s", detail)
			}
		})
	})
	t.Run("closed with the service", func(t *testing.T) {
		conn := connection(t)
		leaks(t, rest(t, &fake{close: func(ctx context.Context, open int) error {
			if open == 1 {
				return conn.Close(ctx)
			}
			return nil
		}}, audit.Options{}))
	})
}

func TestGoroutines(t *testing.T) {
	for _, row := range []struct {
		name  string
		lives time.Duration // after Close; 0: until the test is over
		want  []history.Leak
	}{
		{"left running", 0, []history.Leak{{What: "goroutines", Got: 2}}},
		{"about to end", 500 * time.Millisecond, nil}, // as pgxpool's own
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				end := make(chan struct{})
				wait := func() {
					select {
					case <-over:
					case <-end:
					}
				}
				base := audit.Baseline()
				r := rest(t, &fake{
					open: func(_ context.Context, open int) error {
						if open == 1 {
							go wait()
							go wait()
						}
						return nil
					},
					close: func(_ context.Context, open int) error {
						if open == 1 && row.lives > 0 {
							time.AfterFunc(row.lives, func() { close(end) })
						}
						return nil
					},
				}, audit.Options{Goroutines: base})
				leaks(t, r, row.want...)
				if len(row.want) > 0 && !strings.Contains(r.Leaks[0].Detail, "TestGoroutines") {
					t.Errorf("detail: %s", r.Leaks[0].Detail)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	fails := func(which int) func(context.Context, int) error {
		return func(_ context.Context, open int) error {
			if open == which {
				return errBoom
			}
			return nil
		}
	}
	for which := 1; which <= 2; which++ {
		r := rest(t, &fake{close: fails(which)}, audit.Options{})
		if r.CloseError != "boom" || r.CloseHung || len(r.Leaks) > 0 {
			t.Errorf("the service number %d gives an error: %+v", which, r)
		}
	}

	hangs := func(which int) func(context.Context, int) error {
		return func(ctx context.Context, open int) error {
			if open == which {
				<-ctx.Done()
			}
			return ctx.Err()
		}
	}
	for which := 1; which <= 2; which++ {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{close: hangs(which)}
			r := rest(t, f, audit.Options{})
			if !r.CloseHung || r.CloseError != "" || len(r.Leaks) > 0 {
				t.Errorf("the service number %d does not end: %+v", which, r)
			}
			if which == 1 && f.opens != 1 {
				t.Errorf("a second service was opened beside one that did not end: %s", f.log())
			}
		})
	}
}

// TestServiceIsGone: where the service hangs or panics in the audit, it is asked nothing more.
func TestServiceIsGone(t *testing.T) {
	f := &fake{stats: func(int) (model.Stats, error) { panic("no") }}
	run, err := inspect(t, f, "setup\n #1 s0 index p0 rev=1 files=1", audit.Options{})
	if err != nil || run.Closed() || run.Alive() || f.opens != 1 {
		t.Errorf("error %v, closed %v, alive %v; %s", err, run.Closed(), run.Alive(), f.log())
	}
	if len(run.History.Rest.Looked) != 0 {
		t.Errorf("looked for %v", run.History.Rest.Looked)
	}
}

// TestSecondServiceIsGone: the same holds for the cold one, and its stacks are kept.
func TestSecondServiceIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		f := &fake{found: func(string) ([]model.Match, error) {
			<-over
			return nil, nil
		}}
		run, err := inspect(t, f, "projects 3\n setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 index p1 rev=1 files=1", audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		last := run.History.Entries[len(run.History.Entries)-1]
		if last.Response.Status != model.StatusHung || strings.Count(f.log(), "search 2") != 1 {
			t.Errorf("the last answer: %s; %s", last.Response.Status, f.log())
		}
		if !strings.Contains(run.History.Stacks, "session.Search") {
			t.Error("the stacks do not show where it hangs")
		}
	})
}

// TestEnvironment: what keeps the audit from looking is an error, and no leak.
func TestEnvironment(t *testing.T) {
	t.Run("no second service", func(t *testing.T) {
		f := &fake{open: func(_ context.Context, open int) error {
			if open == 2 {
				return errBoom
			}
			return nil
		}}
		if _, err := inspect(t, f, "setup\n #1 s0 index p0 rev=1 files=1", audit.Options{}); !errors.Is(err, errBoom) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no server", func(t *testing.T) {
		p, err := model.Parse("program v1\nsetup\n #1 s0 index p0 rev=1 files=1")
		if err != nil {
			t.Fatal(err)
		}
		run, err := harness.Start(t.Context(), (&fake{}).target(), harness.Env{Prefix: prefix}, p)
		if err != nil {
			t.Fatal(err)
		}
		control := harness.NewControl("postgres://nobody:s3same@127.0.0.1:1/none")
		err = audit.Service(t.Context(), run, control, audit.Options{})
		if err == nil || strings.Contains(err.Error(), "s3same") || len(run.History.Rest.Leaks) > 0 {
			t.Errorf("error %v, leaks %v", err, run.History.Rest.Leaks)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, err := model.Parse("program v1\nsetup\n #1 s0 index p0 rev=1 files=1")
			if err != nil {
				t.Fatal(err)
			}
			f := &fake{stats: func(int) (model.Stats, error) { return model.Stats{Draining: 1}, nil }}
			run, err := harness.Start(t.Context(), f.target(), harness.Env{Prefix: prefix}, p)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			err = audit.Service(ctx, run, harness.NewControl(server.DSN()), audit.Options{})
			if !errors.Is(err, context.Canceled) || len(run.History.Rest.Leaks) > 0 {
				t.Errorf("error %v, leaks %v", err, run.History.Rest.Leaks)
			}
		})
	})
}
