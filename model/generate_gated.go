package model

// raceWeights are how often each kind is drawn for a gated program, of all weights: those that create,
// fill, empty and evict more often than where nothing races. There is no cancel, since faults of the
// schedule cancel at a point, and no restart, which cannot race.
var raceWeights = [kindEnd]int{
	KindIndex: 30, KindSearch: 30, KindSwitch: 6, KindHold: 8, KindRelease: 8, KindStats: 4, KindDrop: 10,
}

// What is drawn in tenths: pools, and operations of the race. Most interleaving faults show at one or
// two pools in two or three operations, and the fewer there are, the likelier is the one order that shows it.
var (
	gatedPools = []int{1, 1, 1, 1, 1, 1, 2, 2, 2, 3}
	gatedRace  = []int{2, 2, 2, 2, 3, 3, 3, 4, 5, 6}
)

const (
	gatedSpare    = 2 // most projects beyond the pools
	gatedSetup    = 2 // most operations of the setup that do not prepare the race
	gatedSessions = 3 // most sessions, but for one program in ten
	gatedNames    = 8 // one program in so many has names that could be mistaken: other modes look for that
	gatedRetries  = 3 // draws of one operation of the race until one is possible
)

// gated draws a program for the gate: a small race, a setup that makes most of its projects exist and
// the service keep as many pools as it may, and the schedule last.
func (d *drawer) gated(b Bounds) Program {
	d.switched = map[int]bool{}
	d.prog.MaxProjects = min(d.tenths("max_projects", gatedPools), max(1, b.MaxProjects))
	most := max(1, min(b.Projects, d.prog.MaxProjects+gatedSpare))
	d.prog.Projects = d.src.Int("projects", min(d.prog.MaxProjects, most), most)
	race := b.Operations
	if race == 0 {
		race = d.tenths("race", gatedRace)
	}
	sessions := min(gatedSessions, race)
	if d.src.Int("more sessions", 0, 9) == 9 {
		sessions = race
	}
	sessions = max(1, min(sessions, b.Sessions))
	d.prog.Sessions = d.src.Int("sessions", min(2, sessions), sessions)
	if d.src.Int("family of names", 0, gatedNames-1) == gatedNames-1 {
		d.names()
	}
	d.drawSwarm(b.Kinds, raceWeights)
	d.prepare()
	if d.src.Int("about one project", 0, 1) == 0 {
		d.hot = 1 + d.src.Int("project", 0, d.prog.Projects-1)
	}
	for i := range race {
		session := d.anySession
		if i < d.prog.Sessions {
			session = func() int { return i } // nobody is left out of the race
		}
		if i == 1 && d.twin() {
			continue
		}
		for retry, n := 0, d.prog.Len(); d.prog.Len() == n && retry < gatedRetries; retry++ {
			d.drawOp(&d.prog.Race, session)
		}
	}
	d.schedule()
	return d.prog
}

func (d *drawer) tenths(label string, of []int) int { return of[d.src.Int(label, 0, len(of)-1)] }

// prepare draws the setup: three projects of four exist, in one program of eight all sessions have an
// active project, in one of eight there is a lease.
func (d *drawer) prepare() {
	for p := range d.prog.Projects {
		if d.swarm[KindIndex] > 0 && d.src.Int("known", 0, 3) > 0 {
			d.revision++
			d.prog.Setup = append(d.prog.Setup, Op{
				ID: d.prog.Len() + 1, Kind: KindIndex, Project: p, Revision: d.revision, Files: d.src.Int("files", 1, drawnFiles),
			})
		}
	}
	switch n := d.src.Int("ready", 0, 7); {
	case n == 6 && d.swarm[KindHold] > 0:
		d.append(&d.prog.Setup, Op{ID: d.prog.Len() + 1, Kind: KindHold})
		d.swarm[KindRelease] *= 4
	case n == 7 && d.swarm[KindSwitch] > 0:
		for s := range d.prog.Sessions {
			d.append(&d.prog.Setup, Op{ID: d.prog.Len() + 1, Kind: KindSwitch, Session: s})
		}
	}
	for range max(0, d.src.Int("setup", -1, gatedSetup)) {
		d.drawOp(&d.prog.Setup, d.anySession)
	}
}

// twin draws, for one program in six, the second operation of the race as the first one in another session
// and of any project: what an answer is mistaken for is mostly the answer to the same question.
func (d *drawer) twin() bool {
	if d.prog.Sessions < 2 || len(d.prog.Race) != 1 || d.src.Int("twin", 0, 5) < 5 {
		return false
	}
	o := d.prog.Race[0]
	if o.Kind != KindSearch && o.Kind != KindIndex && o.Kind != KindDrop {
		return false
	}
	o.ID, o.Session, o.Project = d.prog.Len()+1, 1, d.src.Int("project", 0, d.prog.Projects-1)
	if o.Kind == KindSearch && d.src.Int("shared", 0, 1) == 1 {
		o.Query, o.Revision, o.Foreign = QueryShared, 0, 0
		d.prog.Race[0].Query, d.prog.Race[0].Revision, d.prog.Race[0].Foreign = QueryShared, 0, 0
	}
	d.prog.Race = append(d.prog.Race, o)
	return true
}
