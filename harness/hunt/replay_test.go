package hunt_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// recorded gives one outcome after the other, and notes which were asked for on databases made anew.
type recorded struct {
	outcomes []worker.Outcome
	fresh    []bool
}

func (r *recorded) Do(_ context.Context, c worker.Case) (worker.Outcome, error) {
	r.fresh = append(r.fresh, c.Fresh)
	out := r.outcomes[(len(r.fresh)-1)%len(r.outcomes)]
	return out, nil
}

func showing(invariant string, steps ...string) worker.Outcome {
	out := worker.Outcome{Verdict: check.Verdict{Status: check.Pass}}
	if invariant != "" {
		v := check.Violation{Invariant: invariant, Kind: "k", Verb: "v"}
		out.Verdict = check.Verdict{Status: check.Fail, Results: []check.Result{{Invariant: invariant, Status: check.Fail, Violations: []check.Violation{v}}}}
	}
	for i, label := range steps {
		out.History.Steps = append(out.History.Steps, history.Step{Point: model.Point{Op: 4, Nth: i + 1}, Label: label})
	}
	return out
}

// TestReplayDiverges: a schedule that stops an operation at another message than it did is not followed,
// and shows nothing by showing nothing. What it shows all the same counts.
func TestReplayDiverges(t *testing.T) {
	p := parsed(t, "program v1\nmode gated\nprojects 1\nsessions 2\nrace\n  #3 s0 search p0 own\n  #4 s1 search p0 own\nschedule\n  preempt #4 at message 2 to #3\n")
	was := showing("lru", "BEGIN", "SELECT 'x' FROM t", "COMMIT").History.Steps
	for _, c := range []struct {
		why   string
		out   worker.Outcome
		want  hunt.Replayed
		where []string
	}{
		{"as it was", showing("", "BEGIN", "SELECT 'y' FROM t", "COMMIT"), hunt.Replayed{}, nil},
		{"other messages elsewhere", showing("", "START", "SELECT 'y' FROM t"), hunt.Replayed{}, nil},
		{"another message", showing("", "SELECT 'x' FROM t", "BEGIN"), hunt.Replayed{Diverged: 1}, []string{"diverged at #4 message 2: expected SELECT '…' FROM t, got BEGIN"}},
		{"no such message", showing("", "BEGIN"), hunt.Replayed{Diverged: 1}, []string{"diverged at #4 message 2: expected SELECT '…' FROM t, got nothing"}},
		{"another message, the same violation", showing("lru", "SELECT 1", "BEGIN"), hunt.Replayed{Same: 1}, nil},
		{"another message, another violation", showing("leak", "SELECT 1", "BEGIN"), hunt.Replayed{Diverged: 1}, []string{"diverged at #4 message 2: expected SELECT '…' FROM t, got BEGIN"}},
		{"the same messages, another violation", showing("leak", "BEGIN", "SELECT 'x' FROM t"), hunt.Replayed{}, nil},
		{"no steps: the process died", showing(""), hunt.Replayed{}, nil},
	} {
		got, err := hunt.ReplayWith(t.Context(), &recorded{outcomes: []worker.Outcome{c.out}}, p, hunt.ReplayOptions{Fingerprint: "lru/k/v", Times: 1, Steps: was})
		if err != nil || got.Diverged != c.want.Diverged || got.Same != c.want.Same {
			t.Errorf("%s: %+v, %v", c.why, got, err)
		}
		if diff := cmp.Diff(c.where, got.Where); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
	}
}

func TestReplayOptions(t *testing.T) {
	p := parsed(t, "program v1\nsetup\n  #1 s0 search p0 own\n")
	outcomes := []worker.Outcome{showing(""), showing("leak"), showing("lru"), showing("")}
	for _, c := range []struct {
		why     string
		options hunt.ReplayOptions
		times   int
		fresh   []bool
	}{
		{"all of them anew", hunt.ReplayOptions{}, 4, []bool{true, true, true, true}},
		{"the first anew", hunt.ReplayOptions{Recycle: true}, 4, []bool{true, false, false, false}},
		{"until it shows", hunt.ReplayOptions{First: true}, 3, []bool{true, true, true}},
	} {
		r := &recorded{outcomes: outcomes}
		told := 0
		c.options.Fingerprint, c.options.Times = "lru/k/v", 4
		c.options.Each = func(n int, _ worker.Outcome) {
			if told++; n != told {
				t.Errorf("%s: execution %d is told as %d", c.why, told, n)
			}
		}
		got, err := hunt.ReplayWith(t.Context(), r, p, c.options)
		if err != nil || got.Times != c.times || got.Same != 1 || got.Other["leak/k/v"] != 1 || told != c.times {
			t.Errorf("%s: %+v, %v, told %d", c.why, got, err, told)
		}
		if diff := cmp.Diff(c.fresh, r.fresh); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
	}
}
