package shrink

import (
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

const (
	cancelsBudget = 200 // executions of one turn of passCancels
	mostCancelled = 5   // operations of the longest program of which it is tried
)

// passCancels looks for a smaller program in which the same kind of harm is done somewhere else: without one
// operation, or with the race in place of the setup, an operation comes to other points, and to the old ones at
// another time. With each of these programs every place is tried at which harm can be done to an operation, and
// then, where the schedule has a preemption, every place with every one preemption before it.
func passCancels(s *shrinker) {
	p := s.current
	harm, preemptions := harmOf(p)
	if p.Mode != model.Gated || !s.last.Gated || strategies(p) > 0 || p.Len() > mostCancelled || harm == "" || preemptions > 1 {
		return
	}
	search := &scheduleSearch{shrinker: s, until: s.executions + cancelsBudget}
	neighbours := unscheduled(fewer(p))
	for _, q := range neighbours {
		if search.harmed(q, node{at: -1}, harm) {
			return
		}
	}
	for range preemptions {
		for _, q := range neighbours {
			for _, n := range search.children(q, node{at: -1}) {
				if search.harmed(q, n, harm) {
					return
				}
			}
		}
	}
}

// harmOf returns the fault of a schedule that has one, and the number of its preemptions; "" for no or several.
func harmOf(p model.Program) (fault string, preemptions int) {
	faults := 0
	for _, in := range p.Schedule {
		if in.Kind == model.Preempt {
			preemptions++
			continue
		}
		faults++
		fault = in.Fault
	}
	if faults != 1 {
		return "", preemptions
	}
	return fault, preemptions
}

// unscheduled returns the programs without schedules, each once.
func unscheduled(programs []model.Program) []model.Program {
	var out []model.Program
	seen := map[string]bool{}
	for _, p := range programs {
		p = withSchedule(p, nil)
		if text := p.String(); len(p.Race) > 0 && !seen[text] {
			seen[text] = true
			out = append(out, p)
		}
	}
	return out
}

// harmed tries p under n's schedule with harm done to each operation at each message, acquire and connect that comes
// later than n's last intervention.
func (s *scheduleSearch) harmed(p model.Program, n node, fault string) bool {
	points := s.pointsOf(withInterventions(p, n))
	for i := n.at + 1; i < len(points); i++ {
		if k := points[i].Kind; k != model.AtMessage && k != model.AtAcquire && k != model.AtConnect {
			continue
		}
		if s.executions >= s.until {
			return false
		}
		in := model.Intervention{Kind: model.Fault, At: points[i], Fault: fault}
		if s.try(withInterventions(p, node{append(slices.Clone(n.interventions), in), i})) {
			return true
		}
	}
	return false
}
