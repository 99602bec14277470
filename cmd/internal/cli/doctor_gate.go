package cli

import (
	"fmt"
	"io"
)

// gateJSON is what the gate sees of a service, and what it cannot.
type gateJSON struct {
	Points bool        `json:"points"`            // workers of the reference service can be built with points in their code
	Reason string      `json:"reason,omitempty"`  // why not
	WayOut string      `json:"way_out,omitempty"` // what to do about it
	Sees   []string    `json:"sees"`
	Unseen []limitJSON `json:"unseen"`
}

// limitJSON is something that the gate cannot see.
type limitJSON struct {
	What  string `json:"what"`
	Comes string `json:"comes"` // what comes of it
}

// gateOf tells what the gate sees here; missing is why there are no sources to put points into.
func gateOf(missing error) gateJSON {
	g := gateJSON{Points: missing == nil, Sees: seen, Unseen: unseen}
	if missing != nil {
		g.Reason = firstLine(missing.Error())
		g.WayOut = "run tenantstorm in its source tree; for points in a service of your own, build its worker with --worker DIR --instrument ./..."
	}
	return g
}

// seen and unseen are for services in any binary: where there are points in its code, they say so.
var (
	seen = []string{
		"every message between the service and PostgreSQL, and whose it is",
		"where a pool gives and takes back a connection, where the pool was configured with the gate's tracer",
		"who waits for whose lock in PostgreSQL, and that nothing can go on any more",
		"in packages that were built with points: locks, channels, atomics, go statements",
	}
	unseen = []limitJSON{
		{"steps of the service between two points", "they happen together; without points in the code that is all between two messages, and data races are for --race"},
		{"packages without points, third parties' included", "their locks and channels are never where an operation is stopped"},
		{"goroutines that no operation started", "they are waited for, and never stopped"},
		{"locks inside PostgreSQL that pg_blocking_pids does not know (LWLocks)", "who waits for one counts as at work"},
		{"timers", "what sleeps or ticks is waited for when nothing else is left to do, up to an operation's deadline"},
		{"TLS", "the gate refuses it in the server's name: connect with sslmode=disable or prefer"},
		{"connections that are dialled past the gate", "they are noticed, and nothing is then said of the case"},
		{"the order of maps, and select among several ready cases", "a case that does not do the same twice is reported as not deterministic"},
		{"a service in another process (harness.Env.DSNForProcess)", "its messages are scheduled; it counts as at rest when it is silent, and the verdict says settled instead of gated"},
		{"signals between backends (pg_terminate_backend of one that is idle)", "a statement that is sent right after one may still be executed, or not"},
	}
)

func printGate(w io.Writer, g gateJSON) {
	word := "yes"
	if !g.Points {
		word = "no"
	}
	fmt.Fprintf(w, "\npoints in the code\t%s\tsources of the reference service to build it with\n", word)
	if g.Reason != "" {
		fmt.Fprintf(w, "\t\t%s\n\t\t→ %s\n", g.Reason, g.WayOut)
	}
	// No cells: the longest of these would move the columns above.
	fmt.Fprint(w, "\nThe gate sees\n")
	for _, s := range g.Sees {
		fmt.Fprintf(w, "  %s\n", s)
	}
	fmt.Fprint(w, "\nThe gate cannot see\n")
	for _, l := range g.Unseen {
		fmt.Fprintf(w, "  %s:\n    %s\n", l.What, l.Comes)
	}
}
