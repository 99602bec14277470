package model

import "slices"

// raceWeights are how often each kind is drawn for a gated program, of all weights: those that create,
// fill, empty and evict more often than where nothing races, and searches by look besides. There is no
// cancel, since faults of the schedule cancel at a point, and no restart, which cannot race.
var raceWeights = [kindEnd]int{
	KindIndex: 40, KindSearch: 20, KindSwitch: 3, KindHold: 8, KindRelease: 12, KindStats: 3, KindDrop: 12,
}

// What is drawn in tenths: pools, projects beyond them, and operations of the race. Most interleaving faults
// show at one or two pools in two or three operations, and the fewer there are, the likelier is the one order
// that shows it.
var (
	gatedPools = []int{1, 1, 1, 1, 1, 2, 2, 2, 2, 3}
	gatedSpare = []int{0, 0, 0, 0, 1, 1, 1, 1, 1, 2}
	gatedRace  = []int{2, 2, 3, 3, 3, 3, 3, 4, 4, 5}
)

const (
	gatedFiles    = 3 // most files of a repository in the setup: the fewer, the more cases a second
	gatedSessions = 3 // most sessions, but for one program in ten
	gatedNames    = 8 // one program in so many has names that could be mistaken: other modes look for that
	gatedRetries  = 3 // draws of one operation of the race until one is possible
)

// gated draws a program for the gate: a small race, a setup that makes most of its projects exist, and the schedule
// last. Half of the races are mostly about one project, for what goes wrong with its contents or in the making of its
// pool; in the others operations mostly are on another project than the one before, for what goes wrong where
// one evicts another's pool or is mistaken for it.
func (d *drawer) gated(b Bounds) Program {
	d.switched = map[int]bool{}
	d.prog.MaxProjects = min(d.tenths("max_projects", gatedPools), max(1, b.MaxProjects))
	spare := d.tenths("projects", gatedSpare)
	d.apart = d.src.Int("about several projects", 0, 1) == 1
	if d.apart || d.prog.MaxProjects > 1 {
		spare = max(1, spare) // what several pools are good for shows where one of them has to go
	}
	d.prog.Projects = max(1, min(b.Projects, d.prog.MaxProjects+spare))
	race := b.Operations
	if race == 0 {
		race = d.tenths("race", gatedRace)
	}
	d.prog.Sessions = d.racing(race, b.Sessions)
	if d.src.Int("family of names", 0, gatedNames-1) == gatedNames-1 {
		d.names()
	}
	d.drawSwarm(b.Kinds, raceWeights)
	if !d.apart {
		d.hot = 1 + d.src.Int("project", 0, d.prog.Projects-1)
	}
	d.curious = d.src.Int("any question", 0, 3) == 3
	d.asked = QueryKind(d.src.Int("shared", 0, 1)) // own or shared
	d.prepare(b.Kinds == nil || slices.Contains(b.Kinds, KindRestart))
	if d.apart {
		d.edges = d.atEdge()
	}
	for i := range race {
		d.raced(i)
		if n := len(d.prog.Race); d.apart && n > 0 && d.prog.Race[n-1].TakesProject() {
			d.before = 1 + d.prog.Race[n-1].Project // none, if it is the active one
		}
	}
	d.lookFirst()
	d.schedule(b.Points)
	return d.prog
}

func (d *drawer) tenths(label string, of []int) int { return of[d.src.Int(label, 0, len(of)-1)] }

// racing draws how many sessions race: mostly two.
func (d *drawer) racing(operations, most int) int {
	sessions := min(gatedSessions, operations)
	if d.src.Int("more sessions", 0, 9) == 9 {
		sessions = operations
	}
	sessions = max(1, min(sessions, most))
	least := min(2, sessions)
	if d.src.Int("two sessions", 0, 2) < 2 {
		return least
	}
	return d.src.Int("sessions", least, sessions)
}

// prepare draws the setup: all projects exist, or two of three. Where there are more of them than pools the earlier ones
// are evicted again, and after a restart, in one program of eight, all: what races has then to make its pools. In
// two programs of eight there is a lease, in one of eight all sessions have an active project.
func (d *drawer) prepare(restarts bool) {
	all := d.src.Int("all known", 0, 1) == 1
	for p := range d.prog.Projects {
		if d.swarm[KindIndex] > 0 && (all || d.src.Int("known", 0, 2) > 0) {
			d.revision++
			d.prog.Setup = append(d.prog.Setup, Op{
				ID: d.prog.Len() + 1, Kind: KindIndex, Project: p, Revision: d.revision, Files: d.src.Int("files", 1, gatedFiles),
			})
		}
	}
	if restarts && len(d.prog.Setup) > 0 && d.src.Int("restart", 0, 3) == 3 {
		d.append(&d.prog.Setup, Op{ID: d.prog.Len() + 1, Kind: KindRestart})
	}
	switch n := d.src.Int("ready", 0, 7); {
	case (n == 5 || n == 6) && d.swarm[KindHold] > 0:
		d.append(&d.prog.Setup, Op{ID: d.prog.Len() + 1, Kind: KindHold})
		d.swarm[KindRelease] *= 4
	case n == 7 && d.swarm[KindSwitch] > 0:
		for s := range d.prog.Sessions {
			d.append(&d.prog.Setup, Op{ID: d.prog.Len() + 1, Kind: KindSwitch, Session: s})
		}
	}
	if d.src.Int("setup", 0, 3) == 3 {
		d.drawOp(&d.prog.Setup, d.anySession)
	}
}

// atEdge returns the projects between which an eviction is decided: the one whose pool would have to go, and those that
// have none; nothing where there is room for all.
func (d *drawer) atEdge() []int {
	resident := d.resident()
	if len(resident) < d.prog.MaxProjects || d.prog.Projects == len(resident) {
		return nil
	}
	edges := []int{resident[0]}
	for p := range d.prog.Projects {
		if !slices.Contains(resident, p) {
			edges = append(edges, p)
		}
	}
	return edges
}

// raced draws the ith operation of the race. The first one changes something, mostly; those after it often do the
// same in another session, or look: what an operation has done to another shows in what is found meanwhile or
// afterwards.
func (d *drawer) raced(i int) {
	session := d.anySession
	if i < d.prog.Sessions {
		session = func() int { return i } // nobody is left out of the race
	}
	if i == 1 && d.twin() {
		return
	}
	if i > 0 && d.src.Int("look", 0, 3) >= 3-min(i, 2) && d.swarm[KindSearch] > 0 {
		d.append(&d.prog.Race, Op{ID: d.prog.Len() + 1, Kind: KindSearch, Session: session()})
		return
	}
	for retry, n := 0, d.prog.Len(); d.prog.Len() == n && retry < gatedRetries; retry++ {
		d.drawOp(&d.prog.Race, session)
	}
}

// lookFirst has, in one program of three, a search that is the second operation begin before the first one: what is
// stopped, cancelled or left behind is then who looks, and who changes something meets that.
func (d *drawer) lookFirst() {
	race := d.prog.Race
	if len(race) < 2 || race[1].Kind != KindSearch || race[0].Kind == KindSearch || race[0].Session == race[1].Session || d.src.Int("look first", 0, 2) < 2 {
		return
	}
	race[0], race[1] = race[1], race[0]
	race[0].ID, race[1].ID = race[1].ID, race[0].ID
}

// ask has the searches of three gated programs in four ask the same: an answer that is kept, or handed to the
// wrong one, is mostly the answer to the same question.
func (d *drawer) ask(o *Op) {
	if !d.curious {
		o.Query, o.Revision, o.Foreign, o.Path, o.Limit = d.asked, 0, 0, 0, 0
	}
}

// twin draws, for one program in five, the second operation of the race as the first one in another session, on the
// same project or on one drawn anew.
func (d *drawer) twin() bool {
	if d.prog.Sessions < 2 || len(d.prog.Race) != 1 || d.src.Int("twin", 0, 4) < 4 {
		return false
	}
	o := d.prog.Race[0]
	if o.Kind != KindSearch && o.Kind != KindIndex && o.Kind != KindDrop {
		return false
	}
	o.ID, o.Session = d.prog.Len()+1, 1
	if d.src.Int("of another project", 0, 1) == 1 {
		o.Project = d.anyProject()
	}
	d.prog.Race = append(d.prog.Race, o)
	return true
}
