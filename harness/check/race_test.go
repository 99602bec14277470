package check_test

import (
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

const racing = `
	mode free
	max_projects 2
	projects 3
	sessions 3
	setup
	#1 s0 index p0 rev=1 files=2
	race
	#2 s0 index p0 rev=2 files=2
	#3 s1 search p0 own
	#4 s1 search p0 own
	#5 s2 index p1 rev=1 files=1
	#6 s2 stats`

// span is when an operation was under way, in milliseconds, and what it answered.
type span struct {
	op, start, end int
	r              model.Response
}

// overlapping is a history of operations that were under way at the same time, in the order in which
// they began.
func overlapping(t *testing.T, p model.Program, spans ...span) history.History {
	t.Helper()
	ops := map[int]model.Op{}
	for _, o := range p.Ops() {
		ops[o.ID] = o
	}
	var h history.History
	for _, s := range spans {
		if _, there := ops[s.op]; !there {
			t.Fatalf("there is no #%d", s.op)
		}
		h.Entries = append(h.Entries, history.Entry{
			Op: ops[s.op], Start: time.Duration(s.start) * time.Millisecond, End: time.Duration(s.end) * time.Millisecond, Response: s.r,
		})
	}
	return h
}

// TestRacePairs: an answer is right if some order of what overlapped explains it, and only then.
func TestRacePairs(t *testing.T) {
	old, newer := found(canary(0, 1, 0), canary(0, 1, 1)), found(canary(0, 2, 0), canary(0, 2, 1))
	unknown := model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}
	counted := func(pools []string, hits, misses int64) model.Response {
		return stats(pools, func(st *model.Stats) { st.CacheHits, st.CacheMisses, st.Creations = hits, misses, misses })
	}
	setup := span{1, 0, 1, ok}
	for _, row := range []struct {
		name   string
		spans  []span
		family string // that fails; "": none
	}{
		{"a search beside an index sees the old", []span{setup, {2, 10, 30, ok}, {3, 15, 25, old}}, ""},
		{"or the new", []span{setup, {2, 10, 30, ok}, {3, 15, 25, newer}}, ""},
		{"but not half of each", []span{setup, {2, 10, 30, ok}, {3, 15, 25, found(canary(0, 1, 0), canary(0, 2, 1))}}, "search"},
		{"nor nothing", []span{setup, {2, 10, 30, ok}, {3, 15, 25, ok}}, "search"},
		{"nor another's", []span{setup, {2, 10, 30, ok}, {3, 15, 25, found(canary(1, 1, 0))}}, "isolation"},
		{"first the old, then the new", []span{setup, {2, 10, 30, ok}, {3, 12, 15, old}, {4, 16, 20, newer}}, ""},
		{"not the new, then the old", []span{setup, {2, 10, 30, ok}, {3, 12, 15, newer}, {4, 16, 20, old}}, "search"},
		{"after the index the new", []span{setup, {2, 10, 12, ok}, {3, 15, 25, newer}}, ""},
		{"not the old", []span{setup, {2, 10, 12, ok}, {3, 15, 25, old}}, "search"},
		{"before the index the old", []span{setup, {3, 2, 5, old}, {2, 10, 12, ok}}, ""},
		{"not the new, which nobody has asked for yet", []span{setup, {3, 2, 5, newer}, {2, 10, 12, ok}}, "search"},
		{"an index that may have happened, later than its answer, too", []span{setup, {2, 10, 12, unknown}, {3, 15, 25, old}, {4, 26, 28, newer}}, ""},
		{"statistics in either order", []span{setup, {2, 10, 30, ok}, {5, 11, 14, ok}, {6, 15, 16, counted([]string{"p1", "p0"}, 1, 2)}}, ""},
		{"and in the other", []span{setup, {2, 10, 30, ok}, {5, 11, 14, ok}, {6, 15, 16, counted([]string{"p0", "p1"}, 1, 2)}}, ""},
		{"before the index has touched, too", []span{setup, {2, 10, 30, ok}, {5, 11, 14, ok}, {6, 15, 16, counted([]string{"p1", "p0"}, 0, 2)}}, ""},
		{"not what no order gives", []span{setup, {2, 10, 30, ok}, {5, 11, 14, ok}, {6, 15, 16, counted([]string{"p0"}, 1, 1)}}, "lru"},
		{"nor more pools than there may be", []span{setup, {2, 10, 30, ok}, {5, 11, 14, ok}, {6, 15, 16, counted([]string{"p0", "p1", "p2"}, 1, 2)}}, "lru"},
		{"nor acquisitions that nobody made", []span{setup, {2, 10, 12, ok}, {5, 13, 14, ok}, {6, 15, 16, counted([]string{"p1", "p0"}, 5, 2)}}, "accounting"},
		{"an error that nothing explains", []span{setup, {2, 10, 30, failed(model.ErrOther)}}, "errors"},
		{"a hang ends what can be judged", []span{setup, {2, 10, 30, model.Response{Status: model.StatusHung}}, {3, 15, 25, ok}}, "progress"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := parse(t, racing)
			v := check.Judge(p, overlapping(t, p, row.spans...))
			want := check.Pass
			if row.family != "" {
				want = check.Fail
			}
			if v.Status != want {
				t.Fatalf("%s, want %s: %s", v.Status, want, fingerprints(v))
			}
			if f := v.First(); f != nil && f.Invariant != row.family {
				t.Errorf("%s, want one of %s: %s", f.Fingerprint(), row.family, f.Sentence)
			}
		})
	}
}
