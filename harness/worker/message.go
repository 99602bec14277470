package worker

import (
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Protocol is the version of the protocol. It changes with every change of a message's meaning; parent
// and worker must have the same. Hello and Ready keep their Protocol fields in every version.
const Protocol = 1

// Hello is the parent's first message.
type Hello struct {
	Protocol int    `json:"protocol"`
	DSN      string `json:"dsn"`    // of the server's maintenance database
	Prefix   string `json:"prefix"` // begins the name of every database of this worker
	Log      bool   `json:"log"`    // whether reports carry the service's log
}

// Ready is the worker's answer to Hello.
type Ready struct {
	Protocol   int    `json:"protocol"`
	Target     string `json:"target"`      // the name of the service
	GoVersion  string `json:"go_version"`  // of the worker binary
	PgxVersion string `json:"pgx_version"` // that it was linked with; empty where the binary does not say
	Pid        int    `json:"pid"`
}

// Case is one execution of a program.
type Case struct {
	ID      int    `json:"id"`      // the caller's own number
	Program string `json:"program"` // as text
	Fresh   bool   `json:"fresh"`   // provision for real instead of recycling databases
	Quick   bool   `json:"quick"`   // a candidate of a shrink: wait less for what may still end by itself

	// Timeout is for how long a worker that has a case may say nothing before it counts as hung. It is
	// the last resort behind the program's own deadline, so it must be well above harness.Patience times
	// that. Zero: so much, for the longest operation, and a minute.
	Timeout time.Duration `json:"-"`
}

// watchdogSlack is what a case gets on top of what an operation may take where nothing else is said: time
// for databases to be made and for the service to be closed, on a slow machine.
const watchdogSlack = time.Minute

func (c Case) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	// Text that does not parse is the worker's to refuse; it gives the zero program's deadline here.
	p, _ := model.Parse(c.Program)
	return harness.Patience*max(p.OpDeadline(), harness.CloseDeadline) + watchdogSlack
}

// Report is what a worker says of a case.
type Report struct {
	ID      int             `json:"id"` // the case's
	Verdict check.Verdict   `json:"verdict"`
	History history.History `json:"history"`
	// Tainted: something is stuck in the worker, which must not be given another case.
	Tainted bool `json:"tainted,omitempty"`
	// Broken, where it is not empty, is why the harness could not run the case. There is no verdict then.
	Broken string `json:"broken,omitempty"`
	// Log is what the service logged, a line an element; the last ones where there were many.
	Log []string `json:"log,omitempty"`
}

// taken says that the worker has begun a case: whatever ends the worker from here on is the case's.
type taken struct {
	ID int `json:"id"`
}

// begin says that an operation is about to be sent to the service.
type begin struct {
	ID    int           `json:"id"` // the case's
	Op    model.Op      `json:"op"`
	Audit bool          `json:"audit,omitempty"`
	Start time.Duration `json:"start"`
}

// deviated says that the schedule deviated from the default: a report that never comes will not say it.
type deviated struct {
	ID int                `json:"id"` // the case's
	By model.Intervention `json:"by"`
}

// message is what a frame holds: exactly one of these.
type message struct {
	Hello    *Hello    `json:"hello,omitempty"`
	Ready    *Ready    `json:"ready,omitempty"`
	Case     *Case     `json:"case,omitempty"`
	Taken    *taken    `json:"taken,omitempty"`
	Begin    *begin    `json:"begin,omitempty"`
	Deviated *deviated `json:"deviated,omitempty"`
	Report   *Report   `json:"report,omitempty"`
}

func (m message) parts() int {
	n := 0
	for _, is := range []bool{m.Hello != nil, m.Ready != nil, m.Case != nil, m.Taken != nil, m.Begin != nil, m.Deviated != nil, m.Report != nil} {
		if is {
			n++
		}
	}
	return n
}
