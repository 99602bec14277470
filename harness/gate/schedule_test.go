package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

// first is what operation n does when nothing disturbs it: on a pool of its own that has no connection.
func first(n string) []string {
	return []string{
		n + " at start", n + " at acquire 1", n + " at connect 1: startup",
		n + " at message 1: SELECT 1", n + " at message 2: SELECT 2", n + " at release 1",
	}
}

func TestOneThreadRunsUntilItEnds(t *testing.T) {
	s := staged(t)
	errs := make([]error, 3)
	// The sessions in another order than the operations' ids: it is these that count.
	out := s.run(nil,
		s.says(3, s.pool(), &errs[2], "SELECT 1", "SELECT 2"),
		s.says(1, s.pool(), &errs[0], "SELECT 1", "SELECT 2"),
		s.says(2, s.pool(), &errs[1], "SELECT 1", "SELECT 2"))
	ended(t, out)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	steps(t, out, slices.Concat(first("#1"), first("#2"), first("#3"))...)
	if len(out.Realised) > 0 {
		t.Errorf("realised %v", out.Realised)
	}
}

func TestASessionsOperationsFollowEachOther(t *testing.T) {
	s := staged(t)
	var errs [3]error
	p, q := s.pool(), s.pool()
	out, err := s.Run(t.Context(), gate.Plan{
		Schedule: at(t, "preempt #1 at start to #2"),
		Sessions: [][]gate.Op{{s.says(1, p, &errs[0], "SELECT 1"), s.says(3, p, &errs[2], "SELECT 3")}, {}, {s.says(2, q, &errs[1], "SELECT 2")}},
	})
	if err := errors.Join(err, errs[0], errs[1], errs[2]); err != nil {
		t.Fatal(err)
	}
	ended(t, out)
	steps(t, out,
		"#2 at start", "#2 at acquire 1", "#2 at connect 1: startup", "#2 at message 1: SELECT 2", "#2 at release 1",
		"#1 at start", "#1 at acquire 1", "#1 at connect 1: startup", "#1 at message 1: SELECT 1", "#1 at release 1",
		"#3 at start", "#3 at acquire 1", "#3 at message 1: SELECT 3", "#3 at release 1")
}

// TestPreempt stops an operation before each of its points. What it was about to do is done when the other
// has ended, and nothing else changes.
func TestPreempt(t *testing.T) {
	own := first("#1")
	for i, place := range []string{"start", "acquire 1", "connect 1", "message 1", "message 2", "release 1"} {
		t.Run(place, func(t *testing.T) {
			s := staged(t)
			var errs [2]error
			schedule := at(t, "preempt #1 at "+place+" to #2")
			out := s.run(schedule,
				s.says(1, s.pool(), &errs[0], "SELECT 1", "SELECT 2"), s.says(2, s.pool(), &errs[1], "SELECT 1", "SELECT 2"))
			ended(t, out)
			if err := errors.Join(errs[0], errs[1]); err != nil {
				t.Error(err)
			}
			steps(t, out, slices.Concat(own[:i], first("#2"), own[i:])...)
			if diff := cmp.Diff(schedule, out.Realised); diff != "" {
				t.Errorf("realised (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPreemptACancelRequest cancels a statement while it waits for a lock, which pgx does over a connection
// of its own, and stops before that.
func TestPreemptACancelRequest(t *testing.T) {
	for name, more := range map[string][]string{"default": nil, "preempted": {"preempt #1 at cancel-request 1 to #2"}} {
		t.Run(name, func(t *testing.T) {
			s := staged(t)
			var errs [2]error
			q := s.pool()
			holder := s.op(2, func(ctx context.Context) {
				errs[1] = q.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
					for _, sql := range []string{"SELECT pg_advisory_lock(7)", "SELECT 'cancel'", "SELECT pg_advisory_unlock(7)"} {
						if _, err := c.Exec(ctx, sql); err != nil {
							return err
						}
						if sql == "SELECT 'cancel'" {
							s.stops[1]()
						}
					}
					return nil
				})
			})
			schedule := []string{"preempt #1 at message 1 to #2", "preempt #2 at message 2 to #1", "preempt #2 at message 3 to #1"}
			out := s.run(at(t, append(schedule, more...)...), s.says(1, s.pool(), &errs[0], "SELECT pg_advisory_lock(7)"), holder)
			ended(t, out)
			if !errors.Is(errs[0], context.Canceled) || errs[1] != nil {
				t.Errorf("%v; %v", errs[0], errs[1])
			}
			got := lines(out.Steps)
			cancel, unlock := slices.Index(got, "#1 at cancel-request 1: cancel request"), slices.Index(got, "#2 at message 3: SELECT pg_advisory_unlock(7)")
			if cancel < 0 || unlock < 0 || (cancel < unlock) != (len(more) == 0) {
				t.Errorf("steps %q", got)
			}
		})
	}
}

func TestSeveralInterventionsAtOnePoint(t *testing.T) {
	s := staged(t)
	var errs [3]error
	out := s.run(at(t, "preempt #1 at message 1 to #3", "preempt #1 at message 1 to #2"),
		s.says(1, s.pool(), &errs[0], "SELECT 1", "SELECT 2"), s.says(2, s.pool(), &errs[1], "SELECT 1", "SELECT 2"),
		s.says(3, s.pool(), &errs[2], "SELECT 1", "SELECT 2"))
	ended(t, out)
	if err := errors.Join(errs[:]...); err != nil {
		t.Error(err)
	}
	own := first("#1")
	steps(t, out, slices.Concat(own[:3], first("#3"), first("#2"), own[3:])...)
}

func TestDiverged(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"over":          {"preempt #2 at message 1 to #1", "preempt #2 at message 1 to #1: #1 cannot go on there"},
		"not to begin":  {"preempt #1 at start to #3", "preempt #1 at start to #3: #3 cannot go on there"},
		"no such point": {"preempt #1 at message 9 to #2", "preempt #1 at message 9 to #2: #1 never came to that point"},
		"fault":         {"fault #1 at message 9 cancel", "fault #1 at message 9 cancel: #1 never came to that point"},
	} {
		t.Run(name, func(t *testing.T) {
			s := staged(t)
			var errs [3]error
			p := s.pool()
			out, err := s.Run(t.Context(), gate.Plan{
				Schedule: at(t, c.line),
				Sessions: [][]gate.Op{{s.says(1, p, &errs[0], "SELECT 1")}, {s.says(2, p, &errs[1], "SELECT 2"), s.says(3, p, &errs[2], "SELECT 3")}},
			})
			if err := errors.Join(err, errs[0], errs[1], errs[2]); err != nil {
				t.Fatal(err)
			}
			if len(out.Diverged) != 1 || !strings.HasPrefix(out.Diverged[0], c.want) {
				t.Errorf("diverged %q", out.Diverged)
			}
			if len(out.Realised) > 0 || len(out.Stuck) > 0 {
				t.Errorf("realised %v, stuck %v", out.Realised, out.Stuck)
			}
		})
	}
}

// TestDivergedWhereTheOtherWaits hands over to an operation that waits for a lock.
func TestDivergedWhereTheOtherWaits(t *testing.T) {
	s := staged(t)
	var errs [2]error
	out := s.run(at(t, "preempt #1 at message 3 to #2", "preempt #1 at message 4 to #2"),
		s.says(1, s.pool(), &errs[0], "BEGIN", "SELECT pg_advisory_xact_lock(1)", "SELECT 1", "SELECT 2", "COMMIT"),
		s.says(2, s.pool(), &errs[1], "SELECT pg_advisory_xact_lock(1)"))
	if err := errors.Join(errs[0], errs[1]); err != nil {
		t.Error(err)
	}
	if len(out.Diverged) != 1 || !strings.Contains(out.Diverged[0], "message 4 to #2: #2 cannot go on there") {
		t.Errorf("diverged %q", out.Diverged)
	}
}

// TestCancelFault cancels an operation's context at a point. What then happens at the point is the
// service's affair: the operation ends with its context's error, the others as they should.
func TestCancelFault(t *testing.T) {
	for _, place := range []string{"start", "acquire 1", "connect 1", "message 1", "message 2"} {
		t.Run(place, func(t *testing.T) {
			s := staged(t)
			var errs [2]error
			schedule := at(t, "fault #1 at "+place+" cancel")
			out := s.run(schedule,
				s.says(1, s.pool(), &errs[0], "SELECT 1", "SELECT 2"), s.says(2, s.pool(), &errs[1], "SELECT 1", "SELECT 2"))
			ended(t, out)
			if !errors.Is(errs[0], context.Canceled) || errs[1] != nil {
				t.Errorf("%v; %v", errs[0], errs[1])
			}
			if diff := cmp.Diff(schedule, out.Realised); diff != "" {
				t.Errorf("realised (-want +got):\n%s", diff)
			}
			if exact {
				s2 := staged(t)
				again := s2.run(schedule,
					s2.says(1, s2.pool(), &errs[0], "SELECT 1", "SELECT 2"), s2.says(2, s2.pool(), &errs[1], "SELECT 1", "SELECT 2"))
				steps(t, again, lines(out.Steps)...)
			}
		})
	}
}

// TestFaultAndPreemptionAtOnePoint keeps their order: that of the list.
func TestFaultAndPreemptionAtOnePoint(t *testing.T) {
	fault, preempt := "fault #1 at message 1 cancel", "preempt #1 at message 1 to #2"
	for name, c := range map[string]struct {
		schedule []string
		seen     bool // #2 sees #1 cancelled
	}{
		"fault first":      {[]string{fault, preempt}, true},
		"preemption first": {[]string{preempt, fault}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := staged(t)
			var err error
			seen := false
			schedule := at(t, c.schedule...)
			out := s.run(schedule, s.says(1, s.pool(), &err, "SELECT 1"), s.op(2, func(context.Context) { seen = s.ctxs[1].Err() != nil }))
			ended(t, out)
			if !errors.Is(err, context.Canceled) || seen != c.seen {
				t.Errorf("%v; #2 saw it cancelled: %v", err, seen)
			}
			if diff := cmp.Diff(schedule, out.Realised); diff != "" {
				t.Errorf("realised (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOtherFaultsAreRefused(t *testing.T) {
	s := staged(t)
	for _, f := range model.Faults {
		if f == "cancel" {
			continue
		}
		ran := false
		_, err := s.Run(t.Context(), gate.Plan{
			Schedule: at(t, "fault #1 at message 1 "+f), Sessions: [][]gate.Op{{s.op(1, func(context.Context) { ran = true })}},
		})
		if !errors.Is(err, gate.ErrFault) || ran {
			t.Errorf("%s: %v; the operation ran: %v", f, err, ran)
		}
	}
}
