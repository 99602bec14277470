package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FormatVersion is the version of program text that this package writes and the newest that it reads.
const FormatVersion = 1

// SyntaxError says where program text is wrong. Line and Column count from 1, Column in bytes.
type SyntaxError struct {
	Line, Column int
	Msg          string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Parse reads a program's text. An error is a *SyntaxError with the position of what is wrong.
// The program that it returns is valid as [Program.Validate] says.
func Parse(text string) (Program, error) {
	p := &parser{lines: map[int]place{}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(i+1, strings.TrimSuffix(line, "\r")); err != nil {
			return Program{}, err
		}
	}
	if !p.started {
		return Program{}, &SyntaxError{1, 1, fmt.Sprintf("empty: a program begins with %q", "program v1")}
	}
	if err := p.prog.Validate(); err != nil {
		at := place{p.last, 1}
		var invalid *InvalidError
		if errors.As(err, &invalid) {
			if l, ok := p.lines[invalid.Op]; ok {
				at = l
			} else if invalid.intervention > 0 {
				at = p.interventions[invalid.intervention-1]
			} else if invalid.strategy {
				at = p.strategyAt
			}
		}
		return Program{}, &SyntaxError{at.line, at.column, err.Error()}
	}
	return p.prog, nil
}

type place struct{ line, column int }

type parser struct {
	prog    Program
	started bool
	section string
	seen    map[string]bool
	lines   map[int]place // where each operation stands
	last    int

	interventions []place // where each intervention stands
	strategyAt    place   // where the strategy stands
}

// token is a word of a line and its column.
type token struct {
	text   string
	column int
}

func tokens(line string) []token {
	if i := strings.Index(line, "//"); i >= 0 {
		line = line[:i]
	}
	var ts []token
	for i := 0; i < len(line); {
		if line[i] == ' ' || line[i] == '\t' {
			i++
			continue
		}
		j := i
		for j < len(line) && line[j] != ' ' && line[j] != '\t' {
			j++
		}
		ts = append(ts, token{line[i:j], i + 1})
		i = j
	}
	return ts
}

// args are the words of one line that are still to be read.
type args struct {
	line, end int
	rest      []token
}

func (a *args) errorf(t token, format string, v ...any) error {
	return &SyntaxError{a.line, t.column, fmt.Sprintf(format, v...)}
}

func (a *args) peek() (token, bool) {
	if len(a.rest) == 0 {
		return token{"", a.end}, false
	}
	return a.rest[0], true
}

func (a *args) next(what string) (token, error) {
	t, ok := a.peek()
	if !ok {
		return t, a.errorf(t, "%s expected here", what)
	}
	a.rest = a.rest[1:]
	return t, nil
}

func (a *args) word(want string) error {
	t, err := a.next(fmt.Sprintf("%q", want))
	if err == nil && t.text != want {
		err = a.errorf(t, "%q: %q expected here", t.text, want)
	}
	return err
}

// number reads a token of the form <prefix><decimal>, lo ≤ decimal ≤ hi.
func (a *args) number(what, prefix string, lo, hi int) (int, error) {
	t, err := a.next(what)
	if err != nil {
		return 0, err
	}
	return a.numberIn(t, what, prefix, lo, hi)
}

func (a *args) numberIn(t token, what, prefix string, lo, hi int) (int, error) {
	digits, ok := strings.CutPrefix(t.text, prefix)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(n) != digits {
		return 0, a.errorf(t, "%q: %s expected here, as in %s%d", t.text, what, prefix, max(lo, min(hi, 1)))
	}
	if n < lo || n > hi {
		return 0, a.errorf(t, "%q: %s must be between %s%d and %s%d", t.text, what, prefix, lo, prefix, hi)
	}
	return n, nil
}

func (a *args) finish(usage string) error {
	if t, ok := a.peek(); ok {
		return a.errorf(t, "%q: nothing more expected here; usage: %s", t.text, usage)
	}
	return nil
}

// project reads a project, or leaves o at the active one where there is none.
func (a *args) project(o *Op, must bool) error {
	o.Project = Active
	t, ok := a.peek()
	if !must && (!ok || !isProject(t.text)) {
		return nil
	}
	n, err := a.number("a project", projectSpelling, 0, MaxProjects-1)
	o.Project = n
	return err
}

func isProject(s string) bool {
	return len(s) > 1 && s[0] == 'p' && strings.Trim(s[1:], "0123456789") == ""
}

func (a *args) oneOf(t token, what string, words []string) (int, error) {
	i := slices.Index(words, t.text)
	if i < 0 {
		return 0, a.errorf(t, "%q: unknown %s; known: %s", t.text, what, strings.Join(words, ", "))
	}
	return i, nil
}

func (p *parser) line(n int, line string) error {
	ts := tokens(line)
	if len(ts) == 0 {
		return nil
	}
	p.last = n
	first, final := ts[0], ts[len(ts)-1]
	a := &args{line: n, end: final.column + len(final.text), rest: ts}
	if !p.started {
		return p.header(a)
	}
	if section := first.text; slices.Contains([]string{"setup", "race", "schedule"}, section) {
		order := []string{"", "setup", "race", "schedule"}
		if slices.Index(order, section) <= slices.Index(order, p.section) {
			return a.errorf(first, "%q: sections stand once each, in the order setup, race, schedule", section)
		}
		p.section = section
		a.rest = a.rest[1:]
		return a.finish(section)
	}
	switch p.section {
	case "":
		return p.field(a)
	case "schedule":
		return p.scheduled(a)
	}
	return p.op(a)
}

func (p *parser) header(a *args) error {
	t := a.rest[0]
	if t.text != "program" {
		return a.errorf(t, "%q: a program begins with %q", t.text, "program v1")
	}
	a.rest = a.rest[1:]
	at, _ := a.peek()
	v, err := a.number("a version", "v", 1, 1<<30)
	if err != nil {
		return err
	}
	if v > FormatVersion {
		return a.errorf(at, "program text of version %d: this tenantstorm reads versions up to %d; use a newer one", v, FormatVersion)
	}
	p.started, p.seen = true, map[string]bool{}
	p.prog = Program{MaxProjects: 1, Projects: 1, Sessions: 1}
	return a.finish("program v1")
}

func (p *parser) field(a *args) error {
	name, _ := a.next("a field")
	if p.seen[name.text] {
		return a.errorf(name, "%q stands twice", name.text)
	}
	p.seen[name.text] = true
	var err error
	switch name.text {
	case "max_projects":
		p.prog.MaxProjects, err = a.number("a number", "", 1, MaxProjects)
	case "projects":
		p.prog.Projects, err = a.number("a number", "", 1, MaxProjects)
	case "sessions":
		p.prog.Sessions, err = a.number("a number", "", 1, MaxSessions)
	case "mode", "names":
		t, e := a.next("a word")
		if e != nil {
			return e
		}
		var i int
		if name.text == "mode" {
			i, err = a.oneOf(t, "mode", modes)
			p.prog.Mode = Mode(i)
		} else {
			i, err = a.oneOf(t, "family of names", nameSpelling)
			p.prog.Names = NameFamily(i)
		}
	case "deadline":
		t, e := a.next("a duration")
		if e != nil {
			return e
		}
		p.prog.Deadline, e = time.ParseDuration(t.text)
		if e != nil || p.prog.Deadline <= 0 || p.prog.Deadline > time.Hour {
			return a.errorf(t, "%q: a duration up to 1h expected here, as in 5s", t.text)
		}
	default:
		return a.errorf(name, "%q: unknown field; known: mode, max_projects, projects, names, sessions, deadline; sections: setup, race, schedule", name.text)
	}
	if err != nil {
		return err
	}
	return a.finish(name.text + " …")
}

func (p *parser) op(a *args) error {
	at := a.rest[0]
	id, err := a.number("an operation's id", "#", 1, maxID)
	if err != nil {
		return err
	}
	if _, dup := p.lines[id]; dup {
		return a.errorf(at, "#%d stands twice", id)
	}
	o := Op{ID: id}
	if o.Session, err = a.number("a session", "s", 0, MaxSessions-1); err != nil {
		return err
	}
	name, err := a.next("an operation")
	if err != nil {
		return err
	}
	v := verbNamed(name.text)
	if v == nil {
		return a.errorf(name, "%q: unknown operation; known: %s", name.text, strings.Join(verbNames(), ", "))
	}
	o.Kind = v.kind
	if err := v.parse(a, &o); err != nil {
		return err
	}
	if err := a.finish(strings.TrimSpace(fmt.Sprintf("#%d s%d %s %s", o.ID, o.Session, v.name, v.usage))); err != nil {
		return err
	}
	p.lines[id] = place{a.line, at.column}
	if p.section == "setup" {
		p.prog.Setup = append(p.prog.Setup, o)
	} else {
		p.prog.Race = append(p.prog.Race, o)
	}
	return nil
}

func verbNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.String())
	}
	return names
}
