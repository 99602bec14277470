package check

import (
	"fmt"
	"math"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// LatencyFamily is judged where something can be said of it: of gated cases by their round trips, of free
// ones by the time that searches take, over all of a run. It is therefore not among Families.
const LatencyFamily = "latency"

// disturbedFactor is how often an operation may begin anew: what was cancelled or dropped closes
// connections under others, and leaves remains that somebody has to remove.
const disturbedFactor = 2

// checkRoundTrips judges what each operation exchanged with PostgreSQL, where that was counted. Unlike time
// it is the same on any machine. A violation comes after all others of the case: a service that is merely
// slow must not hide that it is wrong.
func checkRoundTrips(p model.Program, h history.History, b *board) {
	if h.RoundTrips == nil {
		return // how many are too many is for the service to say
	}
	quiet := undisturbed(p, h)
	for _, e := range h.Entries {
		bound, bounded := roundTrips(*h.RoundTrips, e)
		if !bounded {
			continue
		}
		b.looked(LatencyFamily, 1)
		if e.End > quiet {
			bound *= disturbedFactor
		}
		if e.Traffic.Messages <= bound {
			continue
		}
		b.violate(Violation{
			Invariant: LatencyFamily, Kind: "round-trips", Verb: verbOf(e), Op: opID(e), Position: position(h, -1),
			Sentence: fmt.Sprintf("%s: expected at most %d round trips to PostgreSQL; got %d", name(e), bound, e.Traffic.Messages),
			Evidence: []string{fmt.Sprintf("%d round trips, %d connections opened, %d rows received",
				e.Traffic.Messages, e.Traffic.Connects, e.Traffic.Rows)},
		})
	}
}

// roundTrips returns the bound for an entry's operation. There is none where nobody counted, for what did
// not end, and for a restart, which closes one service and opens another.
func roundTrips(t history.RoundTrips, e history.Entry) (bound int, bounded bool) {
	if e.Traffic == nil || e.Audit {
		return 0, false
	}
	switch e.Response.Status {
	case model.StatusOK, model.StatusError, model.StatusUnknown:
	default:
		return 0, false
	}
	switch e.Op.Kind {
	case model.KindRestart, model.KindCancel:
		return 0, false
	case model.KindIndex:
		return t.Index + t.Connect*e.Traffic.Connects + (e.Op.Files+t.Files-1)/max(t.Files, 1), true
	}
	return t.Any + t.Connect*e.Traffic.Connects, true
}

// undisturbed returns until when nothing was cancelled or dropped. What ends later may have been disturbed.
func undisturbed(p model.Program, h history.History) time.Duration {
	faulted := map[int]bool{}
	for _, in := range p.Schedule {
		if in.Kind == model.Fault {
			faulted[in.At.Op] = true
		}
	}
	until := time.Duration(math.MaxInt64)
	for _, e := range h.Entries {
		disturbs := e.Op.Kind == model.KindDrop || e.Op.Kind == model.KindCancel ||
			e.Response.Status == model.StatusUnknown || faulted[e.Op.ID]
		if disturbs && !e.Audit {
			until = min(until, e.Start)
		}
	}
	return until
}
