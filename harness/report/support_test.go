package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

func program(t testing.TB, text string) model.Program {
	t.Helper()
	p, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const gatedText = `program v1
mode gated
max_projects 1
projects 2
sessions 3

setup
  #1 s0 index p0 rev=1 files=1
race
  #2 s0 index p0 rev=2 files=1
  #3 s1 search p0 own
  #4 s2 drop p0
schedule
  preempt #2 at message 3 to #3
  fault #3 at message 2 cancel
  preempt #2 at message 3 to #4
`

func step(t testing.TB, text string) history.Step {
	t.Helper()
	place, label, _ := strings.Cut(text, ": ")
	background := strings.HasPrefix(place, "#0 ")
	at, err := model.ParsePoint(strings.Replace(place, "#0 ", "#1 ", 1))
	if err != nil {
		t.Fatal(err)
	}
	if background {
		at.Op = 0
	}
	return history.Step{Point: at, Label: label}
}

// gated is a repro of a race under a schedule, with everything in it that there can be.
func gated(t testing.TB) (repro.Repro, history.History) {
	p := program(t, gatedText)
	ok := model.Response{Status: model.StatusOK}
	h := history.History{
		Entries: []history.Entry{
			{Op: p.Setup[0], Response: ok},
			{Op: p.Race[0], Response: ok},
			{Op: p.Race[1], Response: model.Response{Status: model.StatusOK, Matches: []model.Match{
				{Path: model.FilePath(0), StartLine: 1, Content: "// " + model.Canary{Project: 1, Revision: 1}.String()},
			}}},
			{Op: p.Race[2], Response: ok},
			{Op: model.Op{Kind: model.KindStats}, Audit: true, Response: model.Response{Status: model.StatusOK, Stats: &model.Stats{
				MaxProjects: 1, CacheMisses: 2, Creations: 2, Evictions: 1,
			}}},
		},
		Waits: []history.Wait{{Op: 3, From: 6, To: 7}, {Op: 4, Lock: true, From: 9, To: 11}},
	}
	for _, text := range []string{
		"#2 at start", "#2 at message 1: BEGIN", "#2 at message 2: SELECT path FROM files",
		"#3 at start", "#3 at connect 1: startup", "#3 at message 1: SELECT 'x' FROM chunks",
		"#0 at message 1: ROLLBACK",
		"#4 at start", "#4 at message 1: DROP TABLE `files`",
		"#2 at message 3: INSERT INTO files", "#2 at message 4: COMMIT",
	} {
		h.Steps = append(h.Steps, step(t, text))
	}
	v := check.Violation{
		Invariant: "isolation", Kind: "foreign", Verb: "search", Op: 3, Position: 2,
		Sentence: "#3 search p0 own: expected nothing of another project; got \"cnry_p001_r001_f000\", which belongs to p1",
		Evidence: []string{"pkg0/file_000.go:1 [cnry_p001_r001_f000]: // cnry_p001_r001_f000"},
	}
	return repro.New(repro.Meta{Target: "codesearch", Seed: "7", Postgres: "15.18", Settings: []string{"fsync = off"}, Reproduced: "3 of 3"}, p, v, h), h
}

// free is a repro of a race that ran free, so large that the picture is crowded.
func free(t testing.TB) (repro.Repro, history.History) {
	var text strings.Builder
	text.WriteString("program v1\nmode free\nmax_projects 2\nprojects 5\nsessions 6\n\nrace\n")
	for i := range 60 {
		fmt.Fprintf(&text, "  #%d s%d search p%d shared limit=%d\n", i+1, i%6, i%5, 1+i%50)
	}
	p := program(t, text.String())
	var h history.History
	for i, o := range p.Race {
		start := time.Duration(i) * time.Millisecond
		h.Entries = append(h.Entries, history.Entry{Op: o, Start: start, End: start + 5*time.Millisecond, Response: model.Response{Status: model.StatusOK}})
	}
	v := check.Violation{Invariant: "search", Kind: "lost", Verb: "search", Op: 31, Position: 30, Sentence: "#31 search p0 shared: expected something; got nothing"}
	return repro.New(repro.Meta{Target: "own"}, p, v, h), h
}

// sequential is a repro of one operation after the other, of which the last did not run.
func sequential(t testing.TB) (repro.Repro, history.History) {
	p := program(t, "program v1\nmax_projects 1\nprojects 1\nsessions 1\nsetup\n  #1 s0 index p0 rev=1 files=1\n  #2 s0 stats\n")
	h := history.History{Entries: []history.Entry{{Op: p.Setup[0], Response: model.Response{Status: model.StatusPanicked, Text: "boom"}}}}
	v := check.Violation{Invariant: "panic", Kind: "panic", Verb: "index", Op: 1, Position: 0, Sentence: "#1 index p0: panic: boom"}
	return repro.New(repro.Meta{Target: "codesearch"}, p, v, h), h
}
