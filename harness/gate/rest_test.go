package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/gate"
)

// TestSleepersAreWaitedFor lets a service sleep: alone, and while another goes on.
func TestSleepersAreWaitedFor(t *testing.T) {
	sleeper := func(s *stage, id int, err *error) gate.Op {
		p := s.pool()
		return s.op(id, func(ctx context.Context) {
			for range 3 {
				<-time.After(20 * time.Millisecond)
				if _, *err = p.Exec(ctx, "SELECT 1"); *err != nil {
					return
				}
			}
		})
	}
	s := staged(t)
	var errs [3]error
	out := s.run(nil, sleeper(s, 1, &errs[0]))
	ended(t, out)
	steps(t, out, "#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: SELECT 1", "#1 at release 1",
		"#1 at acquire 2", "#1 at message 2: SELECT 1", "#1 at release 2", "#1 at acquire 3", "#1 at message 3: SELECT 1", "#1 at release 3")
	s = staged(t)
	out = s.run(nil, sleeper(s, 1, &errs[0]), sleeper(s, 2, &errs[1]), s.says(3, s.pool(), &errs[2], "SELECT 1", "SELECT 2"))
	ended(t, out)
	if err := errors.Join(errs[:]...); err != nil {
		t.Error(err)
	}
}

// TestTheLastOneSleeps ends by a timer, without another point.
func TestTheLastOneSleeps(t *testing.T) {
	s := staged(t)
	out := s.run(nil, s.op(1, func(context.Context) { <-time.After(20 * time.Millisecond) }))
	ended(t, out)
	steps(t, out, "#1 at start")
}

// spin computes until it is told to stop, or for so long that nobody can have been waiting for it.
func spin(stop *atomic.Bool) (told bool) {
	for until := time.Now().Add(5 * time.Second); !stop.Load(); {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

// TestRestless computes on and on: patience ends, and what was to be done is let go.
func TestRestless(t *testing.T) {
	s := staged(t)
	var stop atomic.Bool
	var told, second bool
	out := s.plan(gate.Plan{Patience: brief},
		s.op(1, func(context.Context) { told = spin(&stop) }),
		s.op(2, func(context.Context) { second = true }))
	stop.Store(true)
	if !slices.Equal(out.Stuck, []int{1, 2}) {
		t.Errorf("stuck %v", out.Stuck)
	}
	for _, want := range []string{gate.ErrRestless.Error(), "computing", "#2 at start: parked, and not let go on any more"} {
		if !strings.Contains(out.Why, want) {
			t.Errorf("why: no %q in\n%s", want, out.Why)
		}
	}
	<-out.Ended
	if !told || !second {
		t.Errorf("#1 was told to stop: %v; #2 ran: %v", told, second)
	}
}

func TestSettleIsBounded(t *testing.T) {
	s := staged(t)
	var stop atomic.Bool
	told := make(chan bool)
	go func() { told <- spin(&stop) }()
	err := s.Settle(t.Context(), brief)
	stop.Store(true)
	if !<-told || !errors.Is(err, gate.ErrRestless) {
		t.Errorf("settle: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop.Store(false)
	go func() { told <- spin(&stop) }()
	cancel()
	err = s.Settle(ctx, time.Minute)
	stop.Store(true)
	if !<-told || !errors.Is(err, context.Canceled) {
		t.Errorf("settle: %v", err)
	}
	if err := s.Settle(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// TestASlowStatement is waited for, as long as patience lasts.
func TestASlowStatement(t *testing.T) {
	s := staged(t)
	var errs [2]error
	out := s.run(nil, s.says(1, s.pool(), &errs[0], "SELECT pg_sleep(0.02)"), s.says(2, s.pool(), &errs[1], "SELECT 2"))
	ended(t, out)
	steps(t, out, "#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: SELECT pg_sleep(0.02)", "#1 at release 1",
		"#2 at start", "#2 at acquire 1", "#2 at connect 1: startup", "#2 at message 1: SELECT 2", "#2 at release 1")
	s = staged(t)
	out = s.plan(gate.Plan{Patience: brief}, s.says(1, s.pool(), &errs[0], "SELECT pg_sleep(60)"))
	if !slices.Equal(out.Stuck, []int{1}) || !strings.Contains(out.Why, "in PostgreSQL: #1 executes a statement") {
		t.Errorf("stuck %v: %s", out.Stuck, out.Why)
	}
	s.stops[1]()
	<-out.Ended
	if !errors.Is(errs[0], context.Canceled) {
		t.Error(errs[0])
	}
}

// TestContextEndsARun in each way a run can wait.
func TestContextEndsARun(t *testing.T) {
	for name, wait := range map[string]func(s *stage, ctx context.Context){
		"between two steps": func(s *stage, ctx context.Context) { _, _ = s.pools[0].Exec(ctx, "SELECT 1") },
		"computing":         func(_ *stage, ctx context.Context) { spinUntil(ctx) },
		"for the server":    func(s *stage, ctx context.Context) { _, _ = s.pools[0].Exec(ctx, "SELECT pg_sleep(60)") },
		"for nothing":       func(_ *stage, ctx context.Context) { <-ctx.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			s := staged(t)
			s.pool()
			ctx, cancel := context.WithCancel(t.Context())
			op := s.op(1, func(ctx context.Context) {
				time.AfterFunc(5*time.Millisecond, cancel)
				if name == "between two steps" {
					cancel()
				}
				wait(s, ctx)
			})
			out, err := s.Run(ctx, gate.Plan{Sessions: [][]gate.Op{{op}}, Patience: time.Minute})
			if !errors.Is(err, context.Canceled) || len(out.Stuck) > 0 {
				t.Errorf("%v, stuck %v", err, out.Stuck)
			}
			s.stops[1]()
			<-out.Ended
			open(t, s)
		})
	}
}

func spinUntil(ctx context.Context) {
	for ctx.Err() == nil {
	}
}

func TestNothingToRun(t *testing.T) {
	s := staged(t)
	out := s.plan(gate.Plan{})
	ended(t, out)
	steps(t, out)
}
