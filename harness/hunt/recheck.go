package hunt

import (
	"context"
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// sources are what usually makes two executions of one schedule differ.
const sources = "likely sources: the order of a map, the time of day, randomness, something outside of the gate"

// recheck executes a gated case again, on backends and databases made anew. It must do the same, step by
// step: a schedule that can do this or that replays by luck.
func (h *hunt) recheck(ctx context.Context, number int, p model.Program, first worker.Outcome) {
	if p.Mode != model.Gated || first.Died != nil || len(first.History.Steps) == 0 || len(first.History.Outside) > 0 {
		return // what went past the gate may differ as it likes
	}
	again, err := h.o.Runner.Do(ctx, worker.Case{ID: number, Program: p.String(), Fresh: true})
	if err != nil || again.Died != nil {
		return // if it is the environment, the search notices; a death is a matter of confirmation
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sum.Rechecked++
	if where := Differ(first.History.Steps, again.History.Steps); where != "" {
		h.sum.Differing = append(h.sum.Differing, fmt.Sprintf("case %d %s; %s", number, where, sources))
		return
	}
	if a, b := shown(first.Verdict), shown(again.Verdict); a != b {
		h.sum.Differing = append(h.sum.Differing, fmt.Sprintf("case %d %s, and the second time %s; %s", number, a, b, sources))
	}
}

// shown tells what a case came to.
func shown(v check.Verdict) string {
	if first := v.First(); first != nil {
		return "showed " + first.Fingerprint()
	}
	return "passed"
}

// Differ tells where two executions of one schedule differ first; "" where they do not.
func Differ(a, b []history.Step) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("differs at step %d: it was over, and now there is %s", i+1, b[i])
		case i >= len(b):
			return fmt.Sprintf("differs at step %d: there was %s, and now it is over", i+1, a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("differs at step %d: first %s, then %s", i+1, a[i], b[i])
		}
	}
	return ""
}
