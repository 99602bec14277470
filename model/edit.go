package model

import "slices"

// Without returns the program without the operations of these IDs and without what then has nothing to
// act on: releases of handles that nobody holds, cancels and interventions of operations that are gone.
func (p Program) Without(ids ...int) Program {
	q := p.Clone()
	gone := func(o Op) bool { return slices.Contains(ids, o.ID) }
	q.Setup = slices.DeleteFunc(q.Setup, gone)
	q.Race = slices.DeleteFunc(q.Race, gone)
	for before := -1; before != q.Len(); {
		before = q.Len()
		present, held := map[int]bool{}, map[int]bool{}
		for _, o := range q.Ops() {
			present[o.ID] = true
			if o.Kind == KindHold {
				held[o.Handle] = true
			}
		}
		dangling := func(o Op) bool {
			return o.Kind == KindCancel && !present[o.Target] || o.Kind == KindRelease && !held[o.Handle]
		}
		q.Setup = slices.DeleteFunc(q.Setup, dangling)
		q.Race = slices.DeleteFunc(q.Race, dangling)
		q.Schedule = slices.DeleteFunc(q.Schedule, func(i Intervention) bool {
			return !present[i.At.Op] || i.Kind == Preempt && !present[i.To]
		})
	}
	return q
}

// Edit returns the program with every operation changed by f, which must keep IDs.
func (p Program) Edit(f func(Op) Op) Program {
	q := p.Clone()
	for i := range q.Setup {
		q.Setup[i] = f(q.Setup[i])
	}
	for i := range q.Race {
		q.Race[i] = f(q.Race[i])
	}
	return q
}

// MapProjects returns the program with every project p renamed to f(p), Active left alone.
func (p Program) MapProjects(f func(int) int) Program {
	return p.Edit(func(o Op) Op {
		if o.TakesProject() && o.Project != Active {
			o.Project = f(o.Project)
		}
		if o.Kind == KindSearch && o.Query == QueryForeign {
			o.Foreign = f(o.Foreign)
		}
		return o
	})
}

// UsedProjects returns the projects that operations name, in order of first use.
func (p Program) UsedProjects() []int {
	var used []int
	p.MapProjects(func(i int) int {
		if !slices.Contains(used, i) {
			used = append(used, i)
		}
		return i
	})
	return used
}

// Renumber returns the program with IDs 1, 2, … in order and handles h1, h2, … in order of holding,
// everything that refers to them changed along.
func (p Program) Renumber() Program {
	ids, handles := map[int]int{}, map[int]int{}
	for _, o := range p.Ops() {
		ids[o.ID] = len(ids) + 1
		if o.Kind == KindHold {
			handles[o.Handle] = len(handles) + 1
		}
	}
	q := p.Edit(func(o Op) Op {
		o.ID = ids[o.ID]
		switch o.Kind {
		case KindCancel:
			o.Target = ids[o.Target]
		case KindHold, KindRelease:
			o.Handle = handles[o.Handle]
		}
		return o
	})
	for i := range q.Schedule {
		q.Schedule[i].At.Op = ids[q.Schedule[i].At.Op]
		if q.Schedule[i].Kind == Preempt {
			q.Schedule[i].To = ids[q.Schedule[i].To]
		}
	}
	return q
}
