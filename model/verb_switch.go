package model

import "slices"

var verbSwitch = verb{
	kind: KindSwitch, name: "switch", usage: "p0", weight: 14,
	format: func(o Op) string { return formatProject(o.Project) },
	parse:  func(a *args, o *Op) error { return a.project(o, true) },
	draw: func(d *drawer, o *Op) bool {
		o.Project = d.anyProject()
		return true
	},
	step: func(s *State, o Op, r Response) *Mismatch {
		if r.Status == StatusUnknown {
			if !slices.Contains(s.active[o.Session], o.Project) {
				s.active[o.Session] = append(s.active[o.Session], o.Project)
			}
			return nil
		}
		s.active[o.Session] = []int{o.Project}
		return expectOK(r)
	},
}
