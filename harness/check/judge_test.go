package check_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

func TestFirst(t *testing.T) {
	at := func(family string, positions ...int) check.Result {
		r := check.Result{Invariant: family, Status: check.Fail}
		for _, p := range positions {
			r.Violations = append(r.Violations, check.Violation{Invariant: family, Position: p})
		}
		return r
	}
	for _, row := range []struct {
		name    string
		results []check.Result
		want    string
	}{
		{"none", nil, "none"},
		{"none in any family", []check.Result{at("panic"), at("leak")}, "none"},
		{"the earliest operation", []check.Result{at("isolation", 7), at("leak", 3)}, "leak 3"},
		{"within a family, too", []check.Result{at("isolation", 7, 2, 5)}, "isolation 2"},
		{"of one operation, the first family", []check.Result{at("isolation", 3), at("search", 3)}, "isolation 3"},
	} {
		got := "none"
		if f := (check.Verdict{Results: row.results}).First(); f != nil {
			got = fmt.Sprint(f.Invariant, " ", f.Position)
		}
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// TestFirstOfOneCase: a wrong answer names the finding before what is seen at rest, and a foreign canary
// before the search that it spoils.
func TestFirstOfOneCase(t *testing.T) {
	p := parse(t, oneProject)
	h := rested(record(p, map[int]model.Response{2: found(canary(1, 1, 0))}), history.Rest{
		Looked: []string{"backends"}, CloseHung: true, Leaks: []history.Leak{{What: "backends", Got: 1}},
	})
	v := check.Judge(p, h)
	if got := v.First().Fingerprint(); got != "isolation/foreign/search" {
		t.Errorf("first: %s of %s", got, fingerprints(v))
	}
	for _, want := range []string{"progress/hang/close", "leak/backends/close"} {
		if !strings.Contains(fingerprints(v), want) {
			t.Errorf("%s is not among %s", want, fingerprints(v))
		}
	}
}

// TestOracleStops: after a wrong answer service and model no longer agree on what is so.
func TestOracleStops(t *testing.T) {
	p := parse(t, oneProject+"\n #3 s0 search p0 own\n #4 s0 search own")
	v := check.Judge(p, record(p, map[int]model.Response{2: ok, 3: ok, 4: ok}))
	if got := fingerprints(v); got != "search/lost/search" {
		t.Errorf("%s; want the first only", got)
	}
}

// TestNothingSeen: what was not looked at is not known.
func TestNothingSeen(t *testing.T) {
	p := parse(t, "setup")
	v := check.Judge(p, history.History{})
	if v.Status != check.Inconclusive {
		t.Errorf("nothing was done: %s", v.Status)
	}
	var names []string
	for _, r := range v.Results {
		names = append(names, r.Invariant)
		if r.Status != check.Inconclusive || r.Checked != 0 {
			t.Errorf("%s: %s after %d looks", r.Invariant, r.Status, r.Checked)
		}
	}
	if !slices.Equal(names, check.Families) {
		t.Errorf("families %v, want %v", names, check.Families)
	}
}

func TestWhatWasSeen(t *testing.T) {
	for _, row := range []struct {
		name, program string
		answers       map[int]model.Response
		rest          *history.Rest
		passes        string // the families that pass
	}{
		{"a switch", "setup\n #1 s0 switch p0", nil, nil, "panic errors progress"},
		{"a search", oneProject, map[int]model.Response{2: both}, nil, "panic isolation search errors progress"},
		{"statistics", "setup\n #1 s0 stats", map[int]model.Response{1: stats(nil, func(st *model.Stats) { st.MaxProjects = 1 })}, nil, "panic lru errors progress accounting"},
		{"rest", "setup\n #1 s0 switch p0", nil, &history.Rest{Looked: []string{"backends"}}, "panic errors progress leak"},
		{"rest at which nothing was looked for", "setup\n #1 s0 switch p0", nil, &history.Rest{}, "panic errors progress"},
		{"an error's text", "setup\n #1 s0 search own", map[int]model.Response{1: failed(model.ErrNoActiveProject)}, nil, "panic isolation errors progress"},
		{"only the unknown", "setup\n #1 s0 search own", map[int]model.Response{1: {Status: model.StatusUnknown}}, nil, "panic progress"},
	} {
		p := parse(t, row.program)
		h := record(p, row.answers)
		h.Rest = row.rest
		v := check.Judge(p, h)
		var passes []string
		for _, r := range v.Results {
			switch r.Status {
			case check.Pass:
				passes = append(passes, r.Invariant)
			case check.Inconclusive:
			default:
				t.Errorf("%s: %s is %s: %s", row.name, r.Invariant, r.Status, fingerprints(v))
			}
		}
		if got := strings.Join(passes, " "); got != row.passes {
			t.Errorf("%s: %s pass; want %s", row.name, got, row.passes)
		}
	}
}

// TestNotApplicable: what a service cannot show is neither a pass nor inconclusive, and says why.
func TestNotApplicable(t *testing.T) {
	p := parse(t, "setup\n #1 s0 stats\n #2 s0 switch p0")
	v := check.Judge(p, record(p, map[int]model.Response{1: {Status: model.StatusSkipped}}))
	for _, r := range v.Results {
		lru := r.Invariant == "lru" || r.Invariant == "accounting"
		if lru != (r.Status == check.NotApplicable) || lru == (r.Note == "") {
			t.Errorf("%s: %s, note %q", r.Invariant, r.Status, r.Note)
		}
	}
	if v.Status != check.Pass {
		t.Errorf("the case: %s", v.Status)
	}
	only := parse(t, "setup\n #1 s0 drop p0")
	v = check.Judge(only, record(only, map[int]model.Response{1: {Status: model.StatusSkipped}}))
	if got := status(v, "errors"); got != check.Inconclusive {
		t.Errorf("errors, where the only operation was skipped: %s", got)
	}
}

// TestUnsetNeverPasses: the zero value of a judgement is none, whatever is made of it.
func TestUnsetNeverPasses(t *testing.T) {
	var v check.Verdict
	if v.Status != check.Unset || v.Status == check.Pass || v.Status.String() != "unset" || v.First() != nil {
		t.Errorf("the zero verdict: %s", v.Status)
	}
	if got := check.Status(200).String(); got != "unset" {
		t.Errorf("a status that there is not: %s", got)
	}
	// An operation without an outcome is the harness's fault, and told.
	p := parse(t, "setup\n #1 s0 switch p0")
	v = check.Judge(p, record(p, map[int]model.Response{1: {}}))
	if v.Status == check.Pass || status(v, "errors") == check.Pass {
		t.Errorf("an operation without an outcome: %s; %s", v.Status, statuses(v))
	}
}

// TestUnknownAccusesNobody: of an operation whose outcome is not known, and of what depends on it, only
// what no possibility explains is wrong.
func TestUnknownAccusesNobody(t *testing.T) {
	unknown := model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}
	p := parse(t, "setup\n #1 s0 index p0 rev=1 files=1\n #2 s0 index p0 rev=2 files=1\n #3 s0 search p0 own")
	for _, row := range []struct {
		answer model.Response
		want   string
	}{
		{found(canary(0, 1, 0)), ""},
		{found(canary(0, 2, 0)), ""},
		{ok, "search/lost/search"},
		{found(canary(0, 3, 0)), "search/phantom/search"},
	} {
		v := check.Judge(p, record(p, map[int]model.Response{2: unknown, 3: row.answer}))
		if got := fingerprints(v); got != row.want {
			t.Errorf("after an index that may have happened, %v: %q, want %q", row.answer.Matches, got, row.want)
		}
	}
}

// TestAfterAPanic: nothing that follows a panic or a hang can be judged.
func TestAfterAPanic(t *testing.T) {
	for status, want := range map[model.Status]string{model.StatusPanicked: "panic/panic/index", model.StatusHung: "progress/hang/index"} {
		p := parse(t, oneProject)
		h := record(p, map[int]model.Response{1: {Status: status, Text: "panic: x"}})
		h = audited(h, model.Op{Kind: model.KindSearch, Query: model.QueryShared}, ok)
		if got := fingerprints(check.Judge(p, h)); got != want {
			t.Errorf("%s: %s, want %s", status, got, want)
		}
	}
}

// TestErrorsAreReadForBytes: the bytes of error texts are read, of every operation, and a text may name
// the project that the operation is about, or asks for.
func TestErrorsAreReadForBytes(t *testing.T) {
	p := parse(t, `
		projects 3
		sessions 2
		setup
		#1 s0 index p0 rev=1 files=1
		#2 s0 switch p0
		#3 s1 switch p1
		#4 s0 switch p2
		#5 s0 search foreign=p1
		#6 s0 hold p0 as h1
		#7 s0 release h1
		#8 s0 drop p0
		#9 s0 restart
		#10 s0 search own
		#11 s0 stats`)
	for op, allowed := range map[int][]int{
		1: {0}, 2: {0}, 3: {1}, 4: {0, 2}, 5: {2, 1}, 6: {0}, 7: {0}, 8: {0}, 9: {2}, 10: nil,
	} {
		for project := range 3 {
			r := failed(model.ErrOther)
			r.Text = "cannot read " + canary(project, 1, 0).String()
			v := check.Judge(p, record(p, map[int]model.Response{op: r}))
			accused := status(v, "isolation") == check.Fail
			if want := !slices.Contains(allowed, project); accused != want {
				t.Errorf("#%d tells of p%d: accused %v, want %v", op, project, accused, want)
			}
		}
	}
}

// TestFingerprints: they are made of words, whatever the case was about.
func TestFingerprints(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*/[a-z]+(-[a-z]+)*/[a-z]+$`)
	for _, x := range pairs() {
		_, _, bad := x.histories(t)
		for _, v := range check.Judge(parse(t, x.program), bad).Results {
			for _, violation := range v.Violations {
				if f := violation.Fingerprint(); !form.MatchString(f) {
					t.Errorf("fingerprint %q", f)
				}
			}
		}
	}

	// The same fault in other words: another project, revision, session, name and numbering.
	one := parse(t, oneProject)
	other := parse(t, `
		projects 9
		names long
		sessions 3
		setup
		#17 s2 index p7 rev=88 files=2 mode=forced
		#4 s2 search p7 shared`)
	a := check.Judge(one, record(one, map[int]model.Response{2: found(canary(0, 2, 0))}))
	b := check.Judge(other, record(other, map[int]model.Response{4: found(canary(7, 88, 1))}))
	if a.First().Fingerprint() != b.First().Fingerprint() {
		t.Errorf("%s and %s", a.First().Fingerprint(), b.First().Fingerprint())
	}
}

// TestEvidence: what a violation shows is what was seen, and not too much of it.
func TestEvidence(t *testing.T) {
	p := parse(t, oneProject)
	r := found(canary(0, 2, 0), canary(1, 5, 1))
	r.Matches[1].Content += strings.Repeat(" and more", 1000)
	f := check.Judge(p, record(p, map[int]model.Response{2: r})).First()
	if len(f.Evidence) != 2 || !strings.Contains(f.Evidence[1], canary(1, 5, 1).String()) {
		t.Errorf("evidence: %q", f.Evidence)
	}
	for _, line := range f.Evidence {
		if len(line) > 500 {
			t.Errorf("%d bytes of evidence", len(line))
		}
	}
	if !strings.Contains(f.Sentence, "#2 s0 search p0 own") {
		t.Errorf("the sentence does not name the operation: %s", f.Sentence)
	}
	at := audited(record(p, map[int]model.Response{2: both}), model.Op{Kind: model.KindSearch, Query: model.QueryShared}, ok)
	f = check.Judge(p, at).First()
	if f.Op != 0 || !strings.HasPrefix(f.Sentence, "at the end, search p0 shared") {
		t.Errorf("of the audit: #%d %q", f.Op, f.Sentence)
	}
}
