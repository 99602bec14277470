package model

import (
	"fmt"
	"slices"
	"strings"
)

// InterventionKind says what an intervention does.
type InterventionKind uint8

// The kinds of intervention.
const (
	Preempt InterventionKind = iota // stop the operation there, let another thread go on
	Fault                           // do harm there
)

// PointKind is a kind of place where an operation can be stopped.
type PointKind uint8

// The kinds of point. Each counts from 1 within its operation, but for the start, of which there is one.
const (
	AtMessage PointKind = iota // before a batch of messages is sent, up to its Sync, Query, Flush or end of COPY
	AtStart                    // before the operation begins
	AtConnect                  // before a new connection's startup is sent
	AtAcquire                  // before a connection is taken from a pool
	AtRelease                  // before one is given back
	AtCancel                   // before a CancelRequest is sent
	AtCode                     // at a place in the service's code, which the point names
	pointKindEnd
)

var pointKinds = []string{"message", "start", "connect", "acquire", "release", "cancel-request", "code"}

// PointKinds returns every kind of point.
func PointKinds() []PointKind {
	ks := make([]PointKind, pointKindEnd)
	for i := range ks {
		ks[i] = PointKind(i)
	}
	return ks
}

func (k PointKind) String() string {
	if k < pointKindEnd {
		return pointKinds[k]
	}
	return fmt.Sprintf("PointKind(%d)", uint8(k))
}

// Point is a place where an operation can be stopped: its Nth message, connect and so on, from 1. Of a
// start there is only one, and Nth is 1. A place in the code has a name, Site, which holds no line, so that
// it survives an edit elsewhere; Nth counts how often the operation came to it.
type Point struct {
	Op   int
	Kind PointKind
	Nth  int
	Site string // of AtCode only: package and function, kind of step, its number: codesearch.(*poolSet).release:after-unlock:1
}

func (p Point) String() string {
	switch p.Kind {
	case AtStart:
		return fmt.Sprintf("#%d at start", p.Op)
	case AtCode:
		return fmt.Sprintf("#%d at %s %s %d", p.Op, p.Kind, p.Site, p.Nth)
	}
	return fmt.Sprintf("#%d at %s %d", p.Op, p.Kind, p.Nth)
}

// Intervention is one deviation from the default schedule. It is anchored at a point of an operation, so
// it reads as a sentence and survives changes elsewhere in the program.
//
// Each happens once. Of several at one point the first happens when the point is first come to, the
// second when the same operation, still there, would again be let go on, and so on.
type Intervention struct {
	Kind  InterventionKind
	At    Point  // where; the intervention happens before what the point names
	To    int    // preempt: ID of the operation that goes on
	Fault string // fault: what is done, one of Faults
}

// Faults are the names a fault intervention may bear.
var Faults = []string{"cut", "lose-reply", "error", "cancel"}

// String returns the intervention as a line of program text, without indentation.
func (i Intervention) String() string {
	if i.Kind == Fault {
		return fmt.Sprintf("fault %s %s", i.At, i.Fault)
	}
	return fmt.Sprintf("preempt %s to #%d", i.At, i.To)
}

// Pauses reports whether the intervention is a preemption in favour of the operation itself: the goroutine that has come to a
// point in the code stops until the operation's other goroutines, and whatever else moves by itself, have come to a stop.
func (i Intervention) Pauses() bool { return i.Kind == Preempt && i.To == i.At.Op }

// StrategyKind is a way to choose which thread goes on.
type StrategyKind uint8

// The strategies. Only the schedule's own interventions deviate from the first.
const (
	RunToBlock StrategyKind = iota // one thread until it blocks or ends, then the lowest-numbered ready one
	RandomWalk                     // at every point any ready thread
	PCT                            // by random priorities, which change at Depth-1 random points (Burckhardt et al., ASPLOS 2010)
	POS                            // by a random priority of each point that a thread comes to (Yuan et al., CAV 2018)
	strategyEnd
)

var strategies = []string{"run-to-block", "random", "pct", "pos"}

func (k StrategyKind) String() string {
	if k < strategyEnd {
		return strategies[k]
	}
	return fmt.Sprintf("StrategyKind(%d)", uint8(k))
}

// Strategy chooses among the ready threads wherever no intervention does. What it chose is written down
// as interventions, and only those are shrunk, stored and replayed.
type Strategy struct {
	Kind  StrategyKind
	Depth int    // PCT: depth of the faults looked for, ≥ 1; Depth-1 priority changes
	Steps int    // PCT: among how many first points the changes are spread, ≥ 1
	Seed  uint64 // of its choices

	// Points are the points among which it chooses. Where the code of the service has none, it is as if
	// they were Messages.
	Points Points
}

// Points is a set of kinds of point. More of them reach more faults, and each fault less often.
type Points uint8

// The sets, each with all of the one before. Interventions may be anchored at any point whatever the set.
const (
	Messages  Points = iota // all but those in the code
	Locks                   // before locking, too
	AllPoints               // after unlocking, at channels, atomics, and the rest, too
	pointsEnd
)

var pointSets = []string{"messages", "locks", "all"}

func (p Points) String() string {
	if p < pointsEnd {
		return pointSets[p]
	}
	return fmt.Sprintf("Points(%d)", uint8(p))
}

// ParsePoints reads what [Points.String] writes.
func ParsePoints(text string) (Points, error) {
	if i := slices.Index(pointSets, text); i >= 0 {
		return Points(i), nil
	}
	return 0, fmt.Errorf("%q: unknown points; known: %s", text, strings.Join(pointSets, ", "))
}

// String returns the strategy as a line of program text, without indentation.
func (s Strategy) String() string {
	text := "strategy " + s.Kind.String()
	switch s.Kind {
	case PCT:
		text += fmt.Sprintf(" depth=%d steps=%d seed=%d", s.Depth, s.Steps, s.Seed)
	case RandomWalk, POS:
		text += fmt.Sprintf(" seed=%d", s.Seed)
	}
	if s.Points != Messages {
		text += " points=" + s.Points.String()
	}
	return text
}

const (
	maxDepth = 16
	maxSteps = 1 << 20
	maxNth   = 1 << 30
)

const (
	interventionUsage = "preempt #n at start|message k|connect k|acquire k|release k|cancel-request k|code site k to #m, or fault #n at message k cut|lose-reply|error|cancel"
	strategyUsage     = "strategy run-to-block|random seed=0|pos seed=0|pct depth=2 steps=20 seed=0 [points=messages|locks|all]"
)

// scheduled reads a line of the schedule section.
func (p *parser) scheduled(a *args) error {
	t, err := a.next("an intervention")
	if err != nil {
		return err
	}
	kind, err := a.oneOf(t, "intervention", []string{"preempt", "fault", "strategy"})
	if err != nil {
		return err
	}
	if kind == 2 {
		return p.strategy(a, t)
	}
	in := Intervention{Kind: InterventionKind(kind)}
	if in.At, err = a.point(); err != nil {
		return err
	}
	if in.Kind == Preempt {
		if err = a.word("to"); err != nil {
			return err
		}
		if in.To, err = a.number("an operation's id", "#", 1, maxID); err != nil {
			return err
		}
	} else {
		t, err := a.next("a fault")
		if err != nil {
			return err
		}
		if !slices.Contains(Faults, t.text) {
			_, err := a.oneOf(t, "fault", Faults)
			return err
		}
		in.Fault = t.text
	}
	p.prog.Schedule = append(p.prog.Schedule, in)
	p.interventions = append(p.interventions, place{a.line, t.column})
	return a.finish(interventionUsage)
}

// point reads "#n at message k".
func (a *args) point() (pt Point, err error) {
	if pt.Op, err = a.number("an operation's id", "#", 1, maxID); err != nil {
		return pt, err
	}
	if err = a.word("at"); err != nil {
		return pt, err
	}
	t, err := a.next("a point")
	if err != nil {
		return pt, err
	}
	kind, err := a.oneOf(t, "point", pointKinds)
	if err != nil {
		return pt, err
	}
	pt.Kind, pt.Nth = PointKind(kind), 1
	if pt.Kind == AtCode {
		site, err := a.next("a site")
		if err != nil {
			return pt, err
		}
		pt.Site = site.text
	}
	if pt.Kind != AtStart {
		pt.Nth, err = a.number(fmt.Sprintf("the number of the %s", pt.Kind), "", 1, maxNth)
	}
	return pt, err
}

// strategy reads the rest of a strategy's line.
func (p *parser) strategy(a *args, at token) error {
	if p.strategyAt != (place{}) {
		return a.errorf(at, "\"strategy\" stands twice")
	}
	p.strategyAt = place{a.line, at.column}
	t, err := a.next("a strategy")
	if err != nil {
		return err
	}
	kind, err := a.oneOf(t, "strategy", strategies)
	if err != nil {
		return err
	}
	s := Strategy{Kind: StrategyKind(kind)}
	if s.Kind == PCT {
		if s.Depth, err = a.number("a depth", "depth=", 1, maxDepth); err != nil {
			return err
		}
		if s.Steps, err = a.number("a number of points", "steps=", 1, maxSteps); err != nil {
			return err
		}
	}
	if s.Kind != RunToBlock {
		seed, err := a.number("a seed", "seed=", 0, maxNth)
		if err != nil {
			return err
		}
		s.Seed = uint64(seed)
		if s.Points, err = a.points(); err != nil {
			return err
		}
	}
	p.prog.Strategy = s
	return a.finish(strategyUsage)
}

// points reads "points=locks"; it may be missing.
func (a *args) points() (Points, error) {
	t, ok := a.peek()
	name, named := strings.CutPrefix(t.text, "points=")
	if !ok || !named {
		return Messages, nil
	}
	a.rest = a.rest[1:]
	i, err := a.oneOf(token{name, t.column + len("points=")}, "set of points", pointSets)
	return Points(max(i, 0)), err
}

// invalid says what is wrong with an intervention; "" if nothing is.
func (i Intervention) invalid(ids map[int]bool) string {
	switch {
	case i.Kind > Fault:
		return "unknown kind of intervention"
	case i.At.Kind >= pointKindEnd:
		return "unknown kind of point"
	case !ids[i.At.Op]:
		return fmt.Sprintf("no operation has the id %d", i.At.Op)
	case i.At.Nth < 1:
		return "points count from 1"
	case i.At.Kind == AtStart && i.At.Nth != 1:
		return "an operation has one start"
	case i.At.Kind == AtCode && !validSite(i.At.Site):
		return "a point in the code needs the name of its site, without spaces"
	case i.At.Kind != AtCode && i.At.Site != "":
		return "only a point in the code has a site"
	case i.Kind == Preempt && !ids[i.To]:
		return fmt.Sprintf("no operation has the id %d", i.To)
	case i.Kind == Preempt && i.To == i.At.Op && i.At.Kind != AtCode:
		return "an operation can be preempted by itself only at a point in the code, where its other goroutines go on"
	case i.Kind == Fault && !slices.Contains(Faults, i.Fault):
		return "known faults: " + strings.Join(Faults, ", ")
	}
	return ""
}

// validSite reports whether a name can stand in a program's text.
func validSite(site string) bool {
	return site != "" && !strings.ContainsAny(site, " \t\r\n") && !strings.Contains(site, "//")
}

// invalid says what is wrong with a strategy; "" if nothing is.
func (s Strategy) invalid() string {
	switch {
	case s.Kind >= strategyEnd:
		return "unknown strategy"
	case s.Points >= pointsEnd, s.Kind == RunToBlock && s.Points != Messages:
		return fmt.Sprintf("strategy %s: unknown set of points", s.Kind)
	case s.Seed > maxNth:
		return fmt.Sprintf("strategy: seed %d: at most %d", s.Seed, maxNth)
	case s.Kind == PCT && (s.Depth < 1 || s.Depth > maxDepth || s.Steps < 1 || s.Steps > maxSteps):
		return fmt.Sprintf("strategy pct: depth must be between 1 and %d, steps between 1 and %d", maxDepth, maxSteps)
	case s.Kind != PCT && (s.Depth != 0 || s.Steps != 0), s.Kind == RunToBlock && s.Seed != 0:
		return fmt.Sprintf("strategy %s: has no such fields", s.Kind)
	}
	return ""
}
