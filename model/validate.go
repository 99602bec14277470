package model

import (
	"fmt"
	"time"
)

// InvalidError says what makes a program impossible to run.
type InvalidError struct {
	Op  int // ID of the operation that is wrong; 0: the program as a whole
	Msg string

	intervention int  // which one of the schedule is wrong, from 1; 0: none
	strategy     bool // the strategy is wrong
}

func (e *InvalidError) Error() string {
	if e.Op == 0 {
		return e.Msg
	}
	return fmt.Sprintf("#%d: %s", e.Op, e.Msg)
}

func invalid(op int, format string, v ...any) error {
	return &InvalidError{Op: op, Msg: fmt.Sprintf(format, v...)}
}

// Validate says whether the program can be run; an error is an *InvalidError.
func (p Program) Validate() error {
	switch {
	case int(p.Mode) >= len(modes):
		return invalid(0, "unknown mode %d", p.Mode)
	case p.Names >= nameFamilies:
		return invalid(0, "unknown family of names %d", p.Names)
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
		if o.ID < 1 || o.ID > maxID || ids[o.ID] {
			return invalid(o.ID, "operations need ids that differ, from 1 to %d", maxID)
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
	for _, o := range p.Race {
		if o.Kind == KindRestart {
			return invalid(o.ID, "restart stands in setup only: whom it interrupts in a race could not be judged")
		}
	}
	if msg := p.Strategy.invalid(); msg != "" {
		return &InvalidError{Msg: msg, strategy: true}
	}
	if p.Mode != Gated && p.Strategy != (Strategy{}) {
		return &InvalidError{Msg: "a strategy needs mode gated: nothing else schedules", strategy: true}
	}
	for i, in := range p.Schedule {
		if msg := in.invalid(ids); msg != "" {
			return &InvalidError{Msg: fmt.Sprintf("%s: %s", in, msg), intervention: i + 1}
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
	case o.Project == Active && (o.Kind == KindSwitch || o.Kind == KindHold || o.Kind == KindDrop):
		return invalid(o.ID, "%s needs a project, as in p0", o.Kind)
	case o.Kind == KindSearch && o.Query == QueryForeign && (o.Foreign < 0 || o.Foreign >= p.Projects):
		return invalid(o.ID, "foreign=p%d: there are only %d projects", o.Foreign, p.Projects)
	case o.Kind == KindCancel && (!ids[o.Target] || o.Target == o.ID):
		return invalid(o.ID, "cancel #%d: no such operation", o.Target)
	case o.Kind == KindRelease && !held[o.Handle]:
		return invalid(o.ID, "release h%d: no operation holds it", o.Handle)
	case o.Kind == KindHold && (o.Handle < 1 || o.Handle > maxHandle):
		return invalid(o.ID, "hold needs a handle, h1 to h%d", maxHandle)
	case o.Kind == KindIndex:
		return o.validateIndex()
	case o.Kind == KindSearch:
		return o.validateSearch()
	}
	return nil
}

func (o Op) validateIndex() error {
	switch {
	case o.Revision < 1 || o.Revision > MaxRevision:
		return invalid(o.ID, "rev=%d: must be between 1 and %d", o.Revision, MaxRevision)
	case o.Files < 0 || o.Files > MaxFiles:
		return invalid(o.ID, "files=%d: must be between 0 and %d", o.Files, MaxFiles)
	case int(o.Mode) >= len(indexModes):
		return invalid(o.ID, "unknown mode %d", o.Mode)
	}
	return nil
}

func (o Op) validateSearch() error {
	switch {
	case int(o.Query) >= len(queryKinds):
		return invalid(o.ID, "unknown query %d", o.Query)
	case o.Query == QueryRevision && (o.Revision < 1 || o.Revision > MaxRevision):
		return invalid(o.ID, "rev=%d: must be between 1 and %d", o.Revision, MaxRevision)
	case o.Path < 0 || o.Path > MaxFiles:
		return invalid(o.ID, "file=%d: must be between 0 and %d", o.Path-1, MaxFiles-1)
	case o.Limit < 0 || o.Limit > MaxSearchLimit+1:
		return invalid(o.ID, "limit=%d: must be between 1 and %d, the first that is refused", o.Limit, MaxSearchLimit+1)
	}
	return nil
}
