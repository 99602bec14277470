package model_test

import (
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

// judged takes the oracle over a program in which every operation but the last is answered rightly, or
// with an unknown outcome where its line ends in "// unknown", and over the last with the response given.
func judged(t *testing.T, ops []string, last model.Response) *model.Mismatch {
	t.Helper()
	p := parse(t, small(ops...))
	ref, state := newReference(p), model.NewState(p)
	all := p.Ops()
	for i, o := range all[:len(all)-1] {
		r := unknown
		if !strings.HasSuffix(ops[i], "// unknown") {
			r = ref.do(o)
		}
		if m := state.Step(o, r); m != nil {
			t.Fatalf("%s: accused of %s too early: got %s", o, fingerprint(m), m.Got)
		}
	}
	return state.Step(all[len(all)-1], last)
}

// hits are the matches of a project's files at one revision.
func hits(project, revision int, files ...int) model.Response {
	r := okay
	for _, f := range files {
		c := model.Canary{Project: project, Revision: revision, File: f}.String()
		r.Matches = append(r.Matches, model.Match{Path: model.FilePath(f), StartLine: 1, EndLine: 9, Content: c + " " + c})
	}
	return r
}

func together(rs ...model.Response) model.Response {
	r := okay
	for _, s := range rs {
		r.Matches = append(r.Matches, s.Matches...)
	}
	return r
}

// statistics of small programs, which have two pools at most.
func statistics(hits, misses, creations, evictions, drops int64, draining int, pools ...string) model.Response {
	s := model.Stats{
		ActivePools: len(pools), MaxProjects: 2, CacheHits: hits, CacheMisses: misses,
		Creations: creations, Evictions: evictions, Drops: drops, Draining: draining,
	}
	for _, p := range pools {
		s.Pools = append(s.Pools, model.PoolStats{Project: p, Size: 1, Idle: 1})
	}
	return model.Response{Status: model.StatusOK, Stats: &s}
}

type verdict struct {
	why  string
	ops  []string
	got  model.Response
	want string // the fingerprint; "": right
}

func judgeAll(t *testing.T, verdicts []verdict) {
	t.Helper()
	for _, v := range verdicts {
		if m := judged(t, v.ops, v.got); fingerprint(m) != v.want {
			t.Errorf("%s: judged %q, want %q\n%s\n%+v", v.why, fingerprint(m), v.want, strings.Join(v.ops, "\n"), m)
		}
	}
}

const (
	i01 = "#1 s0 index p0 rev=1 files=2"
	i02 = "#2 s0 index p0 rev=2 files=2"
	u02 = "#2 s0 index p0 rev=2 files=2 // unknown"
	q0  = "#9 s0 search p0 own"
)

func TestSearchVerdicts(t *testing.T) {
	judgeAll(t, []verdict{
		{"all of it", []string{i01, q0}, hits(0, 1, 0, 1), ""},
		{"in any order", []string{i01, q0}, hits(0, 1, 1, 0), ""},
		{"an empty repository", []string{"#1 s0 index p0 rev=1 files=0", q0}, okay, ""},
		{"the new revision", []string{i01, i02, q0}, hits(0, 2, 0, 1), ""},
		{"an older revision again", []string{i02, "#1 s0 index p0 rev=1 files=2", q0}, hits(0, 1, 0, 1), ""},
		{"fewer files than before", []string{i01, "#2 s0 index p0 rev=2 files=1", q0}, hits(0, 2, 0), ""},
		{"nothing stored, nothing known", []string{q0}, failed(model.ErrUnknownProject), ""},
		{"no project at all", []string{i01, "#9 s1 search own"}, failed(model.ErrNoActiveProject), ""},
		{"its own project", []string{i01, "#2 s0 switch p1", "#3 s0 switch p0", "#9 s0 search own"}, hits(0, 1, 0, 1), ""},
		{"a limit", []string{i01, "#9 s0 search p0 own limit=1"}, hits(0, 1, 1), ""},
		{"a file", []string{i01, "#9 s0 search p0 own file=1"}, hits(0, 1, 1), ""},
		{"a file that is not there", []string{i01, "#9 s0 search p0 own file=2"}, okay, ""},
		{"another's canaries", []string{i01, "#9 s0 search p0 foreign=p1"}, okay, ""},
		{"its own as another's", []string{i01, "#9 s0 search p0 foreign=p0"}, hits(0, 1, 0, 1), ""},
		{"a revision", []string{i01, "#9 s0 search p0 rev=1"}, hits(0, 1, 0, 1), ""},
		{"a revision that is gone", []string{i01, i02, "#9 s0 search p0 rev=1"}, okay, ""},
		{"too large a limit", []string{i01, "#9 s0 search p0 own limit=51"}, failed(model.ErrBadLimit), ""},
		{"too large a limit, nothing stored", []string{"#9 s0 search p0 own limit=51"}, failed(model.ErrBadLimit), ""},
		{"several matches a file", []string{i01, q0}, func() model.Response {
			r := together(hits(0, 1, 0, 1), hits(0, 1, 0, 1))
			r.Matches[2].StartLine, r.Matches[3].StartLine = 2, 2
			return r
		}(), ""},

		{"another's file", []string{i01, q0}, together(hits(0, 1, 0), hits(1, 1, 1)), "isolation/foreign"},
		{"another's instead of its own", []string{i01, "#2 s0 index p1 rev=1 files=2", q0}, hits(1, 1, 0, 1), "isolation/foreign"},
		{"found what is foreign", []string{i01, "#2 s0 index p1 rev=1 files=2", "#9 s0 search p0 foreign=p1"}, hits(1, 1, 0), "isolation/foreign"},
		{"the session's last project", []string{i01, "#2 s0 index p1 rev=1 files=2", "#3 s0 switch p0", "#4 s0 switch p1", "#9 s0 search shared"}, hits(0, 1, 0, 1), "isolation/foreign"},
		{"the other session's project", []string{i01, "#2 s0 index p1 rev=1 files=2", "#3 s0 switch p0", "#4 s1 switch p1", "#9 s0 search shared"}, hits(1, 1, 0, 1), "isolation/foreign"},
		{"foreign and stale", []string{i01, i02, q0}, together(hits(0, 1, 0), hits(2, 1, 0)), "isolation/foreign"},
		{"the old revision", []string{i01, i02, q0}, hits(0, 1, 0, 1), "search/stale"},
		{"a revision to come", []string{i01, q0}, hits(0, 2, 0, 1), "search/phantom"},
		{"a revision that is gone, found", []string{i01, i02, "#9 s0 search p0 rev=1"}, hits(0, 1, 0, 1), "search/stale"},
		{"two revisions", []string{i01, i02, q0}, together(hits(0, 1, 0), hits(0, 2, 1)), "search/torn"},
		{"half of it", []string{i01, q0}, hits(0, 1, 0), "search/torn"},
		{"nothing", []string{i01, q0}, okay, "search/lost"},
		{"nothing shared", []string{i01, "#9 s0 search p0 shared"}, okay, "search/lost"},
		{"a file that has left", []string{i01, "#2 s0 index p0 rev=2 files=1", q0}, hits(0, 2, 0, 1), "search/phantom"},
		{"the wrong file", []string{i01, "#9 s0 search p0 own file=1"}, hits(0, 1, 0), "search/phantom"},
		{"the same twice", []string{i01, q0}, together(hits(0, 1, 0, 1), hits(0, 1, 1)), "search/duplicate"},
		{"more than the limit", []string{i01, "#9 s0 search p0 own limit=1"}, hits(0, 1, 0, 1), "search/over-limit"},
		{"at a wrong path", []string{i01, q0}, func() model.Response {
			r := hits(0, 1, 0, 1)
			r.Matches[0].Path = "main.go"
			return r
		}(), "search/misplaced"},
		{"words of nobody", []string{i01, q0}, func() model.Response {
			r := hits(0, 1, 0, 1)
			r.Matches[1].Content = "sharedword"
			return r
		}(), "search/phantom"},
		{"an empty answer of an unknown project", []string{q0}, okay, "errors/missing-unknown-project"},
		{"an answer without a project", []string{i01, "#9 s1 search own"}, hits(0, 1, 0, 1), "errors/missing-no-active-project"},
		{"a limit not refused", []string{i01, "#9 s0 search p0 own limit=51"}, hits(0, 1, 0, 1), "errors/missing-bad-limit"},
		{"the largest limit refused", []string{i01, "#9 s0 search p0 own limit=50"}, failed(model.ErrBadLimit), "errors/unexplained-bad-limit"},
		{"not known although stored", []string{i01, q0}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
		{"closed", []string{i01, q0}, failed(model.ErrClosed), "errors/unexplained-closed"},
		{"closed, where unknown", []string{q0}, failed(model.ErrClosed), "errors/unexplained-closed"},
		{"nothing recorded", []string{i01, q0}, model.Response{}, "errors/unset"},
		{"a status of the future", []string{i01, q0}, model.Response{Status: 99, Error: model.ErrOther}, "errors/unexplained-other"},
	})
}

func TestIndexVerdicts(t *testing.T) {
	for _, mode := range []string{"", " mode=full", " mode=forced"} {
		op := "#9 s0 index p0 rev=2 files=1" + mode
		judgeAll(t, []verdict{
			{"new", []string{op}, okay, ""},
			{"again", []string{i01, op}, okay, ""},
			{"without a project", []string{"#9 s1 index rev=1 files=1" + mode}, failed(model.ErrNoActiveProject), ""},
			{"into no project", []string{"#9 s1 index rev=1 files=1" + mode}, okay, "errors/missing-no-active-project"},
			{"unknown project", []string{op}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
			{"deadline", []string{i01, op}, failed(model.ErrDeadline), "errors/unexplained-deadline"},
			{"bad name", []string{i01, op}, failed(model.ErrBadName), "errors/unexplained-bad-name"},
		})
	}
	judgeAll(t, []verdict{
		// After an index of unknown outcome it is there or it is not.
		{"it happened", []string{i01, u02, q0}, hits(0, 2, 0, 1), ""},
		{"it did not", []string{i01, u02, q0}, hits(0, 1, 0, 1), ""},
		{"later still not, or not any more", []string{i01, u02, "#3 s0 search p0 rev=2 // unknown", q0}, hits(0, 1, 0, 1), ""},
		{"half of each", []string{i01, u02, q0}, together(hits(0, 1, 0), hits(0, 2, 1)), "search/torn"},
		{"half of it", []string{i01, u02, q0}, hits(0, 2, 1), "search/torn"},
		{"it took the old one along", []string{i01, u02, q0}, okay, "search/lost"},
		{"it dropped the project", []string{i01, u02, q0}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
		{"a third revision", []string{i01, u02, q0}, hits(0, 3, 0, 1), "search/phantom"},
		{"another's", []string{i01, u02, q0}, hits(1, 2, 0, 1), "isolation/foreign"},
		{"new, and it happened", []string{u02, q0}, hits(0, 2, 0, 1), ""},
		{"new, and it did not", []string{u02, q0}, failed(model.ErrUnknownProject), ""},
		{"new, and provisioned only", []string{u02, q0}, okay, ""},
		{"new, and half of it", []string{u02, q0}, hits(0, 2, 0), "search/torn"},
		{"new, and closed", []string{u02, q0}, failed(model.ErrClosed), "errors/unexplained-closed"},
		{"known again after the next one", []string{i01, u02, "#3 s0 index p0 rev=3 files=1", q0}, hits(0, 2, 0, 1), "search/stale"},
		{"another project's is known all the time", []string{"#1 s0 index p1 rev=1 files=1", u02, "#9 s0 search p1 own"}, okay, "search/lost"},
	})
}

func TestSwitchVerdicts(t *testing.T) {
	unsure := []string{i01, "#2 s0 index p1 rev=1 files=1", "#3 s0 switch p0", "#4 s0 switch p1 // unknown"}
	judgeAll(t, []verdict{
		{"to what is stored", []string{i01, "#9 s0 switch p0"}, okay, ""},
		{"to what is not", []string{"#9 s0 switch p0"}, okay, ""},
		{"refused", []string{"#9 s0 switch p0"}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
		{"forgotten", []string{i01, "#2 s0 switch p0", "#9 s0 search own"}, failed(model.ErrNoActiveProject), "errors/unexplained-no-active-project"},
		{"kept by a restart", []string{i01, "#2 s0 switch p0", "#3 s0 restart", "#9 s0 search own"}, hits(0, 1, 0, 1), "errors/missing-no-active-project"},
		{"unknown, and it happened", append(unsure, "#9 s0 search shared"), hits(1, 1, 0), ""},
		{"unknown, and it did not", append(unsure, "#9 s0 search shared"), hits(0, 1, 0, 1), ""},
		{"unknown, but the next one is not", append(unsure, "#5 s0 switch p1", "#9 s0 search shared"), hits(0, 1, 0, 1), "isolation/foreign"},
		{"unknown in another session", append(unsure, "#5 s1 switch p1", "#9 s1 search shared"), hits(0, 1, 0, 1), "isolation/foreign"},
	})
}

func TestLeaseVerdicts(t *testing.T) {
	held := []string{i01, "#2 s0 hold p0 as h1"}
	evicted := append(held, "#3 s0 index p1 rev=1 files=1", "#4 s0 index p2 rev=1 files=1")
	judgeAll(t, []verdict{
		{"held", []string{i01, "#9 s0 hold p0 as h1"}, okay, ""},
		{"nothing to hold", []string{"#9 s0 hold p0 as h1"}, failed(model.ErrUnknownProject), ""},
		{"held what is not there", []string{"#9 s0 hold p0 as h1"}, okay, "errors/missing-unknown-project"},
		{"not held", []string{i01, "#9 s0 hold p0 as h1"}, failed(model.ErrClosed), "errors/unexplained-closed"},
		{"perhaps nothing to hold", []string{u02, "#9 s0 hold p0 as h1"}, failed(model.ErrUnknownProject), ""},
		{"perhaps nothing, but held", []string{u02, "#9 s0 hold p0 as h1"}, okay, ""},
		{"served", append(held, "#9 s0 release h1"), hits(0, 1, 0, 1), ""},
		{"served what is new", append(held, "#3 s0 index p0 rev=2 files=1", "#9 s0 release h1"), hits(0, 2, 0), ""},
		{"served after its eviction", append(evicted, "#9 s1 release h1"), hits(0, 1, 0, 1), ""},
		{"served what is old", append(held, "#3 s0 index p0 rev=2 files=1", "#9 s0 release h1"), hits(0, 1, 0, 1), "search/stale"},
		{"closed by its eviction", append(evicted, "#9 s1 release h1"), failed(model.ErrClosed), "errors/unexplained-closed"},
		{"empty after its eviction", append(evicted, "#9 s1 release h1"), okay, "search/lost"},
		{"served another's after its eviction", append(evicted, "#9 s1 release h1"), hits(1, 1, 0), "isolation/foreign"},
		{"a second time", append(held, "#3 s0 release h1", "#9 s0 release h1"), okay, ""},
		{"a second time refused", append(held, "#3 s0 release h1", "#9 s0 release h1"), failed(model.ErrOther), "errors/unexplained-other"},
		{"released before it is held", []string{i01, "#2 s0 release h1", "#3 s0 hold p0 as h1", "#9 s0 drop p0"}, okay, "errors/missing-in-use"},
		{"after a restart", append(held, "#3 s0 restart", "#9 s0 release h1"), okay, ""},
		{"never held, after all", []string{i01, "#2 s0 hold p0 as h1 // unknown", "#9 s0 release h1"}, okay, ""},
		{"dropped while held", append(held, "#9 s0 drop p0"), okay, "errors/missing-in-use"},
		{"not dropped while held", append(held, "#9 s0 drop p0"), failed(model.ErrInUse), ""},
		{"released twice, held once", append(held, "#3 s0 hold p0 as h2", "#4 s0 release h1", "#5 s0 release h1", "#9 s0 drop p0"), okay, "errors/missing-in-use"},
		{"dropped after its release", append(held, "#3 s0 release h1", "#9 s0 drop p0"), okay, ""},
		{"not dropped after its release", append(held, "#3 s0 release h1", "#9 s0 drop p0"), failed(model.ErrInUse), "errors/unexplained-in-use"},
		{"perhaps released, dropped", append(held, "#3 s0 release h1 // unknown", "#9 s0 drop p0"), okay, ""},
		{"perhaps released, not dropped", append(held, "#3 s0 release h1 // unknown", "#9 s0 drop p0"), failed(model.ErrInUse), ""},
		{"perhaps released, then for certain", append(held, "#3 s0 release h1 // unknown", "#4 s0 release h1", "#9 s0 drop p0"), failed(model.ErrInUse), "errors/unexplained-in-use"},
		{"perhaps held", []string{i01, "#2 s0 hold p0 as h1 // unknown", "#9 s0 drop p0"}, failed(model.ErrInUse), "errors/unexplained-in-use"},
	})
}

func TestDropVerdicts(t *testing.T) {
	dropped := []string{i01, "#2 s0 drop p0"}
	perhaps := []string{i01, "#2 s0 drop p0 // unknown"}
	judgeAll(t, []verdict{
		{"dropped", []string{i01, "#9 s0 drop p0"}, okay, ""},
		{"nothing to drop", []string{"#9 s0 drop p0"}, failed(model.ErrUnknownProject), ""},
		{"dropped nothing", []string{"#9 s0 drop p0"}, okay, "errors/missing-unknown-project"},
		{"twice", append(dropped, "#9 s0 drop p0"), failed(model.ErrUnknownProject), ""},
		{"not dropped", []string{i01, "#9 s0 drop p0"}, failed(model.ErrOther), "errors/unexplained-other"},
		{"gone", append(dropped, q0), failed(model.ErrUnknownProject), ""},
		{"still there", append(dropped, q0), hits(0, 1, 0, 1), "errors/missing-unknown-project"},
		{"anew", append(dropped, "#3 s0 index p0 rev=2 files=1", q0), hits(0, 2, 0), ""},
		{"anew, with the old", append(dropped, "#3 s0 index p0 rev=2 files=1", q0), hits(0, 1, 0, 1), "search/stale"},
		{"anew, but not", append(dropped, "#3 s0 index p0 rev=2 files=1", q0), failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
		{"perhaps, and gone", append(perhaps, q0), failed(model.ErrUnknownProject), ""},
		{"perhaps, and there", append(perhaps, q0), hits(0, 1, 0, 1), ""},
		{"perhaps, and emptied", append(perhaps, q0), okay, ""},
		{"perhaps, and half there", append(perhaps, q0), hits(0, 1, 1), "search/torn"},
		{"perhaps, and again", append(perhaps, "#9 s0 drop p0"), okay, ""},
		{"perhaps, and nothing left", append(perhaps, "#9 s0 drop p0"), failed(model.ErrUnknownProject), ""},
		{"perhaps, and in use by nobody", append(perhaps, "#9 s0 drop p0"), failed(model.ErrInUse), "errors/unexplained-in-use"},
		{"another project", []string{i01, "#2 s0 index p1 rev=1 files=1", "#3 s0 drop p1", q0}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
	})
}

func TestRestartVerdicts(t *testing.T) {
	judgeAll(t, []verdict{
		{"restarted", []string{i01, "#9 s0 restart"}, okay, ""},
		{"not restarted", []string{i01, "#9 s0 restart"}, failed(model.ErrOther), "errors/unexplained-other"},
		{"still stored", []string{i01, "#2 s0 restart", q0}, hits(0, 1, 0, 1), ""},
		{"lost", []string{i01, "#2 s0 restart", q0}, okay, "search/lost"},
		{"not known any more", []string{i01, "#2 s0 restart", q0}, failed(model.ErrUnknownProject), "errors/unexplained-unknown-project"},
		{"counts anew", []string{i01, "#2 s0 restart", "#3 s0 search p0 own", "#9 s0 stats"}, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"counts on", []string{i01, "#2 s0 restart", "#3 s0 search p0 own", "#9 s0 stats"}, statistics(0, 2, 2, 0, 0, 0, "p0"), "accounting/misses"},
		{"drops what was held", []string{i01, "#2 s0 hold p0 as h1", "#3 s0 restart", "#9 s0 drop p0"}, okay, ""},
		{"perhaps, then nothing is judged", []string{i01, "#2 s0 restart // unknown", q0}, hits(7, 7, 7), ""},
	})
}

func TestCancelVerdicts(t *testing.T) {
	judgeAll(t, []verdict{
		{"a cancel", []string{i01, "#9 s0 cancel #1"}, okay, ""},
		{"a cancel of what is over changes nothing", []string{i01, "#2 s0 cancel #1", q0}, hits(0, 1, 0, 1), ""},
		{"nor takes it back", []string{i01, "#2 s0 cancel #1", q0}, okay, "search/lost"},
	})
}

func TestStatsVerdicts(t *testing.T) {
	// p0 is the least recently used; the third project evicts it.
	three := []string{i01, "#2 s0 index p1 rev=1 files=1", "#3 s0 index p2 rev=1 files=1", "#9 s0 stats"}
	held := []string{i01, "#2 s0 hold p0 as h1", "#3 s0 index p1 rev=1 files=1", "#4 s0 index p2 rev=1 files=1", "#9 s0 stats"}
	loose := []string{i01, "#2 s0 index p1 rev=1 files=1 // unknown", "#9 s0 stats"}
	judgeAll(t, []verdict{
		{"a fresh one", []string{"#9 s0 stats"}, statistics(0, 0, 0, 0, 0, 0), ""},
		{"a miss", []string{i01, "#9 s0 stats"}, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"a hit", []string{i01, q0, "#10 s0 stats"}, statistics(1, 1, 1, 0, 0, 0, "p0"), ""},
		{"an eviction", three, statistics(0, 3, 3, 1, 0, 0, "p2", "p1"), ""},
		{"a hit refreshes", []string{i01, "#2 s0 index p1 rev=1 files=1", "#3 s0 search p0 own", "#4 s0 index p2 rev=1 files=1", "#9 s0 stats"}, statistics(1, 3, 3, 1, 0, 0, "p2", "p0"), ""},
		{"a drop", []string{i01, "#2 s0 drop p0", "#9 s0 stats"}, statistics(0, 1, 1, 0, 1, 0), ""},
		{"a drop of what was evicted", append(three[:3:3], "#4 s0 drop p0", "#9 s0 stats"), statistics(0, 3, 3, 1, 0, 0, "p2", "p1"), ""},
		{"unknown projects do not touch", []string{i01, "#2 s0 search p1 own", "#9 s0 stats"}, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"nor do bad limits", []string{i01, "#2 s0 search p0 own limit=51", "#9 s0 stats"}, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"nor does a switch", []string{i01, "#2 s0 switch p1", "#9 s0 stats"}, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"a held one drains", held, statistics(1, 3, 3, 1, 0, 1, "p2", "p1"), ""},
		{"more may drain", three, statistics(0, 3, 3, 1, 0, 1, "p2", "p1"), ""},
		{"released, it need not", append(held[:4:4], "#5 s0 release h1", "#9 s0 stats"), statistics(1, 3, 3, 1, 0, 0, "p2", "p1"), ""},

		{"no touch on a hit", []string{i01, "#2 s0 index p1 rev=1 files=1", "#3 s0 search p0 own", "#4 s0 index p2 rev=1 files=1", "#9 s0 stats"}, statistics(1, 3, 3, 1, 0, 0, "p2", "p1"), "lru/resident-set"},
		{"the wrong order", three, statistics(0, 3, 3, 1, 0, 0, "p1", "p2"), "lru/order"},
		{"one too many", three, statistics(0, 3, 3, 0, 0, 0, "p2", "p1", "p0"), "lru/over-cap"},
		{"two of one", three, statistics(0, 3, 3, 1, 0, 0, "p2", "p2"), "lru/two-pools"},
		{"a stranger", three, statistics(0, 3, 3, 1, 0, 0, "p2", "registry"), "lru/unknown-pool"},
		{"never draining", held, statistics(1, 3, 3, 1, 0, 0, "p2", "p1"), "accounting/draining"},
		{"a drop counted as an eviction", []string{i01, "#2 s0 drop p0", "#9 s0 stats"}, statistics(0, 1, 1, 1, 0, 0), "accounting/evictions"},
		{"a hit counted as a miss", []string{i01, q0, "#10 s0 stats"}, statistics(0, 2, 1, 0, 0, 0, "p0"), "accounting/hits"},
		{"an error", three, failed(model.ErrOther), "errors/unexplained-other"},
		{"none", three, okay, "accounting/no-stats"},

		// After an unknown outcome only what must hold at any moment is judged.
		{"unknown, and it happened", loose, statistics(0, 2, 2, 0, 0, 0, "p1", "p0"), ""},
		{"unknown, and it did not", loose, statistics(0, 1, 1, 0, 0, 0, "p0"), ""},
		{"unknown, and over the cap", loose, statistics(0, 2, 2, 0, 0, 0, "p1", "p0", "p2"), "lru/over-cap"},
		{"unknown, and two of one", loose, statistics(0, 2, 2, 0, 0, 0, "p1", "p1"), "lru/two-pools"},
		{"unknown, and a stranger", loose, statistics(0, 2, 2, 0, 0, 0, "x"), "lru/unknown-pool"},
	})
}

// TestLost: after a panic or a hang nothing can be judged, and nothing is.
func TestLost(t *testing.T) {
	for _, status := range []model.Status{model.StatusPanicked, model.StatusHung} {
		p := parse(t, small(i01, q0))
		s := model.NewState(p)
		if m := s.Step(p.Setup[0], model.Response{Status: status}); m != nil {
			t.Errorf("%v is accused as %s; checkers of their own report it", status, fingerprint(m))
		}
		if s.Judged() || s.Exact() {
			t.Errorf("%v: the state is still judged", status)
		}
		if m := s.Step(p.Setup[1], hits(2, 2, 2)); m != nil {
			t.Errorf("accused of %s after the end", fingerprint(m))
		}
	}
}

// TestSkipped: what was not sent changes nothing and is not judged.
func TestSkipped(t *testing.T) {
	for seed := range uint64(100) {
		p := drawn(seed)
		s := model.NewState(p)
		for _, o := range p.Ops() {
			if m := s.Step(o, model.Response{Status: model.StatusSkipped}); m != nil {
				t.Fatalf("%s, skipped, is accused of %s", o, fingerprint(m))
			}
		}
		if m := s.Step(model.Op{Kind: model.KindSearch}, failed(model.ErrUnknownProject)); m != nil || !s.Exact() {
			t.Fatalf("skipping changed the state: %v", m)
		}
	}
}
