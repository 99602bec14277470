package gate

import (
	"fmt"
	"slices"

	"github.com/tenantstorm/tenantstorm/model"
)

// replay does what a schedule lists, each once, in the order of the list where several stand at one point,
// and leaves everything else to another strategy.
type replay struct {
	rest    Strategy
	planned []model.Intervention // what has not happened yet
	missed  []string
}

func newReplay(schedule []model.Intervention, rest Strategy) *replay {
	if rest == nil {
		rest = runToBlock{}
	}
	return &replay{rest: rest, planned: slices.Clone(schedule)}
}

// Begin passes on.
func (r *replay) Begin(sessions int) { r.rest.Begin(sessions) }

// Next looks whether the schedule has something to say about the thread that would go on by default.
func (r *replay) Next(c Choice) int {
	at := c.Ready[c.Default].At
	in, ok := r.take(at, model.Preempt)
	if !ok {
		return r.rest.Next(c)
	}
	for j, t := range c.Ready {
		if t.At.Op == in.To {
			return j
		}
	}
	r.missed = append(r.missed, fmt.Sprintf("%s: #%d cannot go on there: it is over, blocked, or not to begin yet", in, in.To))
	return r.rest.Next(c)
}

// anchored reports whether something is planned at a point.
func (r *replay) anchored(at model.Point) bool { return r.first(at) >= 0 }

// stop asks the other strategy whether it wants to choose at a point in the code.
func (r *replay) stop(at model.Point, set model.Points) bool {
	s, ok := r.rest.(Stopper)
	return ok && s.Stop(at, set)
}

// fault returns the fault that is to be done at the point of the thread that was chosen.
func (r *replay) fault(at model.Point) (model.Intervention, bool) { return r.take(at, model.Fault) }

// take takes the first intervention at a point out of the list, if it is of this kind.
func (r *replay) take(at model.Point, kind model.InterventionKind) (model.Intervention, bool) {
	i := r.first(at)
	if i < 0 || r.planned[i].Kind != kind {
		return model.Intervention{}, false
	}
	in := r.planned[i]
	r.planned = slices.Delete(r.planned, i, i+1)
	return in, true
}

// first returns the place in the list of what is to happen next at a point; -1 if there is nothing.
func (r *replay) first(at model.Point) int {
	return slices.IndexFunc(r.planned, func(in model.Intervention) bool { return in.At == at })
}

// End returns the interventions that never happened.
func (r *replay) End() []string {
	for _, in := range r.planned {
		text := fmt.Sprintf("%s: #%d never came to that point", in, in.At.Op)
		if in.Kind == model.Preempt {
			text += " while it was its turn"
		}
		r.missed = append(r.missed, text)
	}
	r.planned = nil
	return append(r.missed, r.rest.End()...)
}
