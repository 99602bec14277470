package model_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/model"
)

// small is the text of a program with these operations in its setup, the first one on line 6.
func small(ops ...string) string {
	return "program v1\nmax_projects 2\nprojects 3\nsessions 2\nsetup\n" + strings.Join(ops, "\n") + "\n"
}

// TestSyntaxErrors: whoever writes a program by hand learns where it is wrong and what would be right.
func TestSyntaxErrors(t *testing.T) {
	verbs := "known: search, switch, index, hold, release, stats, drop, restart, cancel"
	for _, c := range []struct {
		text         string
		line, column int
		message      string
	}{
		// The header.
		{"", 1, 1, `empty: a program begins with "program v1"`},
		{"\n// nothing\n", 1, 1, `empty: a program begins with "program v1"`},
		{"\n  storm v1\n", 2, 3, `"storm": a program begins with "program v1"`},
		{"program", 1, 8, `a version expected here`},
		{"program 1", 1, 9, `"1": a version expected here, as in v1`},
		{"program v01", 1, 9, `"v01": a version expected here, as in v1`},
		{"program v0", 1, 9, `"v0": a version must be between v1 and`},
		{"program   v2", 1, 11, `program text of version 2: this tenantstorm reads versions up to 1; use a newer one`},
		{"program v1 x", 1, 12, `"x": nothing more expected here; usage: program v1`},
		// Fields.
		{"program v1\nmaxprojects 2", 2, 1, `"maxprojects": unknown field; known: mode, max_projects, projects, names, sessions, deadline; sections: setup, race, schedule`},
		{"program v1\n#1 s0 stats", 2, 1, `"#1": unknown field; known: mode, max_projects, projects, names, sessions, deadline; sections: setup, race, schedule`},
		{"program v1\nprojects 2\nprojects 2", 3, 1, `"projects" stands twice`},
		{"program v1\nprojects", 2, 9, `a number expected here`},
		{"program v1\nprojects // two", 2, 9, `a number expected here`},
		{"program v1\nprojects two", 2, 10, `"two": a number expected here, as in 1`},
		{"program v1\nprojects 0", 2, 10, `"0": a number must be between 1 and 100`},
		{"program v1\nprojects 101", 2, 10, `"101": a number must be between 1 and 100`},
		{"program v1\nprojects 99999999999999999999", 2, 10, `"99999999999999999999": a number expected here, as in 1`},
		{"program v1\nprojects -1", 2, 10, `"-1": a number must be between 1 and 100`},
		{"program v1\nprojects +1", 2, 10, `"+1": a number expected here, as in 1`},
		{"program v1\nmax_projects 0", 2, 14, `"0": a number must be between 1 and 100`},
		{"program v1\nsessions 65", 2, 10, `"65": a number must be between 1 and 64`},
		{"program v1\nsessions 1 2", 2, 12, `"2": nothing more expected here; usage: sessions …`},
		{"program v1\nmode fast", 2, 6, `"fast": unknown mode; known: sequential, free, gated`},
		{"program v1\nmode", 2, 5, `a word expected here`},
		{"program v1\nnames short", 2, 7, `"short": unknown family of names; known: plain, case, long, prefix, separators`},
		{"program v1\ndeadline", 2, 9, `a duration expected here`},
		{"program v1\ndeadline 5", 2, 10, `"5": a duration up to 1h expected here, as in 5s`},
		{"program v1\ndeadline 0s", 2, 10, `"0s": a duration up to 1h expected here, as in 5s`},
		{"program v1\ndeadline 2h", 2, 10, `"2h": a duration up to 1h expected here, as in 5s`},
		// Sections.
		{"program v1\nsetup now", 2, 7, `"now": nothing more expected here; usage: setup`},
		{"program v1\nsetup\nsetup", 3, 1, `"setup": sections stand once each, in the order setup, race, schedule`},
		{"program v1\nrace\nsetup", 3, 1, `"setup": sections stand once each, in the order setup, race, schedule`},
		{"program v1\nschedule\nrace", 3, 1, `"race": sections stand once each, in the order setup, race, schedule`},
		// Operations.
		{small("projects 2"), 6, 1, `"projects": an operation's id expected here, as in #1`},
		{small("1 s0 stats"), 6, 1, `"1": an operation's id expected here, as in #1`},
		{small("#0 s0 stats"), 6, 1, `"#0": an operation's id must be between #1 and #1073741824`},
		{small("#1 s0 stats", "#1 s0 stats"), 7, 1, `#1 stands twice`},
		{small("#1"), 6, 3, `a session expected here`},
		{small("#1 stats"), 6, 4, `"stats": a session expected here, as in s1`},
		{small("#1 s64 stats"), 6, 4, `"s64": a session must be between s0 and s63`},
		{small("  #1 s2 stats"), 6, 3, `#1: s2: there are only 2 sessions, s0 to s1`},
		{small("#1 s0"), 6, 6, `an operation expected here`},
		{small("#1 s0 find p0"), 6, 7, `"find": unknown operation; ` + verbs},
		{small("#1 s0 Stats"), 6, 7, `"Stats": unknown operation; ` + verbs},
		{small("#1 s0 stats p0"), 6, 13, `"p0": nothing more expected here; usage: #1 s0 stats`},
		{small("#1 s0 restart now"), 6, 15, `"now": nothing more expected here; usage: #1 s0 restart`},
		// switch and drop
		{small("#1 s0 switch"), 6, 13, `a project expected here`},
		{small("#1 s0 switch beta"), 6, 14, `"beta": a project expected here, as in p1`},
		{small("#1 s0 switch p00"), 6, 14, `"p00": a project expected here, as in p1`},
		{small("#1 s0 switch p100"), 6, 14, `"p100": a project must be between p0 and p99`},
		{small("#1 s0 switch p3"), 6, 1, `#1: p3: there are only 3 projects, p0 to p2`},
		{small("#1 s0 switch p1 p2"), 6, 17, `"p2": nothing more expected here; usage: #1 s0 switch p0`},
		{small("#1 s0 drop"), 6, 11, `a project expected here`},
		{small("#1 s0 drop p3"), 6, 1, `#1: p3: there are only 3 projects, p0 to p2`},
		// index
		{small("#1 s0 index"), 6, 12, `a revision expected here`},
		{small("#1 s0 index p0"), 6, 15, `a revision expected here`},
		{small("#1 s0 index p0 files=1 rev=1"), 6, 16, `"files=1": a revision expected here, as in rev=1`},
		{small("#1 s0 index p0 rev=0 files=1"), 6, 16, `"rev=0": a revision must be between rev=1 and rev=999`},
		{small("#1 s0 index p0 rev=1"), 6, 21, `a number of files expected here`},
		{small("#1 s0 index p0 rev=1 files=10"), 6, 22, `"files=10": a number of files must be between files=0 and files=9`},
		{small("#1 s0 index p0 rev=1 files=1 mode=slow"), 6, 30, `"slow": unknown mode; known: incremental, full, forced`},
		{small("#1 s0 index p0 rev=1 files=1 full"), 6, 30, `"full": nothing more expected here; usage: #1 s0 index [p0] rev=1 files=2 [mode=incremental|full|forced]`},
		// search
		{small("#1 s0 search"), 6, 13, `a query (own, shared, foreign=p1 or rev=2) expected here`},
		{small("#1 s0 search p0"), 6, 16, `a query (own, shared, foreign=p1 or rev=2) expected here`},
		{small("#1 s0 search p0 mine"), 6, 17, `"mine": unknown query; known: own, shared, foreign, rev`},
		{small("#1 s0 search p0 own=p1"), 6, 17, `"own=p1": own takes no value`},
		{small("#1 s0 search p0 foreign"), 6, 17, `"foreign": a project expected here, as in foreign=p1`},
		{small("#1 s0 search p0 foreign=1"), 6, 17, `"foreign=1": a project expected here, as in foreign=p1`},
		{small("#1 s0 search p0 foreign=p3"), 6, 1, `#1: foreign=p3: there are only 3 projects`},
		{small("#1 s0 search p0 rev=1000"), 6, 17, `"rev=1000": a revision must be between rev=1 and rev=999`},
		{small("#1 s0 search p0 own file=9"), 6, 21, `"file=9": a file must be between file=0 and file=8`},
		{small("#1 s0 search p0 own limit=0"), 6, 21, `"limit=0": a limit must be between limit=1 and limit=51`},
		{small("#1 s0 search p0 own limit=52"), 6, 21, `"limit=52": a limit must be between limit=1 and limit=51`},
		{small("#1 s0 search p0 own limit=5 file=1"), 6, 29, `"file=1": nothing more expected here; usage: #1 s0 search [p0] own|shared|foreign=p1|rev=2 [file=0] [limit=10]`},
		// hold and release
		{small("#1 s0 hold as h1"), 6, 12, `"as": a project expected here, as in p1`},
		{small("#1 s0 hold p0"), 6, 14, `"as" expected here`},
		{small("#1 s0 hold p0 h1"), 6, 15, `"h1": "as" expected here`},
		{small("#1 s0 hold p0 as x"), 6, 18, `"x": a handle expected here, as in h1`},
		{small("#1 s0 hold p0 as h0"), 6, 18, `"h0": a handle must be between h1 and h1048576`},
		{small("#1 s0 hold p0 as h1", "#2 s0 hold p1 as h1"), 7, 1, `#2: h1 is held twice; use another handle`},
		{small("#1 s0 release"), 6, 14, `a handle expected here`},
		{small("#1 s0 release p0"), 6, 15, `"p0": a handle expected here, as in h1`},
		{small("#1 s0 release h1"), 6, 1, `#1: release h1: no operation holds it`},
		// cancel
		{small("#1 s0 cancel"), 6, 13, `an operation's id expected here`},
		{small("#1 s0 cancel 2"), 6, 14, `"2": an operation's id expected here, as in #1`},
		{small("#1 s0 cancel #2"), 6, 1, `#1: cancel #2: no such operation`},
		{small("#1 s0 cancel #1"), 6, 1, `#1: cancel #1: no such operation`},
		// The schedule.
		{small("#1 s0 stats", "schedule", "delay #1"), 8, 1, `"delay": unknown intervention; known: preempt, fault, strategy`},
		{small("#1 s0 stats", "schedule", "preempt"), 8, 8, `an operation's id expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 message"), 8, 12, `"message": "at" expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at"), 8, 14, `a point expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at 1"), 8, 15, `"1": unknown point; known: message, start, connect, acquire, release, cancel-request`},
		{small("#1 s0 stats", "schedule", "preempt #1 at start 1 to #2"), 8, 21, `"1": "to" expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at connect to #2"), 8, 23, `"to": the number of the connect expected here, as in 1`},
		{small("#1 s0 stats", "schedule", "preempt #1 at acquire 0 to #2"), 8, 23, `"0": the number of the acquire must be between 1 and 1073741824`},
		{small("#1 s0 stats", "schedule", "preempt #1 at release"), 8, 22, `the number of the release expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at cancel-request x"), 8, 30, `"x": the number of the cancel-request expected here, as in 1`},
		{small("#1 s0 stats", "schedule", " preempt #1 at start to #1"), 8, 2, `preempt #1 at start to #1: an operation can be preempted by itself only at a point in the code, where its other goroutines go on`},
		{small("#1 s0 stats", "schedule", "preempt #1 at message 0 to #1"), 8, 23, `"0": the number of the message must be between 1 and`},
		{small("#1 s0 stats", "schedule", "preempt #1 at message 1"), 8, 24, `"to" expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at message 1 to 1"), 8, 28, `"1": an operation's id expected here, as in #1`},
		{small("#1 s0 stats", "schedule", "  preempt #1 at message 1 to #2", "fault #1 at message 1 cut"), 8, 3, `preempt #1 at message 1 to #2: no operation has the id 2`},
		{small("#1 s0 stats", "schedule", "fault #3 at message 1 cut"), 8, 1, `fault #3 at message 1 cut: no operation has the id 3`},
		{small("#1 s0 stats", "schedule", "fault #1 at message 1"), 8, 22, `a fault expected here`},
		{small("#1 s0 stats", "schedule", "fault #1 at message 1 burn"), 8, 23, `"burn": unknown fault; known: cut, lose-reply, error, cancel`},
		{small("#1 s0 stats", "schedule", "preempt #1 at code"), 8, 19, `a site expected here`},
		{small("#1 s0 stats", "schedule", "preempt #1 at code f:before-lock:1 to #1"), 8, 36, `"to": the number of the code expected here, as in 1`},
		{small("#1 s0 stats", "schedule", "strategy random seed=1 points=some"), 8, 31, `"some": unknown set of points; known: messages, locks, all`},
		{small("#1 s0 stats", "schedule", "fault #1 at message 1 cut to #1"), 8, 27, `"to": nothing more expected here; usage: preempt #n at start|message k|connect k|acquire k|release k|cancel-request k|code site k to #m, or fault #n at message k cut|lose-reply|error|cancel`},
		{small("#1 s0 stats", "schedule", "strategy"), 8, 9, `a strategy expected here`},
		{small("#1 s0 stats", "schedule", "strategy luck"), 8, 10, `"luck": unknown strategy; known: run-to-block, random, pct, pos`},
		{small("#1 s0 stats", "schedule", "strategy random"), 8, 16, `a seed expected here`},
		{small("#1 s0 stats", "schedule", "strategy random seed=1073741825"), 8, 17, `"seed=1073741825": a seed must be between seed=0 and seed=1073741824`},
		{small("#1 s0 stats", "schedule", "strategy random seed=1 depth=2"), 8, 24, `"depth=2": nothing more expected here; usage: strategy run-to-block|random seed=0|pos seed=0|pct depth=2 steps=20 seed=0`},
		{small("#1 s0 stats", "schedule", "strategy run-to-block seed=1"), 8, 23, `"seed=1": nothing more expected here; usage: strategy run-to-block`},
		{small("#1 s0 stats", "schedule", "strategy pct steps=9 seed=1"), 8, 14, `"steps=9": a depth expected here, as in depth=1`},
		{small("#1 s0 stats", "schedule", "strategy pct depth=0 steps=9 seed=1"), 8, 14, `"depth=0": a depth must be between depth=1 and depth=16`},
		{small("#1 s0 stats", "schedule", "strategy pct depth=2 steps=0 seed=1"), 8, 22, `"steps=0": a number of points must be between steps=1 and steps=1048576`},
		{small("#1 s0 stats", "schedule", "strategy pct depth=2 steps=9"), 8, 29, `a seed expected here`},
		{small("#1 s0 stats", "schedule", "strategy run-to-block", " strategy random seed=1"), 9, 2, `"strategy" stands twice`},
		{small("#1 s0 stats", "schedule", "  strategy random seed=1", "fault #1 at message 1 cut"), 8, 3, `a strategy needs mode gated: nothing else schedules`},
	} {
		p, err := model.Parse(c.text)
		var syntax *model.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, %v; want a syntax error", c.text, p, err)
			continue
		}
		if syntax.Line != c.line || syntax.Column != c.column || !strings.HasPrefix(syntax.Msg, c.message) {
			t.Errorf("%q:\n got %v\nwant line %d, column %d: %s", c.text, err, c.line, c.column, c.message)
		}
		checkPosition(t, c.text, err)
	}
}

// TestTooManyHolds: each lease keeps a connection, so their number is bounded for the program as a whole.
func TestTooManyHolds(t *testing.T) {
	var p model.Program
	p.MaxProjects, p.Projects, p.Sessions = 1, 1, 1
	for i := range model.MaxHolds + 1 {
		if err := p.Validate(); err != nil {
			t.Fatalf("%d holds: %v", i, err)
		}
		p.Setup = append(p.Setup, model.Op{ID: i + 1, Kind: model.KindHold, Handle: i + 1})
	}
	want := "33 hold operations: at most 32, each keeps a connection"
	if err := p.Validate(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := model.Parse(p.String()); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("parsed: got %v, want %s", err, want)
	}
}

// TestValidate changes one thing of a valid program at a time, so that each change is what is refused.
func TestValidate(t *testing.T) {
	valid := func() model.Program {
		return parse(t, small("#1 s0 index p0 rev=1 files=1", "#2 s0 search p0 foreign=p1", "#3 s0 search p0 rev=1", "#4 s1 switch p1",
			"#5 s1 hold p0 as h1", "#6 s1 release h1", "#7 s1 drop p2", "#8 s1 cancel #9", "#9 s1 stats", "#10 s0 restart",
			"schedule", "preempt #1 at message 1 to #2", "fault #1 at message 2 cut"))
	}
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		op     int // 0: the program as a whole
		want   string
		change func(*model.Program)
	}{
		{0, "unknown mode 3", func(p *model.Program) { p.Mode = 3 }},
		{0, "unknown family of names 5", func(p *model.Program) { p.Names = 5 }},
		{0, "max_projects 0: must be between 1 and 100", func(p *model.Program) { p.MaxProjects = 0 }},
		{0, "max_projects 101: must", func(p *model.Program) { p.MaxProjects = 101 }},
		{0, "projects 0: must be between 1 and 100", func(p *model.Program) { p.Projects = 0 }},
		{0, "projects 101: must", func(p *model.Program) { p.Projects = 101 }},
		{0, "sessions 0: must be between 1 and 64", func(p *model.Program) { p.Sessions = 0 }},
		{0, "sessions 65: must", func(p *model.Program) { p.Sessions = 65 }},
		{0, "deadline -1s: must be between 0 and 1h", func(p *model.Program) { p.Deadline = -time.Second }},
		{0, "deadline 1h0m1s: must", func(p *model.Program) { p.Deadline = time.Hour + time.Second }},
		{0, "preempt #99 at message 1 to #2: no operation has the id 99", func(p *model.Program) { p.Schedule[0].At.Op = 99 }},
		{0, "preempt #1 at message 1 to #99: no operation has the id 99", func(p *model.Program) { p.Schedule[0].To = 99 }},
		{0, "preempt #1 at message 0 to #2: points count from 1", func(p *model.Program) { p.Schedule[0].At.Nth = 0 }},
		{0, "preempt #1 at start to #2: an operation has one start", func(p *model.Program) { p.Schedule[0].At = model.Point{Op: 1, Kind: model.AtStart, Nth: 2} }},
		{0, "preempt #1 at PointKind(7) 1 to #2: unknown kind of point", func(p *model.Program) { p.Schedule[0].At.Kind = 7 }},
		{0, "preempt #1 at code  1 to #2: a point in the code needs the name of its site, without spaces", func(p *model.Program) { p.Schedule[0].At.Kind = model.AtCode }},
		{0, "preempt #1 at code a b 1 to #2: a point in the code needs", func(p *model.Program) { p.Schedule[0].At.Kind, p.Schedule[0].At.Site = model.AtCode, "a b" }},
		{0, "preempt #1 at code a//b 1 to #2: a point in the code needs", func(p *model.Program) { p.Schedule[0].At.Kind, p.Schedule[0].At.Site = model.AtCode, "a//b" }},
		{0, "preempt #1 at message 1 to #2: only a point in the code has a site", func(p *model.Program) { p.Schedule[0].At.Site = "f:before-lock:1" }},
		{0, "strategy pct: unknown set of points", func(p *model.Program) {
			p.Strategy = model.Strategy{Kind: model.PCT, Depth: 1, Steps: 1, Points: 3}
		}},
		{0, "strategy run-to-block: unknown set of points", func(p *model.Program) { p.Strategy = model.Strategy{Points: model.Locks} }},
		{0, "preempt #1 at message 1 to #1: an operation can be preempted by itself only at a point in the code, where its other goroutines go on", func(p *model.Program) { p.Schedule[0].To = 1 }},
		{0, "a strategy needs mode gated: nothing else schedules", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.RandomWalk} }},
		{0, "unknown strategy", func(p *model.Program) { p.Strategy = model.Strategy{Kind: 4} }},
		{0, "strategy random: has no such fields", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.RandomWalk, Depth: 1} }},
		{0, "strategy random: has no such fields", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.RandomWalk, Steps: 1} }},
		{0, "strategy pos: has no such fields", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.POS, Depth: 2} }},
		{0, "strategy run-to-block: has no such fields", func(p *model.Program) { p.Strategy.Seed = 1 }},
		{0, "strategy: seed 1073741825: at most 1073741824", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.RandomWalk, Seed: 1<<30 + 1} }},
		{0, "strategy pct: depth must be between 1 and 16, steps between 1 and 1048576", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.PCT, Steps: 1} }},
		{0, "strategy pct: depth", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.PCT, Depth: 17, Steps: 1} }},
		{0, "strategy pct: depth", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.PCT, Depth: 1} }},
		{0, "strategy pct: depth", func(p *model.Program) { p.Strategy = model.Strategy{Kind: model.PCT, Depth: 1, Steps: 1<<20 + 1} }},
		{0, "fault #1 at message 2 x: known faults: cut, lose-reply, error, cancel", func(p *model.Program) { p.Schedule[1].Fault = "x" }},
		{0, "preempt #1 at message 2 to #0: unknown kind of intervention", func(p *model.Program) { p.Schedule[1].Kind = 2 }},
		{0, "operations need ids that differ, from 1 to 1073741824", func(p *model.Program) { p.Setup[0].ID = 0 }},
		{-1, "#-1: operations need ids", func(p *model.Program) { p.Setup[0].ID = -1 }},
		{1<<30 + 1, "#1073741825: operations need ids", func(p *model.Program) { p.Setup[0].ID = 1<<30 + 1 }},
		{1, "#1: operations need ids", func(p *model.Program) { p.Setup[1].ID = 1 }},
		{1, "#1: operations need ids", func(p *model.Program) { p.Race = []model.Op{{ID: 1, Kind: model.KindStats}} }},
		{1, "#1: unknown operation kind(0)", func(p *model.Program) { p.Setup[0].Kind = 0 }},
		{1, "#1: unknown operation kind(10)", func(p *model.Program) { p.Setup[0].Kind = 10 }},
		{1, "#1: s2: there are only 2 sessions, s0 to s1", func(p *model.Program) { p.Setup[0].Session = 2 }},
		{1, "#1: s-1: there are", func(p *model.Program) { p.Setup[0].Session = -1 }},
		{1, "#1: p3: there are only 3 projects, p0 to p2", func(p *model.Program) { p.Setup[0].Project = 3 }},
		{1, "#1: p-2: there are", func(p *model.Program) { p.Setup[0].Project = -2 }},
		{1, "#1: rev=0: must be between 1 and 999", func(p *model.Program) { p.Setup[0].Revision = 0 }},
		{1, "#1: rev=1000: must", func(p *model.Program) { p.Setup[0].Revision = 1000 }},
		{1, "#1: files=-1: must be between 0 and 9", func(p *model.Program) { p.Setup[0].Files = -1 }},
		{1, "#1: files=10: must", func(p *model.Program) { p.Setup[0].Files = 10 }},
		{1, "#1: unknown mode 3", func(p *model.Program) { p.Setup[0].Mode = 3 }},
		{2, "#2: foreign=p3: there are only 3 projects", func(p *model.Program) { p.Setup[1].Foreign = 3 }},
		{2, "#2: foreign=p-1: there are", func(p *model.Program) { p.Setup[1].Foreign = model.Active }},
		{2, "#2: unknown query 4", func(p *model.Program) { p.Setup[1].Query = 4 }},
		{2, "#2: file=9: must be between 0 and 8", func(p *model.Program) { p.Setup[1].Path = 10 }},
		{2, "#2: file=-2: must", func(p *model.Program) { p.Setup[1].Path = -1 }},
		{2, "#2: limit=-1: must be between 1 and 51, the first that is refused", func(p *model.Program) { p.Setup[1].Limit = -1 }},
		{2, "#2: limit=52: must", func(p *model.Program) { p.Setup[1].Limit = 52 }},
		{3, "#3: rev=0: must be between 1 and 999", func(p *model.Program) { p.Setup[2].Revision = 0 }},
		{4, "#4: switch needs a project, as in p0", func(p *model.Program) { p.Setup[3].Project = model.Active }},
		{5, "#5: hold needs a project, as in p0", func(p *model.Program) { p.Setup[4].Project = model.Active }},
		{5, "#5: hold needs a handle, h1 to h1048576", func(p *model.Program) { p.Setup[4].Handle, p.Setup[5].Handle = 0, 0 }},
		{6, "#6: release h2: no operation holds it", func(p *model.Program) { p.Setup[5].Handle = 2 }},
		{7, "#7: drop needs a project, as in p0", func(p *model.Program) { p.Setup[6].Project = model.Active }},
		{8, "#8: cancel #0: no such operation", func(p *model.Program) { p.Setup[7].Target = 0 }},
		{8, "#8: cancel #8: no such operation", func(p *model.Program) { p.Setup[7].Target = 8 }},
		{9, "#9: h1 is held twice; use another handle", func(p *model.Program) {
			p.Setup[8] = model.Op{ID: 9, Kind: model.KindHold, Handle: 1}
		}},
	} {
		p := valid()
		c.change(&p)
		err := p.Validate()
		var invalid *model.InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("got %v, want %q", err, c.want)
			continue
		}
		if invalid.Op != c.op || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got #%d %q, want #%d %q", invalid.Op, err, c.op, c.want)
		}
	}
}
