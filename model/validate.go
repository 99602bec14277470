package model

import (
	"fmt"
	"time"
)

// InvalidError says what makes a program impossible to run.
type InvalidError struct {
	Op  int // ID of the operation that is wrong; 0: the program as a whole
	Msg string
}

func (e *InvalidError) Error() string {
	if e.Op == 0 {
		return e.Msg
	}
	return fmt.Sprintf("#%d: %s", e.Op, e.Msg)
}

func invalid(op int, format string, v ...any) error {
	return &InvalidError{op, fmt.Sprintf(format, v...)}
}

// Validate says whether the program can be run; an error is an *InvalidError.
func (p Program) Validate() error {
	switch {
	case p.MaxProjects < 1 || p.MaxProjects > MaxProjects:
		return invalid(0, "max_projects %d: must be between 1 and %d", p.MaxProjects, MaxProjects)
	case p.Projects < 1 || p.Projects > MaxProjects:
		return invalid(0, "projects %d: must be between 1 and %d", p.Projects, MaxProjects)
	case p.Sessions < 1 || p.Sessions > MaxSessions:
		return invalid(0, "sessions %d: must be between 1 and %d", p.Sessions, MaxSessions)
	case p.Deadline < 0 || p.Deadline > time.Hour:
		return invalid(0, "deadline %s: must be between 0 and 1h", p.Deadline)
	case p.Len() > MaxOps:
		return invalid(0, "%d operations: at most %d", p.Len(), MaxOps)
	case p.Holds() > MaxHolds:
		return invalid(0, "%d hold operations: at most %d, each keeps a connection", p.Holds(), MaxHolds)
	}
	ids, handles, held := map[int]bool{}, map[int]bool{}, map[int]bool{}
	for _, o := range p.Ops() {
		if o.ID < 1 || ids[o.ID] {
			return invalid(o.ID, "operations need positive ids that differ")
		}
		ids[o.ID] = true
		if o.Kind == KindHold {
			held[o.Handle] = true
		}
	}
	for _, o := range p.Ops() {
		if err := p.validateOp(o, ids, held); err != nil {
			return err
		}
		if o.Kind == KindHold {
			if handles[o.Handle] {
				return invalid(o.ID, "h%d is held twice; use another handle", o.Handle)
			}
			handles[o.Handle] = true
		}
	}
	for _, in := range p.Schedule {
		if !ids[in.Op] || in.Kind == Preempt && !ids[in.To] {
			return invalid(0, "%s: no such operation", in)
		}
	}
	return nil
}

func (p Program) validateOp(o Op, ids, held map[int]bool) error {
	switch {
	case verbOf(o.Kind) == nil:
		return invalid(o.ID, "unknown operation %s", o.Kind)
	case o.Session < 0 || o.Session >= p.Sessions:
		return invalid(o.ID, "s%d: there are only %d sessions, s0 to s%d", o.Session, p.Sessions, p.Sessions-1)
	case o.TakesProject() && (o.Project < Active || o.Project >= p.Projects):
		return invalid(o.ID, "p%d: there are only %d projects, p0 to p%d", o.Project, p.Projects, p.Projects-1)
	case o.Kind == KindSearch && o.Query == QueryForeign && (o.Foreign < 0 || o.Foreign >= p.Projects):
		return invalid(o.ID, "foreign=p%d: there are only %d projects", o.Foreign, p.Projects)
	case o.Kind == KindCancel && (!ids[o.Target] || o.Target == o.ID):
		return invalid(o.ID, "cancel #%d: no such operation", o.Target)
	case o.Kind == KindRelease && !held[o.Handle]:
		return invalid(o.ID, "release h%d: no operation holds it", o.Handle)
	case o.Kind == KindHold && o.Handle < 1:
		return invalid(o.ID, "hold needs a handle, h1 or more")
	}
	return nil
}
