package model

import "slices"

// Bounds say how large a drawn program may be.
type Bounds struct {
	MaxProjects int    // largest max_projects drawn
	Projects    int    // most projects
	Sessions    int    // most sessions
	Operations  int    // operations of a program, setup apart; 0: a random number, about 30, gated 2 to 5
	Kinds       []Kind // the operations the service can do; nil: all
	Mode        Mode
	Points      Points // the largest set of points among which strategies choose; more than Messages where the code of the service has some
}

// DefaultBounds are those of the product: MAX_PROJECTS 10, five projects more than that, 4 sessions.
func DefaultBounds() Bounds { return Bounds{MaxProjects: 10, Projects: 15, Sessions: 4} }

const (
	drawnFiles = 9 // most files of a drawn repository
	drawnHolds = 6 // most leases of a drawn program
	drawnSetup = 8 // most operations before the race of a drawn program
)

// drawer is a program being drawn.
type drawer struct {
	src      Source
	prog     Program
	revision int // the newest one written so far
	holds    int // handles given out so far
	swarm    [kindEnd]int

	// Of gated programs.
	switched map[int]bool // the sessions with an active project; nil: any may have one
	hot      int          // what operations are mostly about, from 1; 0: about any project
	apart    bool         // operations of the race are mostly on another project than the one before
	before   int          // its project, from 1; 0: none yet
	edges    []int        // projects that two in three operations of the race are about
	asked    QueryKind    // what searches ask,
	curious  bool         // if not anything
	late     bool         // what a cancelled operation has to clean up happens late
}

// Generate draws a program. The same draws give the same program.
//
// Small values of max_projects are drawn as often as large ones, since most faults of an LRU show at
// one or two pools and then show in few operations. The mix of operations varies from program to
// program (swarm testing, Groce et al. 2012): a program without drops reaches states that one with
// everything in it does not.
//
// A gated program is a small race, with a setup that makes races on creation, eviction and contents
// likely, and a schedule: a strategy or a few preemptions, and often a cancellation.
func Generate(src Source, b Bounds) Program {
	d := &drawer{src: src}
	d.prog.Mode = b.Mode
	if b.Mode == Gated {
		return d.gated(b)
	}
	d.prog.MaxProjects = d.small("max_projects", 1, max(1, b.MaxProjects))
	most := max(1, min(b.Projects, d.prog.MaxProjects+5))
	d.prog.Projects = src.Int("projects", min(most, 1), most)
	least := 1
	if b.Mode != Sequential {
		least = min(2, max(1, b.Sessions)) // one session alone races with nobody
	}
	d.prog.Sessions = src.Int("sessions", least, max(1, b.Sessions))
	d.names()
	d.drawSwarm(b.Kinds, weights())
	if b.Mode == Sequential {
		d.repeat(b, "operations", &d.prog.Setup)
	} else {
		for range src.Int("setup", 0, drawnSetup) {
			d.drawOp(&d.prog.Setup, d.anySession)
		}
		d.swarm[KindRestart] = 0 // whom a restart interrupts could not be judged
		d.repeat(b, "race", &d.prog.Race)
	}
	return d.prog.Without() // a cancel of an operation that was never drawn has nothing to cancel
}

// repeat draws as many operations as the bounds ask for. One that is not possible when it is drawn is
// left out, so a program may have a few less.
func (d *drawer) repeat(b Bounds, label string, into *[]Op) {
	step := func() { d.drawOp(into, d.anySession) }
	if b.Operations == 0 {
		d.src.Repeat(label, step)
		return
	}
	for range b.Operations {
		step()
	}
}

// small draws from lo to hi, the lower third as often as all the rest.
func (d *drawer) small(label string, lo, hi int) int {
	if d.src.Int(label+" large", 0, 1) == 0 {
		hi = lo + (hi-lo)/3
	}
	return d.src.Int(label, lo, hi)
}

func (d *drawer) names() {
	if n := d.src.Int("names", 0, 2*int(nameFamilies)); n < int(nameFamilies) {
		d.prog.Names = NameFamily(n)
	}
}

// weights returns how often each kind is drawn where nothing races, of all weights.
func weights() (w [kindEnd]int) {
	for _, v := range verbs() {
		if v != nil {
			w[v.kind] = v.weight
		}
	}
	return w
}

func (d *drawer) drawSwarm(kinds []Kind, weights [kindEnd]int) {
	possible := [kindEnd]bool{}
	for _, k := range kinds {
		possible[k] = true
	}
	for _, v := range verbs() {
		if v == nil || weights[v.kind] == 0 || kinds != nil && !possible[v.kind] {
			continue
		}
		d.swarm[v.kind] = weights[v.kind]
		if v.kind == KindIndex || v.kind == KindSearch && d.prog.Mode == Gated {
			continue // without an index nothing happens, and what happens in a race is mostly seen by a search
		}
		switch d.src.Int("mix of "+v.name, 0, 3) {
		case 2:
			d.swarm[v.kind] = 0
		case 3:
			d.swarm[v.kind] = 3 * weights[v.kind]
		}
	}
}

// drawOp appends one operation of the session that session returns. The strongest operation, index, stands first in the draw, so that a
// shrinking source moves towards programs that do most with least; search stands last, since rapid
// draws the ends of a range more often than its middle.
func (d *drawer) drawOp(into *[]Op, session func() int) {
	order := []Kind{KindIndex, KindSwitch, KindHold, KindRelease, KindStats, KindDrop, KindRestart, KindCancel, KindSearch}
	sum := 0
	for _, k := range order {
		sum += d.swarm[k]
	}
	if sum == 0 {
		return // the service can do little, and this program's mix left all of it out
	}
	n := d.src.Int("operation", 0, sum-1)
	for _, k := range order {
		if n >= d.swarm[k] {
			n -= d.swarm[k]
			continue
		}
		d.append(into, Op{ID: d.prog.Len() + 1, Kind: k, Session: session()})
		return
	}
}

// append draws the operation's fields and appends it, if it is possible now.
func (d *drawer) append(into *[]Op, o Op) {
	if !verbOf(o.Kind).draw(d, &o) {
		return
	}
	switch {
	case d.switched == nil:
	case o.Kind == KindSwitch:
		d.switched[o.Session] = true
	case o.Kind == KindSearch:
		d.ask(&o)
	}
	*into = append(*into, o)
}

func (d *drawer) anySession() int { return d.src.Int("session", 0, d.prog.Sessions-1) }

func (d *drawer) anyProject() int {
	if d.hot > 0 && d.src.Int("another", 0, 3) < 3 {
		return d.hot - 1
	}
	if len(d.edges) > 1 && d.src.Int("at the edge", 0, 2) > 0 {
		others := slices.DeleteFunc(slices.Clone(d.edges), func(p int) bool { return p == d.before-1 })
		return others[d.src.Int("project", 0, len(others)-1)]
	}
	if d.before > 0 && d.prog.Projects > 1 && d.src.Int("the same", 0, 3) < 3 {
		p := d.src.Int("project", 0, d.prog.Projects-2)
		if p >= d.before-1 {
			p++
		}
		return p
	}
	return d.src.Int("project", 0, d.prog.Projects-1)
}

// project draws a project by number or, for one in four, the active one of a session that has one.
func (d *drawer) project(o Op) int {
	if d.switched != nil {
		if d.switched[o.Session] && d.src.Int("active", 0, 1) == 1 {
			return Active
		}
		return d.anyProject()
	}
	if d.src.Int("active", 0, 3) == 3 {
		return Active
	}
	return d.anyProject()
}
