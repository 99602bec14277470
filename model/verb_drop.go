package model

import "slices"

var verbDrop = verb{
	kind: KindDrop, name: "drop", usage: "p0", weight: 4, optional: true,
	format: func(o Op) string { return formatProject(o.Project) },
	parse:  func(a *args, o *Op) error { return a.project(o, true) },
	draw: func(d *drawer, o *Op) bool {
		o.Project = d.anyProject()
		return true
	},
	step: func(s *State, o Op, r Response) *Mismatch {
		may, must := s.mayExist(o.Project)
		mayBeHeld, held := s.held(o.Project)
		switch {
		case !may:
			return expectError(r, ErrUnknownProject)
		case held:
			return expectError(r, ErrInUse)
		case r.Status == StatusUnknown:
			s.maybe(o.Project, content{})
			return nil
		case mayBeHeld && r.Status == StatusError && r.Error == ErrInUse:
			return nil
		case !must && r.Status == StatusError && r.Error == ErrUnknownProject:
			return nil
		}
		if m := expectOK(r); m != nil {
			return m
		}
		s.contents[o.Project] = []content{{}}
		before := len(s.resident)
		s.resident = slices.DeleteFunc(s.resident, func(p pool) bool { return p.project == o.Project })
		s.counters.drops += int64(before - len(s.resident))
		return nil
	},
}
