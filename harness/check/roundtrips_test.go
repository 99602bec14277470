package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// traffic is a history in which each operation opened so many connections and sent so many messages; what
// is not listed was counted as nothing.
func traffic(h history.History, exchanged map[int]history.Traffic) history.History {
	for i := range h.Entries {
		t := exchanged[h.Entries[i].Op.ID]
		h.Entries[i].Traffic = &t
	}
	h.RoundTrips = &history.RoundTrips{Any: 6, Index: 9, Files: 8, Connect: 2}
	return h
}

// TestRoundTrips: each kind of operation may send so many messages and no more.
func TestRoundTrips(t *testing.T) {
	const before = "mode gated\nprojects 2\nsetup\n #1 s0 index p0 rev=1 files=1\n #2 s0 hold p0 as h1\n "
	for _, row := range []struct {
		op       string
		connects int
		most     int
		verb     string
	}{
		{"#3 s0 index p1 rev=1 files=0", 0, 9, "index"},
		{"#3 s0 index p1 rev=1 files=1", 0, 10, "index"},
		{"#3 s0 index p1 rev=1 files=8", 0, 10, "index"},
		{"#3 s0 index p1 rev=1 files=9", 0, 11, "index"},
		{"#3 s0 index p1 rev=1 files=9", 2, 15, "index"},
		{"#3 s0 search p0 shared limit=0", 0, 6, "search"},
		{"#3 s0 search p0 shared limit=0", 1, 8, "search"},
		{"#3 s0 hold p0 as h2", 2, 10, "hold"},
		{"#3 s0 release h1", 0, 6, "release"},
		{"#3 s0 stats", 0, 6, "stats"},
		{"#3 s0 switch p1", 0, 6, "switch"},
		// It disturbs itself.
		{"#3 s0 drop p1", 1, 16, "drop"},
	} {
		t.Run(fmt.Sprint(row.op, " after ", row.connects), func(t *testing.T) {
			p := parse(t, before+strings.ReplaceAll(row.op, " limit=0", ""))
			for messages, want := range map[int]check.Status{row.most: check.Pass, row.most + 1: check.Fail} {
				h := traffic(record(p, nil), map[int]history.Traffic{3: {Connects: row.connects, Messages: messages}})
				var r check.Result
				for _, is := range check.Judge(p, h).Results {
					if is.Invariant == check.LatencyFamily {
						r = is
					}
				}
				if r.Status != want || r.Checked != 3 {
					t.Fatalf("%d messages: %s after %d, want %s", messages, r.Status, r.Checked, want)
				}
				if want == check.Pass {
					continue
				}
				v := r.Violations[0]
				if got := v.Fingerprint(); got != "latency/round-trips/"+row.verb || v.Op != 3 || len(r.Violations) != 1 {
					t.Errorf("%d violations, the first %s of #%d", len(r.Violations), got, v.Op)
				}
				if !strings.Contains(v.Sentence, fmt.Sprintf("at most %d round trips", row.most)) {
					t.Errorf("the sentence does not tell the bound: %s", v.Sentence)
				}
			}
		})
	}
}

// TestRoundTripsDisturbed: what ends after something was cancelled or dropped may have had to begin anew;
// what had ended before may not.
func TestRoundTripsDisturbed(t *testing.T) {
	const program = `
		mode gated
		projects 2
		sessions 2
		setup
		#1 s0 index p0 rev=1 files=1
		race
		#2 s0 search p0 own
		%s
		#4 s0 search p0 own
		%s`
	seen := map[int]model.Response{2: found(canary(0, 1, 0)), 4: found(canary(0, 1, 0))}
	for _, row := range []struct {
		name, third, schedule string
		answer                model.Response
		disturbed             bool
	}{
		{"nothing", "#3 s1 switch p1", "", ok, false},
		{"an interleaving", "#3 s1 switch p1", "schedule\n preempt #2 at message 1 to #3", ok, false},
		{"a drop", "#3 s1 drop p1", "", failed(model.ErrUnknownProject), true},
		{"a cancel", "#3 s1 cancel #4", "", ok, true},
		{"an unknown outcome", "#3 s1 index p1 rev=2 files=1", "", model.Response{Status: model.StatusUnknown}, true},
		{"a fault that came too late", "#3 s1 switch p1", "schedule\n fault #3 at message 1 cancel", ok, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := parse(t, fmt.Sprintf(program, row.third, row.schedule))
			answers := map[int]model.Response{2: seen[2], 3: row.answer, 4: seen[4]}
			accused := func(op int) bool {
				v := check.Judge(p, traffic(record(p, answers), map[int]history.Traffic{op: {Messages: 12}}))
				if got := fingerprints(v); got != "" && got != "latency/round-trips/search" {
					t.Fatalf("twelve messages of #%d: %s", op, got)
				}
				return v.Status == check.Fail
			}
			if !accused(2) {
				t.Error("what had ended before is not accused")
			}
			if got := accused(4); got == row.disturbed {
				t.Errorf("what came after is accused: %v", got)
			}
			h := traffic(record(p, answers), map[int]history.Traffic{4: {Messages: 13}})
			if v := check.Judge(p, h); status(v, check.LatencyFamily) != check.Fail {
				t.Errorf("more than twice as many as there may be: %s", statuses(v))
			}
		})
	}
}

// TestRoundTripsLeaveOut: where nobody counted there is no row, and what did not end, the audit's questions
// and restarts are not judged.
func TestRoundTripsLeaveOut(t *testing.T) {
	p := parse(t, "mode gated\nsetup\n #1 s0 index p0 rev=2 files=2\n #2 s0 restart\n #3 s0 search p0 own")
	many := map[int]history.Traffic{0: {Messages: 100}, 2: {Messages: 100}, 3: {Messages: 100}}
	for _, s := range []model.Status{model.StatusHung, model.StatusPanicked, model.StatusSkipped} {
		h := audited(record(p, map[int]model.Response{3: {Status: s}}), model.Op{Kind: model.KindStats}, ok)
		for _, r := range check.Judge(p, traffic(h, many)).Results {
			if r.Invariant == check.LatencyFamily && (r.Checked != 1 || r.Status != check.Pass) {
				t.Errorf("%s: %s after %d: %+v", s, r.Status, r.Checked, r.Violations)
			}
		}
	}
	if v := check.Judge(p, record(p, map[int]model.Response{3: both})); status(v, check.LatencyFamily) != check.Unset {
		t.Errorf("nobody counted: %s", statuses(v))
	}
}

// TestRoundTripsComeLast: that a service is slow does not hide that it is wrong, even where it was slow
// first.
func TestRoundTripsComeLast(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject)
	slow := map[int]history.Traffic{1: {Messages: 100}}
	for want, h := range map[string]history.History{
		"search/lost/search":        record(p, nil),
		"leak/backends/close":       rested(record(p, map[int]model.Response{2: both}), history.Rest{Leaks: []history.Leak{{What: "backends", Got: 1}}}),
		"latency/round-trips/index": record(p, map[int]model.Response{2: both}),
	} {
		v := check.Judge(p, traffic(h, slow))
		if got := v.First().Fingerprint(); got != want {
			t.Errorf("%s of %s, want %s", got, fingerprints(v), want)
		}
	}
}
