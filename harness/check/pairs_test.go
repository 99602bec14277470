package check_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// pair is a case told twice: once right, and once with the one thing changed that makes it wrong.
type pair struct {
	fingerprint string
	why         string // what is wrong, where a fingerprint can arise in several ways
	program     string
	answers     map[int]model.Response // of both
	op          int                    // whose answer differs; 0: the audit's, or what is seen at rest
	good, bad   model.Response
	audit       model.Op // asked at the end, where it has a kind
	goodRest    *history.Rest
	badRest     *history.Rest
}

const (
	oneProject = "setup\n #1 s0 index p0 rev=2 files=2\n #2 s0 search p0 own"
	twoPools   = `max_projects 2
		projects 3
		setup
		#1 s0 index p0 rev=1 files=1
		#2 s0 index p1 rev=1 files=1
		#3 s0 search p0 own
		#4 s0 index p2 rev=1 files=1
		#5 s0 drop p2
		#6 s0 stats`
)

var (
	both    = found(canary(0, 2, 0), canary(0, 2, 1))
	rested0 = &history.Rest{Looked: []string{"backends", "goroutines", "draining", "in-use", "conservation"}}
	own     = map[int]model.Response{3: found(canary(0, 1, 0))}
)

// right is what the statistics of twoPools must read.
func right(st *model.Stats) {
	st.CacheHits, st.CacheMisses, st.Creations, st.Evictions, st.Drops = 1, 3, 3, 1, 1
}

// pools is a pair about the statistics of twoPools.
func pools(fingerprint string, names []string, wrong func(*model.Stats)) pair {
	return pair{
		fingerprint: fingerprint, program: twoPools, answers: own, op: 6,
		good: stats([]string{"p0"}, right),
		bad: stats(names, func(st *model.Stats) {
			right(st)
			if wrong != nil {
				wrong(st)
			}
		}),
	}
}

// search is a pair about the answer of oneProject's search.
func search(fingerprint, why string, bad model.Response) pair {
	return pair{fingerprint: fingerprint, why: why, program: oneProject, op: 2, good: both, bad: bad}
}

// leak is a pair about what is left at rest.
func leak(fingerprint string, l history.Leak) pair {
	bad := *rested0
	bad.Leaks = []history.Leak{l}
	return pair{fingerprint: fingerprint, program: oneProject, answers: map[int]model.Response{2: both}, goodRest: rested0, badRest: &bad}
}

func text(r model.Response, s string) model.Response {
	r.Text = s
	return r
}

func pairs() []pair {
	misplaced := found(canary(0, 2, 0), canary(0, 2, 1))
	misplaced.Matches[1].Path = model.FilePath(5)
	phantom := found(canary(0, 2, 0), canary(0, 2, 1))
	phantom.Matches[0].Content = "nothing in it"
	foreignPath := found(canary(0, 2, 0), canary(0, 2, 1))
	foreignPath.Matches[0].Path = "backup/" + canary(3, 1, 0).String()
	return []pair{
		search("isolation/foreign/search", "in a match", found(canary(0, 2, 0), canary(1, 2, 1))),
		search("isolation/foreign/search", "in a path", foreignPath),
		{fingerprint: "isolation/foreign/search", why: "in the text of an error", program: "projects 2\n setup\n #1 s0 search p0 own", op: 1,
			good: text(failed(model.ErrUnknownProject), "no "+canary(0, 1, 0).String()), bad: text(failed(model.ErrUnknownProject), "no "+canary(1, 1, 0).String())},
		{fingerprint: "isolation/foreign/index", why: "in the text of an error of the session's new project", answers: map[int]model.Response{3: both},
			program: "projects 2\n setup\n #1 s0 switch p1\n #2 s0 index rev=1 files=1\n #4 s0 switch p0\n #5 s0 index rev=1 files=1", op: 5,
			good: text(ok, "after "+canary(0, 9, 0).String()), bad: text(ok, "after "+canary(1, 9, 0).String())},
		{fingerprint: "isolation/foreign/release", why: "through a lease", program: "projects 2\n setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 hold p0 as h1\n #3 s0 release h1", op: 3,
			good: found(canary(0, 1, 0)), bad: found(canary(1, 1, 0))},
		{fingerprint: "isolation/foreign/search", why: "asked by the audit", program: "projects 2\n setup\n #1 s0 index p0 rev=1 files=1",
			audit: model.Op{Kind: model.KindSearch, Query: model.QueryShared, Limit: model.MaxSearchLimit}, good: found(canary(0, 1, 0)), bad: found(canary(1, 1, 0))},
		{fingerprint: "isolation/foreign/search", why: "found by a query for it", program: "projects 2\n setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 search p0 foreign=p1", op: 2,
			good: ok, bad: found(canary(1, 1, 0))},

		search("search/lost/search", "", ok),
		search("search/stale/search", "", found(canary(0, 1, 0), canary(0, 1, 1))),
		search("search/torn/search", "two revisions", found(canary(0, 1, 0), canary(0, 2, 1))),
		search("search/torn/search", "half of it", found(canary(0, 2, 0))),
		search("search/phantom/search", "a later revision", found(canary(0, 3, 0), canary(0, 3, 1))),
		search("search/phantom/search", "a file that is not there", found(canary(0, 2, 0), canary(0, 2, 1), canary(0, 2, 2))),
		search("search/phantom/search", "no canary", phantom),
		search("search/misplaced/search", "", misplaced),
		search("search/duplicate/search", "", found(canary(0, 2, 0), canary(0, 2, 1), canary(0, 2, 1))),
		{fingerprint: "search/over-limit/search", program: "setup\n #1 s0 index p0 rev=1 files=2\n #2 s0 search p0 own limit=1", op: 2,
			good: found(canary(0, 1, 1)), bad: found(canary(0, 1, 0), canary(0, 1, 1))},
		{fingerprint: "search/lost/search", why: "after a drop and another index", program: "setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 drop p0\n #3 s0 index p0 rev=2 files=1\n #4 s0 search p0 own", op: 4,
			good: found(canary(0, 2, 0)), bad: ok},

		pools("lru/over-cap/stats", []string{"p0", "p1", "p2"}, nil),
		pools("lru/two-pools/stats", []string{"p0", "p0"}, nil),
		pools("lru/unknown-pool/stats", []string{"q0"}, nil),
		pools("lru/resident-set/stats", []string{"p1"}, nil),
		{fingerprint: "lru/order/stats", program: "max_projects 2\n projects 2\n setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 index p1 rev=1 files=1\n #3 s0 stats", op: 3,
			good: stats([]string{"p1", "p0"}, func(st *model.Stats) { st.CacheMisses, st.Creations = 2, 2 }),
			bad:  stats([]string{"p0", "p1"}, func(st *model.Stats) { st.CacheMisses, st.Creations = 2, 2 })},

		pools("accounting/hits/stats", []string{"p0"}, func(st *model.Stats) { st.CacheHits++ }),
		pools("accounting/misses/stats", []string{"p0"}, func(st *model.Stats) { st.CacheMisses-- }),
		pools("accounting/creations/stats", []string{"p0"}, func(st *model.Stats) { st.Creations++ }),
		pools("accounting/evictions/stats", []string{"p0"}, func(st *model.Stats) { st.Evictions++ }),
		pools("accounting/drops/stats", []string{"p0"}, func(st *model.Stats) { st.Drops = 0 }),
		pools("accounting/active-pools/stats", []string{"p0"}, func(st *model.Stats) { st.ActivePools = 2 }),
		pools("accounting/max-projects/stats", []string{"p0"}, func(st *model.Stats) { st.MaxProjects = 10 }),
		{fingerprint: "accounting/draining/stats", program: "projects 2\n setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 hold p0 as h1\n #3 s0 index p1 rev=1 files=1\n #4 s0 stats", op: 4,
			good: stats([]string{"p1"}, func(st *model.Stats) {
				st.MaxProjects, st.CacheHits, st.CacheMisses, st.Creations, st.Evictions, st.Draining = 1, 1, 2, 2, 1, 1
			}),
			bad: stats([]string{"p1"}, func(st *model.Stats) {
				st.MaxProjects, st.CacheHits, st.CacheMisses, st.Creations, st.Evictions = 1, 1, 2, 2, 1
			})},
		{fingerprint: "accounting/no-stats/stats", program: "setup\n #1 s0 stats", op: 1, good: stats(nil, func(st *model.Stats) { st.MaxProjects = 1 }), bad: ok},
		leak("accounting/conservation/close", history.Leak{What: "conservation", Want: 3, Got: 4, Detail: "creations 4, but …"}),

		{fingerprint: "errors/unexplained-other/search", program: oneProject, op: 2, good: both, bad: failed(model.ErrOther)},
		{fingerprint: "errors/unexplained-unknown-project/search", program: oneProject, op: 2, good: both, bad: failed(model.ErrUnknownProject)},
		{fingerprint: "errors/missing-no-active-project/search", program: "setup\n #1 s0 search own", op: 1, good: failed(model.ErrNoActiveProject), bad: ok},
		{fingerprint: "errors/missing-unknown-project/search", program: "setup\n #1 s0 search p0 own", op: 1, good: failed(model.ErrUnknownProject), bad: ok},
		{fingerprint: "errors/missing-bad-limit/search", program: "setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 search p0 own limit=51", op: 2, good: failed(model.ErrBadLimit), bad: found(canary(0, 1, 0))},
		{fingerprint: "errors/missing-in-use/drop", program: "setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 hold p0 as h1\n #3 s0 drop p0", op: 3, good: failed(model.ErrInUse), bad: ok},
		{fingerprint: "errors/unset/switch", program: "setup\n #1 s0 switch p0", op: 1, good: ok, bad: model.Response{}},
		{fingerprint: "errors/close/close", program: oneProject, answers: map[int]model.Response{2: both}, goodRest: rested0,
			badRest: &history.Rest{Looked: rested0.Looked, CloseError: "it would not"}},

		{fingerprint: "progress/hang/search", program: oneProject, op: 2, good: both, bad: text(model.Response{Status: model.StatusHung}, "no answer within 5s")},
		{fingerprint: "progress/hang/close", program: oneProject, answers: map[int]model.Response{2: both}, goodRest: rested0,
			badRest: &history.Rest{Looked: rested0.Looked, CloseHung: true}},

		{fingerprint: "panic/panic/search", program: oneProject, op: 2, good: both, bad: text(model.Response{Status: model.StatusPanicked}, "panic: boom\nmain.go:7")},

		leak("leak/backends/close", history.Leak{What: "backends", Got: 2, Detail: "still connected: p0 p1"}),
		leak("leak/goroutines/close", history.Leak{What: "goroutines", Got: 1, Detail: "goroutine 7 [running]:\nmain.go:7"}),
		leak("leak/draining/close", history.Leak{What: "draining", Got: 1, Detail: "evicted pools still draining"}),
		leak("leak/in-use/close", history.Leak{What: "in-use", Got: 1, Detail: "connections still in use"}),
	}
}

// histories returns the two histories of the pair.
func (x pair) histories(t *testing.T) (p model.Program, good, bad history.History) {
	t.Helper()
	p = parse(t, x.program)
	make := func(r model.Response, rest *history.Rest) history.History {
		answers := map[int]model.Response{}
		for id, a := range x.answers {
			answers[id] = a
		}
		if x.op != 0 {
			answers[x.op] = r
		}
		h := record(p, answers)
		if x.audit.Kind != model.KindUnset {
			h = audited(h, x.audit, r)
		}
		if rest != nil {
			h = rested(h, *rest)
		}
		return h
	}
	return p, make(x.good, x.goodRest), make(x.bad, x.badRest)
}

func TestPairs(t *testing.T) {
	for _, x := range pairs() {
		t.Run(strings.TrimSpace(x.fingerprint+" "+x.why), func(t *testing.T) {
			p, good, bad := x.histories(t)
			v := check.Judge(p, good)
			if v.Status != check.Pass || fingerprints(v) != "" || v.First() != nil {
				t.Fatalf("the right one: %s, %q", v.Status, fingerprints(v))
			}
			v = check.Judge(p, bad)
			first := v.First()
			if v.Status != check.Fail || first == nil {
				t.Fatalf("the wrong one: %s", v.Status)
			}
			if got := first.Fingerprint(); got != x.fingerprint {
				t.Errorf("the wrong one: %s, want %s", got, x.fingerprint)
			}
			if first.Op != x.op {
				t.Errorf("it blames #%d, want #%d", first.Op, x.op)
			}
			if family, _, _ := strings.Cut(x.fingerprint, "/"); status(v, family) != check.Fail {
				t.Errorf("the families: %s", statuses(v))
			}
			if first.Sentence == "" || strings.Contains(first.Sentence, "\n") {
				t.Errorf("sentence: %q", first.Sentence)
			}
		})
	}
}

// TestEveryKindHasAPair: what the document lists is what is tested here.
func TestEveryKindHasAPair(t *testing.T) {
	doc, err := os.ReadFile("../../docs/INVARIANTS.md")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := map[string]bool{
		"panic/exit": true, "panic/data-race": true, // judged by the parent of the worker that ended
		"latency/p95": true, // of a run, not of a case
		// needs a gate that counts
		"latency/round-trips": true,
		// need operations that overlap
		"accounting/acquisitions": true,
		"search/not-linearizable": true, "lru/not-linearizable": true,
	}
	have := map[string]bool{}
	for _, x := range pairs() {
		family, rest, _ := strings.Cut(x.fingerprint, "/")
		kind, _, _ := strings.Cut(rest, "/")
		have[family+"/"+kind] = true
		for _, s := range []string{"unexplained-", "missing-"} {
			if strings.HasPrefix(kind, s) {
				have[family+"/"+s+"*"] = true
			}
		}
	}
	family, listed := "", 0
	row := regexp.MustCompile("^\\| `([a-z*-]+)` \\|")
	for line := range strings.Lines(string(doc)) {
		if name, is := strings.CutPrefix(line, "## "); is {
			family = strings.TrimSpace(name)
		}
		if m := row.FindStringSubmatch(line); m != nil {
			listed++
			if kind := family + "/" + m[1]; !have[kind] && !elsewhere[kind] {
				t.Errorf("%s stands in the document, but in no pair", kind)
			}
		}
	}
	if listed < 30 {
		t.Errorf("the document lists %d kinds only: it was not understood", listed)
	}
}
