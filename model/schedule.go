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
	pointKindEnd
)

var pointKinds = []string{"message", "start", "connect", "acquire", "release", "cancel-request"}

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
// start there is only one, and Nth is 1.
type Point struct {
	Op   int
	Kind PointKind
	Nth  int
}

func (p Point) String() string {
	if p.Kind == AtStart {
		return fmt.Sprintf("#%d at start", p.Op)
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

// StrategyKind is a way to choose which thread goes on.
type StrategyKind uint8

// The strategies. Only the schedule's own interventions deviate from the first.
const (
	RunToBlock StrategyKind = iota // one thread until it blocks or ends, then the lowest-numbered ready one
	RandomWalk                     // at every point any ready thread
	PCT                            // by random priorities, which change at Depth-1 random points (Burckhardt et al., ASPLOS 2010)
	strategyEnd
)

var strategies = []string{"run-to-block", "random", "pct"}

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
}

// String returns the strategy as a line of program text, without indentation.
func (s Strategy) String() string {
	switch s.Kind {
	case PCT:
		return fmt.Sprintf("strategy pct depth=%d steps=%d seed=%d", s.Depth, s.Steps, s.Seed)
	case RandomWalk:
		return fmt.Sprintf("strategy random seed=%d", s.Seed)
	}
	return "strategy " + s.Kind.String()
}

const (
	maxDepth = 16
	maxSteps = 1 << 20
	maxNth   = 1 << 30
)

const (
	interventionUsage = "preempt #n at start|message k|connect k|acquire k|release k|cancel-request k to #m, or fault #n at message k cut|lose-reply|error|cancel"
	strategyUsage     = "strategy run-to-block|random seed=0|pct depth=2 steps=20 seed=0"
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
	}
	p.prog.Strategy = s
	return a.finish(strategyUsage)
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
	case i.Kind == Preempt && !ids[i.To]:
		return fmt.Sprintf("no operation has the id %d", i.To)
	case i.Kind == Preempt && i.To == i.At.Op:
		return "an operation cannot be preempted by itself"
	case i.Kind == Fault && !slices.Contains(Faults, i.Fault):
		return "known faults: " + strings.Join(Faults, ", ")
	}
	return ""
}

// invalid says what is wrong with a strategy; "" if nothing is.
func (s Strategy) invalid() string {
	switch {
	case s.Kind >= strategyEnd:
		return "unknown strategy"
	case s.Seed > maxNth:
		return fmt.Sprintf("strategy: seed %d: at most %d", s.Seed, maxNth)
	case s.Kind == PCT && (s.Depth < 1 || s.Depth > maxDepth || s.Steps < 1 || s.Steps > maxSteps):
		return fmt.Sprintf("strategy pct: depth must be between 1 and %d, steps between 1 and %d", maxDepth, maxSteps)
	case s.Kind != PCT && (s.Depth != 0 || s.Steps != 0), s.Kind == RunToBlock && s.Seed != 0:
		return fmt.Sprintf("strategy %s: has no such fields", s.Kind)
	}
	return ""
}
