package worker

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// The kinds of death.
const (
	Panicked = "panic"     // Go's runtime ended the process: a panic, a fatal error
	Exited   = "exit"      // the service ended the process
	Killed   = "killed"    // something outside did, or the machine gave out: unknown, never a finding
	Hung     = "hang"      // nothing came any more, and the parent ended it
	Raced    = "data-race" // the race detector ended the process
)

// Death is how a worker did not survive a case.
type Death struct {
	Case int    `json:"case"` // its ID
	Kind string `json:"kind"` // Panicked, Exited, Killed or Hung
	// Idle: the worker died before it took the case up, so the case is not to blame.
	Idle     bool          `json:"idle,omitempty"`
	ExitCode int           `json:"exit_code"`        // -1 where a signal ended the process
	Signal   string        `json:"signal,omitempty"` // that ended it
	Silence  time.Duration `json:"silence,omitempty"`

	// The operation that began last. In a race it need not be the one to blame. Verb is "open" where
	// none had begun.
	Op    int    `json:"op"` // 0: one of the audit's, or none
	Verb  string `json:"verb"`
	Audit bool   `json:"audit,omitempty"`

	// History holds the operations that had begun. Their responses died with the worker, so all are
	// unknown.
	History history.History `json:"history"`

	Crash  string `json:"crash,omitempty"`  // Go's own words: what it was and the stacks
	Stderr string `json:"stderr,omitempty"` // the end of it
	Stdout string `json:"stdout,omitempty"`
	// Stacks are where everything stood in a hang. Go may leave out the stack of a goroutine that
	// was running, as in an endless loop.
	Stacks string `json:"stacks,omitempty"`
}

const (
	beforeAny = "open" // stands for the verb where no operation had begun
	anyVerb   = "any"  // and where any may be to blame
)

// raceExit is the exit code of a process that the race detector ends.
const raceExit = 66

// began notes an operation. Its response is unknown from then on.
func (d *Death) began(b *begin) {
	d.Op, d.Verb, d.Audit = b.Op.ID, b.Op.Kind.String(), b.Audit
	if b.Audit {
		d.Op = 0
	}
	d.History.Entries = append(d.History.Entries, history.Entry{
		Op: b.Op, Audit: b.Audit, Start: b.Start, End: b.Start,
		Response: model.Response{Status: model.StatusUnknown, Text: "the worker did not survive"},
	})
}

// classify fills in how the process ended, by its own doing or another's.
func (d *Death) classify(state *os.ProcessState, crash string) {
	d.Crash, d.ExitCode = crash, state.ExitCode()
	aborted := false
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		d.Signal, aborted = ws.Signal().String(), ws.Signal() == syscall.SIGABRT
	}
	// GOTRACEBACK=crash ends with SIGABRT what otherwise ends with code 2.
	runtimeEnded := d.ExitCode == 2 || aborted
	switch {
	case runtimeEnded && exhausted(crash):
		d.Kind = Killed
	case runtimeEnded && (strings.HasPrefix(crash, markPanic) || strings.HasPrefix(crash, markFatal)):
		d.Kind = Panicked
	case runtimeEnded && (strings.HasPrefix(crash, markQuit) || strings.HasPrefix(crash, markAbort)):
		// Sent from outside, or by C code: it cannot be told.
		d.Kind = Killed
		if d.Signal == "" {
			_, d.Signal, _ = strings.Cut(firstLine(crash), ": ")
		}
	case d.Signal != "":
		d.Kind = Killed
	case d.ExitCode == raceExit && strings.HasPrefix(crash, markRace):
		// The operations that raced are in the stacks; the one that began last need not be among them.
		d.Kind, d.Verb = Raced, anyVerb
	default:
		d.Kind = Exited
	}
}

// exhausted reports whether Go's runtime gave up because the machine refused it memory or threads.
// Whether the service or the machine is to blame cannot be told.
func exhausted(crash string) bool {
	what, ok := strings.CutPrefix(firstLine(crash), markFatal)
	if !ok {
		return false
	}
	for _, s := range []string{"out of memory", "cannot allocate memory", "newosproc", "failed to reserve page summary memory"} {
		if strings.Contains(what, s) {
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// how says how the worker ended, for people.
func (d *Death) how() string {
	switch {
	case d.Kind == Raced:
		return "the race detector ended the process: " + raceOf(d.Crash)
	case d.Kind == Panicked:
		return "the service ended the process: " + firstLine(d.Crash)
	case d.Kind == Exited:
		return fmt.Sprintf("the service ended the process with exit code %d", d.ExitCode)
	case d.Kind == Hung:
		return fmt.Sprintf("nothing came from the worker for %v", d.Silence)
	case d.Crash != "" && exhausted(d.Crash):
		return "the worker could not go on: " + firstLine(d.Crash)
	}
	return fmt.Sprintf("something outside ended the worker (%s)", d.Signal)
}

// raceOf says what raced, from the race detector's report: what was done, and where.
func raceOf(report string) string {
	var found []string
	lines := strings.Split(report, "\n")
	for i, line := range lines {
		what, _, access := strings.Cut(line, " at 0x")
		if access && i+1 < len(lines) {
			found = append(found, strings.ToLower(strings.TrimSpace(what))+" in "+strings.TrimSuffix(strings.TrimSpace(lines[i+1]), "()"))
		}
	}
	return strings.Join(found, ", ")
}

func (d *Death) String() string { return d.where() + ": " + d.how() }

// where says what went on, for people.
func (d *Death) where() string {
	switch n := len(d.History.Entries); {
	case d.Idle:
		return "between cases"
	case n == 0:
		return "before the first operation"
	case d.Audit:
		o := d.History.Entries[n-1].Op.String()
		return "at the end, " + strings.TrimPrefix(o, "#0 s0 ")
	default:
		return d.History.Entries[n-1].Op.String()
	}
}

// JudgeDeath judges a case whose worker did not survive it. A panic, an exit and a hang are violations.
// A worker that was killed from outside, or died before it took the case up, or hung before the first
// operation began, while databases were made, leaves the case inconclusive.
func JudgeDeath(d *Death) check.Verdict {
	v := check.Verdict{Status: check.Inconclusive}
	family := ""
	switch {
	case d.Idle:
	case d.Kind == Panicked, d.Kind == Exited, d.Kind == Raced:
		family = "panic"
	case d.Kind == Hung && len(d.History.Entries) > 0:
		family = "progress"
	}
	for _, f := range check.Families {
		r := check.Result{Invariant: f, Status: check.Inconclusive, Note: "the worker did not survive the case: " + d.how()}
		if f == family {
			r.Status, r.Checked = check.Fail, 1
			r.Violations = []check.Violation{{
				Invariant: family, Kind: d.Kind, Verb: d.Verb, Op: d.Op, Position: max(0, len(d.History.Entries)-1),
				Sentence: d.String(), Evidence: d.evidence(),
			}}
			v.Status = check.Fail
		}
		v.Results = append(v.Results, r)
	}
	return v
}

// maxEvidence is how many lines of output become evidence; the rest stays in the Death.
const maxEvidence = 200

// evidence is the most telling output there is: the beginning of stacks, or the end of what was printed.
func (d *Death) evidence() []string {
	for _, s := range []string{d.Crash, d.Stacks} {
		if s != "" {
			ls := strings.Split(strings.TrimSpace(s), "\n")
			return ls[:min(len(ls), maxEvidence)]
		}
	}
	if s := strings.TrimSpace(d.Stderr); s != "" {
		ls := strings.Split(s, "\n")
		return ls[max(0, len(ls)-maxEvidence):]
	}
	return nil
}
