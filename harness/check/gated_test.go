package check_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// TestOutside: of a case that the gate saw a part of nothing is said, whatever was seen of it.
func TestOutside(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject)
	leaks := history.Rest{Looked: []string{"backends"}, CloseHung: true, Leaks: []history.Leak{{What: "backends", Got: 1}}}
	for name, h := range map[string]history.History{
		"a right one":    record(p, map[int]model.Response{2: both}),
		"a wrong one":    traffic(rested(record(p, map[int]model.Response{2: found(canary(1, 1, 0))}), leaks), map[int]history.Traffic{1: {Messages: 100}}),
		"a panic":        record(p, map[int]model.Response{1: {Status: model.StatusPanicked}}),
		"a hang":         record(p, map[int]model.Response{1: {Status: model.StatusHung}}),
		"nothing at all": {},
	} {
		h.Outside = []string{"psql of p0"}
		v := check.Judge(p, h)
		if v.Status != check.Inconclusive || v.First() != nil {
			t.Errorf("%s: %s: %s", name, v.Status, fingerprints(v))
		}
		seen := map[string]bool{}
		for _, r := range v.Results {
			seen[r.Invariant] = true
			if r.Status != check.Inconclusive || r.Checked != 0 || !strings.Contains(r.Note, "psql of p0") {
				t.Errorf("%s: %s: %s after %d, note %q", name, r.Invariant, r.Status, r.Checked, r.Note)
			}
		}
		for _, family := range append([]string{check.LatencyFamily}, check.Families...) {
			if !seen[family] {
				t.Errorf("%s: no row of %s", name, family)
			}
		}
	}
}

// TestDiverged: what of a schedule could not happen changes no verdict, of a right history or a wrong one.
func TestDiverged(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject+"\nschedule\n preempt #1 at message 9 to #2")
	for want, answer := range map[check.Status]model.Response{check.Pass: both, check.Fail: ok} {
		h := record(p, map[int]model.Response{2: answer})
		as := check.Judge(p, h)
		h.Diverged = []string{"preempt #1 at message 9 to #2: #1 never came to that point"}
		if diff := cmp.Diff(as, check.Judge(p, h)); diff != "" || as.Status != want {
			t.Errorf("%s, want %s; diverged it differs:\n%s", as.Status, want, diff)
		}
	}
}

// TestCancelledBySchedule: an operation that a fault of the schedule cancelled is judged like one that a
// cancel operation did, in setup and race, by every family.
func TestCancelledBySchedule(t *testing.T) {
	const setup = "mode gated\nprojects 2\nsessions 2\nsetup\n #1 s0 index p0 rev=1 files=1\n "
	places := map[string]string{
		"setup": setup + "#2 s0 index p0 rev=2 files=1\n race\n #3 s0 search p0 own\n #4 s1 switch p1\n ",
		"race":  setup + "race\n #2 s0 index p0 rev=2 files=1\n #3 s0 search p0 own\n #4 s1 switch p1\n ",
	}
	unknown := text(model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}, "context canceled")
	for place, program := range places {
		for _, row := range []struct {
			name          string
			second, third model.Response
			want          string
		}{
			{"it did not happen", unknown, found(canary(0, 1, 0)), ""},
			{"it did", unknown, found(canary(0, 2, 0)), ""},
			{"the fault came too late", ok, found(canary(0, 2, 0)), ""},
			{"it lost what was there", unknown, ok, "search/lost/search"},
			{"it was acknowledged, and lost", ok, found(canary(0, 1, 0)), "search/stale/search"},
			{"its error tells of another", text(unknown, canary(1, 1, 0).String()), found(canary(0, 1, 0)), "isolation/foreign/index"},
			{"it failed for another reason", failed(model.ErrUnknownProject), found(canary(0, 1, 0)), "errors/unexplained-unknown-project/index"},
			{"its neighbour was cancelled with it", unknown, failed(model.ErrCancelled), "errors/unexplained-cancelled/search"},
			{"it does not end", model.Response{Status: model.StatusHung, Text: "no answer"}, ok, "progress/hang/index"},
		} {
			t.Run(place+", "+row.name, func(t *testing.T) {
				answers := map[int]model.Response{2: row.second, 3: row.third}
				faulted := parse(t, program+"schedule\n fault #2 at message 2 cancel")
				v := check.Judge(faulted, record(faulted, answers))
				if got := fingerprints(v); got != row.want {
					t.Errorf("%q, want %q", got, row.want)
				}
				cancelled := parse(t, program+"#5 s1 cancel #2")
				h := record(cancelled, answers)
				if !strings.HasPrefix(row.want, "progress") {
					h.Entries = h.Entries[:len(h.Entries)-1] // the cancel itself, which is one more thing to look at
				}
				if diff := cmp.Diff(v, check.Judge(cancelled, h)); diff != "" {
					t.Errorf("cancelled by an operation it is judged otherwise:\n%s", diff)
				}
			})
		}
	}
}
