package audit

import (
	"context"
	"runtime"
	"strings"

	"go.uber.org/goleak"
)

// Goroutines are those that were there before a service was opened.
type Goroutines struct {
	count   int
	options []goleak.Option
}

// Baseline notes the goroutines that are there now.
func Baseline() *Goroutines {
	return &Goroutines{count: runtime.NumGoroutine(), options: []goleak.Option{goleak.IgnoreCurrent()}}
}

// Listener lets one goroutine more be there: the one in which the gate listens for a service in another process, until
// the case is over. On nil it does nothing.
func (g *Goroutines) Listener() {
	if g != nil {
		g.count++
		g.options = append(g.options, goleak.IgnoreAnyFunction(accepting))
	}
}

// accepting is the function in which a listener of pgwire waits.
const accepting = "github.com/tenantstorm/tenantstorm/harness/pgwire.(*Listener).accept"

// goroutines looks for goroutines that a closed service left running. goleak waits for those that are
// about to end.
func (a *auditor) goroutines(ctx context.Context, base *Goroutines) {
	if base == nil {
		return
	}
	a.rest.Looked = append(a.rest.Looked, "goroutines")
	gone, _ := a.until(ctx, func() (bool, error) { return runtime.NumGoroutine() <= base.count, nil })
	if gone {
		return
	}
	if err := goleak.Find(base.options...); err != nil {
		extra := max(1, strings.Count(err.Error(), "Goroutine "))
		a.leak("goroutines", 0, extra, err.Error())
	}
}
