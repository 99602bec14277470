package gate

import (
	"fmt"

	"github.com/tenantstorm/tenantstorm/model"
)

// replay makes the deviations that a schedule lists, each once, in the order of the list where several
// stand at one point, and leaves everything else to another strategy.
type replay struct {
	rest    Strategy
	planned []model.Intervention
	missed  []string
}

func newReplay(schedule []model.Intervention, rest Strategy) *replay {
	r := &replay{rest: rest}
	for _, in := range schedule {
		if in.Kind == model.Preempt {
			r.planned = append(r.planned, in)
		}
	}
	return r
}

// Begin passes on.
func (r *replay) Begin(sessions int) { r.rest.Begin(sessions) }

// Next looks whether the schedule has something to say about the thread that would go on by default.
func (r *replay) Next(c Choice) int {
	at := c.Ready[c.Default].At
	for i, in := range r.planned {
		if in.At != at {
			continue
		}
		r.planned = append(r.planned[:i:i], r.planned[i+1:]...)
		for j, t := range c.Ready {
			if t.At.Op == in.To {
				return j
			}
		}
		r.missed = append(r.missed, fmt.Sprintf("%s: #%d cannot go on there: it is over, blocked, or not to begin yet", in, in.To))
		break
	}
	return r.rest.Next(c)
}

// End returns the interventions that never happened.
func (r *replay) End() []string {
	for _, in := range r.planned {
		r.missed = append(r.missed, fmt.Sprintf("%s: #%d never came to that point while it was its turn", in, in.At.Op))
	}
	r.planned = nil
	return append(r.missed, r.rest.End()...)
}
