package shrink

import "github.com/tenantstorm/tenantstorm/model"

// passExplicit names projects instead of switching to them, all at once and then switch by switch.
func passExplicit(s *shrinker) {
	var switches []int
	for _, o := range s.current.Ops() {
		if o.Kind == model.KindSwitch {
			switches = append(switches, o.ID)
		}
	}
	all := explicit(s.current, func(int) bool { return true })
	if len(switches) > 0 && s.try(all.Without(switches...)) || s.try(all) {
		return
	}
	// A switch's ID is its place, which no acceptance at a later place changes.
	for i := len(switches) - 1; i >= 0; i-- {
		id := switches[i]
		q := explicit(s.current, func(by int) bool { return by == id })
		if !s.try(q.Without(id)) {
			s.try(q)
		}
	}
}

// explicit returns the program in which the operations on an active project name it, for the switches
// chosen, taking the operations in the order of the text.
func explicit(p model.Program, chosen func(switchID int) bool) model.Program {
	by := map[int]model.Op{} // by session: the last switch
	return p.Edit(func(o model.Op) model.Op {
		switch {
		case o.Kind == model.KindSwitch:
			by[o.Session] = o
		case o.Kind == model.KindRestart:
			clear(by)
		case o.TakesProject() && o.Project == model.Active:
			if sw, ok := by[o.Session]; ok && chosen(sw.ID) {
				o.Project = sw.Project
			}
		}
		return o
	})
}
