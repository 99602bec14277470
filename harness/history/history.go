// Package history records what happened in a case: each operation's invocation and response, on one
// monotonic clock, in the order of their beginnings.
package history

import (
	"time"

	"github.com/tenantstorm/tenantstorm/model"
)

// Entry is one operation and what came of it.
type Entry struct {
	Op       model.Op       `json:"op"`
	Audit    bool           `json:"audit,omitempty"` // asked by the audit after the program, not by it
	Start    time.Duration  `json:"start"`           // since the case began
	End      time.Duration  `json:"end"`             // equal to Start while there is no response
	Response model.Response `json:"response"`
	// Traffic is what the operation exchanged with PostgreSQL; nil where nothing stood between to count it.
	Traffic *Traffic `json:"traffic,omitempty"`
}

// Traffic counts what an operation, and what the service started on its behalf, exchanged with PostgreSQL.
type Traffic struct {
	Connects int `json:"connects"` // connections opened
	Messages int `json:"messages"` // batches of messages sent after startup, each a round trip
	Rows     int `json:"rows"`     // rows received
}

// RoundTrips bounds the round trips of an operation that nothing disturbs, as a service's target states
// them. What the service does once for each operation, or each connection, has room in the constants; what
// it does for each file has not.
type RoundTrips struct {
	Any     int `json:"any"`     // of an operation that stores nothing
	Index   int `json:"index"`   // of an index, and one more for each Files files
	Files   int `json:"files"`   // files that an index stores in one round trip, ≥ 1
	Connect int `json:"connect"` // more for each connection opened: to prepare it and its statements
}

// Step is one choice of the gate: whose turn it was, and what then happened.
type Step struct {
	Point model.Point `json:"point"`
	Label string      `json:"label,omitempty"` // the statement, shortened; the same in every execution
}

func (s Step) String() string {
	if s.Label == "" {
		return s.Point.String()
	}
	return s.Point.String() + ": " + s.Label
}

// Leak is something that is still there at rest and should not be.
type Leak struct {
	What   string `json:"what"`   // a kind: backends, goroutines, draining, in-use, …
	Want   int    `json:"want"`   // how many may be there
	Got    int    `json:"got"`    // how many are
	Detail string `json:"detail"` // for people: which ones; may differ from run to run
}

// History is one execution of a program.
type History struct {
	Entries []Entry `json:"entries"`
	// Rest is what the audit found at rest; nil when it was not looked at.
	Rest *Rest `json:"rest,omitempty"`
	// Stacks are the goroutines at the moment of a hang or a leak, for people.
	Stacks string `json:"stacks,omitempty"`
	// RoundTrips are the target's bounds; nil where it states none.
	RoundTrips *RoundTrips `json:"round_trips,omitempty"`
	// Steps are the gate's choices in their order; none where the program was not gated.
	Steps []Step `json:"steps,omitempty"`
	// Waits are the operations that could not go on for some of the steps.
	Waits []Wait `json:"waits,omitempty"`
	// Realised are the deviations from the default schedule that happened: a schedule which replays them.
	Realised []model.Intervention `json:"realised,omitempty"`
	// Diverged are the interventions of the program's schedule that could not happen, and why.
	Diverged []string `json:"diverged,omitempty"`
	// Unanswered are operations, 0 being the background, that left a statement behind which waits for a lock
	// that nothing is left to release, though every operation has ended.
	Unanswered []int `json:"unanswered,omitempty"`
	// Restless tells what goes on and on though every operation has ended; whether it ends is not known.
	Restless string `json:"restless,omitempty"`
	// Broken tells why connections broke that neither side had closed, and whose they were. It explains, and
	// proves nothing: PostgreSQL may have ended them as well as the service.
	Broken []string `json:"broken,omitempty"`
	// Settled tells that the service, or a part of it, ran in another process: where its operations were stopped is known
	// by its messages and its silence only, and another execution may differ.
	Settled bool `json:"settled,omitempty"`
	// Outside are connections of the service that the gate did not see: nothing can be said of the case.
	Outside []string `json:"outside,omitempty"`
	// Capabilities are what the target can do beyond index, search and switch.
	Capabilities []string `json:"capabilities,omitempty"`
}

// Rest is the service's state after a case, when nothing moves any more.
type Rest struct {
	Leaks      []Leak   `json:"leaks,omitempty"`
	Looked     []string `json:"looked"` // the kinds of leak that were looked for
	CloseHung  bool     `json:"close_hung,omitempty"`
	CloseError string   `json:"close_error,omitempty"`
}

// Left reports whether the service left something behind that outlives it.
func (r *Rest) Left() bool {
	return r != nil && (len(r.Leaks) > 0 || r.CloseHung || r.CloseError != "")
}
