// Package repro keeps a finding in a file: the program that shows it, what it violates, and what was
// seen. A repro replays on another machine, so it holds nothing of the one it was made on.
//
// The file is a txtar archive, readable as it stands and in a diff. It stands alone, or in a folder with
// what people read. docs/FORMAT.md describes both.
package repro

import (
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// FormatVersion is the version of repro files that this package writes and the newest that it reads.
const FormatVersion = 2

// Repro is a finding, ready to be replayed.
type Repro struct {
	Meta Meta
	// Program is the program that fails.
	Program model.Program
	// Violation is what it showed when the repro was made. It is zero in a repro that is only a
	// program: whatever shows then counts as reproduced.
	Violation check.Violation
	// History are the operations and what came of them, a line each, as Lines gives them.
	History []string
	// Steps are the gate's, the statements shortened and without strings, and Waits who could not go on
	// meanwhile. Both are empty where the program was not gated.
	Steps []history.Step
	Waits []history.Wait
	// Spans tell which operations of a free-running program overlapped.
	Spans []Span
}

// New returns the repro of what a program showed.
func New(meta Meta, p model.Program, v check.Violation, h history.History) Repro {
	if h.Settled {
		meta.Scheduling = Settled
	}
	return redacted(Repro{
		Meta: meta, Program: p, Violation: v, History: Lines(h),
		Steps: h.Steps, Waits: h.Waits, Spans: Spans(p, h),
	})
}

// Meta says how a repro was made. All fields are for people, empty where not known, and must name no
// place, address or user of the machine.
type Meta struct {
	Target      string // what was tested
	SeededFault string // the fault it was built with, if one was
	Seed        string // of the run
	Case        string // number of the case within the run
	Tool        string // version of tenantstorm
	Go          string // versions of what it was run with
	Pgx         string
	Postgres    string
	Platform    string   // operating system, architecture and cores
	Settings    []string // of the server, as name = value
	Reproduced  string   // in how many executions it showed again, as 3 of 3
	Scheduling  string   // Settled, where a gated program's service ran in another process
}

// Settled is the scheduling of a service in another process: the gate sees its messages, and takes its silence
// for rest.
const Settled = "settled"

// Fingerprint returns the fingerprint of the violation, "" for a repro that is only a program.
func (r Repro) Fingerprint() string {
	if !r.hasViolation() {
		return ""
	}
	return r.Violation.Fingerprint()
}

func (r Repro) hasViolation() bool {
	v := r.Violation
	return v.Invariant != "" || v.Kind != "" || v.Verb != ""
}

// Reproduction is what a replay came to. The zero value is unset.
type Reproduction uint8

// What a replay can come to.
const (
	Same  Reproduction = iota + 1 // the same fingerprint
	Other                         // another one
	None                          // nothing
)

var reproductions = []string{"unset", "same", "other", "none"}

func (r Reproduction) String() string {
	if int(r) < len(reproductions) {
		return reproductions[r]
	}
	return reproductions[0]
}

// Compare says whether a replay, which showed got or nil for nothing, reproduced r.
func Compare(r Repro, got *check.Violation) Reproduction {
	switch {
	case got == nil:
		return None
	case !r.hasViolation() || got.Fingerprint() == r.Fingerprint():
		return Same
	}
	return Other
}

// SyntaxError says where a file is wrong. Line and Column count from 1 within the file, Column in bytes.
type SyntaxError struct {
	File         string // as it was given to Load; "" from Parse
	Line, Column int
	Msg          string
}

func (e *SyntaxError) Error() string {
	at := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	if e.File == "" {
		return at
	}
	return e.File + ": " + at
}

// VersionError says that a file was written by a newer tenantstorm.
type VersionError struct {
	File    string // as it was given to Load; "" from Parse
	Version int
}

func (e *VersionError) Error() string {
	msg := fmt.Sprintf("a repro of version %d: this tenantstorm reads versions up to %d; use a newer one", e.Version, FormatVersion)
	if e.File == "" {
		return msg
	}
	return e.File + ": " + msg
}
