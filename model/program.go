package model

import (
	"slices"
	"time"
)

// Mode is how a program is executed.
type Mode uint8

// The modes. Sequential runs every operation to its end before the next begins.
const (
	Sequential Mode = iota
	Free            // the race section runs in parallel, unscheduled
	Gated           // the race section runs under the gate's schedule
)

var modes = []string{"sequential", "free", "gated"}

func (m Mode) String() string { return modes[m] }

// DefaultDeadline is how long an operation may take where a program does not say.
const DefaultDeadline = 5 * time.Second

// Program is a test as a value.
type Program struct {
	Mode        Mode
	MaxProjects int           // pools the service may keep resident, ≥ 1
	Projects    int           // projects are p0 … p(Projects-1)
	Names       NameFamily    // how the projects are called
	Sessions    int           // sessions are s0 … s(Sessions-1)
	Deadline    time.Duration // an operation that takes longer hangs; 0: DefaultDeadline
	Setup       []Op          // runs in order
	Race        []Op          // runs one thread a session, each in order
	Schedule    []Intervention
	Strategy    Strategy // chooses where the schedule says nothing; gated programs only
}

// OpDeadline returns how long an operation may take.
func (p Program) OpDeadline() time.Duration {
	if p.Deadline > 0 {
		return p.Deadline
	}
	return DefaultDeadline
}

// Ops returns all operations, setup first. The slice is the caller's own.
func (p Program) Ops() []Op { return slices.Concat(p.Setup, p.Race) }

// Len returns the number of operations.
func (p Program) Len() int { return len(p.Setup) + len(p.Race) }

// Clone returns a copy that shares nothing with p.
func (p Program) Clone() Program {
	p.Setup = slices.Clone(p.Setup)
	p.Race = slices.Clone(p.Race)
	p.Schedule = slices.Clone(p.Schedule)
	return p
}

// Holds returns the number of hold operations: each may keep a connection of its own.
func (p Program) Holds() int {
	n := 0
	for _, o := range p.Ops() {
		if o.Kind == KindHold {
			n++
		}
	}
	return n
}
