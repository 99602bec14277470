// Package hunt is the parent's loop: it draws programs, has workers run them, and turns what fails
// into findings: confirmed, shrunk, written down.
package hunt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// Runner runs cases; worker.Fleet is one. An error is the environment's, never the service's.
type Runner interface {
	Do(ctx context.Context, c worker.Case) (worker.Outcome, error)
}

// Options of a hunt.
type Options struct {
	Runner Runner
	// Parallel is how many cases run at once, ≥ 1.
	Parallel int
	// Seed decides every program: case number i of a seed is the same for any Parallel.
	Seed   uint64
	Bounds model.Bounds
	// Transform, where it is not nil, makes of each drawn program the one that is executed. It must do the
	// same each time.
	Transform func(model.Program) model.Program
	// Budget is how long to search; 0: until MaxCases. Shrinking has its own.
	Budget time.Duration
	// MaxCases ends the search after so many cases; 0: no such end.
	MaxCases int
	// MaxFindings ends the search after so many findings; 0: no such end. Smaller ones with another
	// fingerprint, met while one of them was shrunk, come on top.
	MaxFindings int
	// ShrinkBudget and ShrinkExecutions bound the shrinking of one finding; 0: no bound.
	ShrinkBudget     time.Duration
	ShrinkExecutions int
	// Recheck is how often a gated case is executed a second time, on backends and databases made anew, to
	// see that it does the same again: every Recheck-th case; 0: never.
	Recheck int
	// Loose says that gated cases need not do the same twice, as where the workers were built with the race
	// detector, under which Go schedules goroutines at random: candidates and confirmations are tried as often as
	// those that run free, and nothing is rechecked.
	Loose bool
	// LatencyBound is what 95 of 100 searches must answer within, in free mode; 0: check.LatencyBound.
	LatencyBound time.Duration
	// Accept are fingerprints of known findings, which are not reported.
	Accept []string
	// Out is the directory that repros are written to; "": none are written.
	Out string
	// Meta is kept in every repro; the hunt adds seed and case.
	Meta repro.Meta
	// Progress, where it is not nil, is told of what happens, from one goroutine at a time.
	Progress func(Progress)
}

// Progress is what a hunt has done so far.
type Progress struct {
	Elapsed    time.Duration
	Executions int
	Operations int
	Findings   int
	Shrinking  string // fingerprint that is being shrunk; "" none
	Candidates int    // executions spent on it
	Found      *Finding
}

// Finding is a fingerprint with its smallest program.
type Finding struct {
	Fingerprint   string
	Violation     check.Violation
	Program       model.Program // the smallest found
	Case          int           // number of the case that first showed it
	Executions    int           // cases run when it was found
	FoundAfter    time.Duration
	Shrink        int // executions spent on shrinking
	ShrinkTook    time.Duration
	Minimal       bool // the shrinker came to an end within its budget
	Reproduced    int  // of Trials, on databases made anew
	Trials        int
	Repro         string          // path of the repro's folder; "" when none was written
	History       history.History // how the smallest program went when it last showed it
	Operations    int
	Interventions int

	// Aside: met while the finding of Case was shrunk, whose own program does not show it first.
	Aside bool

	aside *Finding // the smallest program with another fingerprint that shrinking met
	shown shownBy  // while it is shrunk
}

// Scheduling says how the finding's operations were scheduled: its mode, or settled, where the service ran in another
// process, of which the gate sees the messages only.
func (f Finding) Scheduling() string {
	return scheduling(f.Program, f.History.Settled)
}

func scheduling(p model.Program, settled bool) string {
	if settled {
		return repro.Settled
	}
	return p.Mode.String()
}

// Summary is the outcome of a hunt.
type Summary struct {
	Verdict     check.Status
	Executions  int
	Operations  int
	Elapsed     time.Duration
	Findings    []Finding // the smallest first
	Invariants  []Invariant
	Unknown     int      // cases that say nothing: the worker was killed from outside, or the service dialled past the gate
	LastUnknown string   // why nothing can be said of the last case past the gate
	Unconfirmed []string // fingerprints that did not show again on fresh databases
	Rechecked   int      // gated cases that were executed twice
	Differing   []string // those that did not do the same again, and from where on
	Accepted    int      // cases that showed an accepted fingerprint
	Interrupted bool
	// EnvironmentErrors are cases that could not be run, though they count as drawn; LastEnvironmentError
	// is why the last of them could not.
	EnvironmentErrors    int
	LastEnvironmentError string
}

// Invariant is one family's row in the summary.
type Invariant struct {
	Name    string
	Checked int
	Status  check.Status
	Note    string
}

// confirmations is how often a finding must show again, on databases made anew, before it is reported.
const confirmations = 3

// environmentErrors in a row end a hunt: the server is gone, the disk is full.
const environmentErrors = 3

// Run hunts until its budget is spent or ctx ends, and then reports what is known.
func Run(ctx context.Context, o Options) (Summary, error) {
	if o.Parallel < 1 {
		o.Parallel = 1
	}
	if o.Budget == 0 && o.MaxCases == 0 && o.MaxFindings == 0 {
		return Summary{}, errors.New("hunt: neither a budget nor a number of cases is given")
	}
	h := newHunt(o)
	for _, a := range o.Accept {
		h.seen[a] = true
	}
	search, stop := context.WithCancel(ctx)
	defer stop()
	if o.Budget > 0 {
		var end context.CancelFunc
		search, end = context.WithTimeout(search, o.Budget)
		defer end()
	}
	h.stop = stop
	var wg sync.WaitGroup
	for range o.Parallel {
		wg.Go(func() { h.search(ctx, search) })
	}
	wg.Wait()
	h.strays()
	return h.summary(ctx), h.err
}

// strays notes workers that died between two cases. The case before is the likely cause, but it passed,
// so nothing can be claimed of it; nor may it be passed over.
func (h *hunt) strays() {
	fleet, ok := h.o.Runner.(interface{ Strays() []worker.Stray })
	if !ok {
		return
	}
	for _, s := range fleet.Strays() {
		h.sum.Unconfirmed = append(h.sum.Unconfirmed, fmt.Sprintf("a worker died (%s) after case %d was over", s.Death.Kind, s.Case))
	}
}

type hunt struct {
	o     Options
	began time.Time
	stop  context.CancelFunc

	shrinking sync.Mutex // one finding at a time, so that progress reads as a story

	mu       sync.Mutex
	next     int
	seen     map[string]bool // fingerprints that are known, under way, or accepted
	rows     map[string]*Invariant
	latency  *check.Latency
	sum      Summary
	failures int // environment errors in a row
	err      error
}

func newHunt(o Options) *hunt {
	return &hunt{o: o, began: time.Now(), seen: map[string]bool{}, rows: map[string]*Invariant{}, latency: check.NewLatency()}
}

// search runs case after case. A case is finished even when the budget ends in its middle: ctx is the
// user's patience, search the budget.
func (h *hunt) search(ctx, search context.Context) {
	for search.Err() == nil {
		i, ok := h.draw()
		if !ok {
			return
		}
		p := h.program(i)
		out, err := h.o.Runner.Do(ctx, worker.Case{ID: i, Program: p.String()})
		if err != nil {
			if h.failed(ctx, i, err) {
				return
			}
			continue
		}
		v := h.record(p, out)
		if h.o.Recheck > 0 && i%h.o.Recheck == h.o.Recheck-1 {
			h.recheck(ctx, i, p, out)
		}
		if v != nil && h.claim(v.Fingerprint()) {
			h.pursue(ctx, i, p, *v)
		}
	}
}

// program returns the program of a case.
func (h *hunt) program(i int) model.Program {
	p := model.Generate(model.NewSource(model.CaseSeed(h.o.Seed, i)), h.o.Bounds)
	if h.o.Transform != nil {
		p = h.o.Transform(p)
	}
	return p
}

func (h *hunt) draw() (int, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.o.MaxCases > 0 && h.next >= h.o.MaxCases {
		return 0, false
	}
	h.next++
	return h.next - 1, true
}

// failed notes that a case could not be run and reports whether the hunt is over.
func (h *hunt) failed(ctx context.Context, i int, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures++
	h.sum.EnvironmentErrors++
	h.sum.LastEnvironmentError = fmt.Sprintf("case %d: %v", i, err)
	if h.failures < environmentErrors {
		return false
	}
	if h.err == nil {
		h.err = fmt.Errorf("case %d could not be run, nor the %d before it: %w", i, environmentErrors-1, err)
	}
	h.stop()
	return true
}

// record adds a case to the tallies and returns the violation that names its finding.
func (h *hunt) record(p model.Program, out worker.Outcome) *check.Violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = 0
	h.sum.Executions++
	h.sum.Operations += p.Len()
	past := len(out.History.Outside) > 0
	if out.Verdict.Status == check.Unset || out.Verdict.Status == check.Inconclusive && (out.Died != nil || past) {
		h.sum.Unknown++
	}
	for _, r := range out.Verdict.Results {
		row, ok := h.rows[r.Invariant]
		if !ok {
			row = &Invariant{Name: r.Invariant}
			h.rows[r.Invariant] = row
		}
		row.Checked += r.Checked
		if past && r.Note != "" {
			h.sum.LastUnknown = r.Note
		}
		if r.Status == check.NotApplicable && row.Checked == 0 {
			row.Status, row.Note = check.NotApplicable, r.Note
		}
	}
	h.latency.Add(p.Mode, out.History)
	h.tell(Progress{})
	if out.Verdict.Status != check.Fail {
		return nil
	}
	return out.Verdict.First()
}

// claim reports whether the fingerprint is new, and makes it known.
func (h *hunt) claim(fingerprint string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[fingerprint] {
		if slices.Contains(h.o.Accept, fingerprint) {
			h.sum.Accepted++
		}
		return false
	}
	h.seen[fingerprint] = true
	return true
}

// tell reports progress; the lock is held.
func (h *hunt) tell(p Progress) {
	if h.o.Progress == nil {
		return
	}
	p.Elapsed, p.Executions, p.Operations, p.Findings = time.Since(h.began), h.sum.Executions, h.sum.Operations, len(h.sum.Findings)
	h.o.Progress(p)
}

func (h *hunt) summary(ctx context.Context) Summary {
	s := h.sum
	s.Elapsed = time.Since(h.began)
	s.Interrupted = ctx.Err() != nil
	slices.SortStableFunc(s.Findings, func(a, b Finding) int {
		return cmp.Compare(a.Operations+a.Interventions, b.Operations+b.Interventions)
	})
	s.Verdict = check.Pass
	for _, f := range s.Findings {
		if row := h.rows[f.Violation.Invariant]; row != nil {
			row.Status = check.Fail
		} else {
			h.rows[f.Violation.Invariant] = &Invariant{Name: f.Violation.Invariant, Status: check.Fail}
		}
	}
	families := check.Families
	latency := h.latency.Judge(cmp.Or(h.o.LatencyBound, check.LatencyBound))
	// A hunt is of one mode: of its cases either round trips were counted, or searches were timed.
	counted := latency.Status == check.NotApplicable && h.rows[check.LatencyFamily] != nil
	if counted {
		families = append(slices.Clone(families), check.LatencyFamily)
	}
	for _, family := range families {
		row := h.rows[family]
		if row == nil {
			row = &Invariant{Name: family}
		}
		if row.Status == check.Unset || row.Status == check.NotApplicable && row.Checked > 0 {
			row.Status = check.Inconclusive
			if row.Checked > 0 {
				row.Status = check.Pass
			}
		}
		if row.Status == check.Inconclusive {
			s.Verdict = check.Inconclusive
		}
		s.Invariants = append(s.Invariants, *row)
	}
	if !counted {
		s.Invariants = append(s.Invariants, Invariant{latency.Invariant, latency.Checked, latency.Status, latency.Note})
	}
	if latency.Status == check.Inconclusive {
		s.Verdict = check.Inconclusive
	}
	if len(s.Unconfirmed) > 0 || len(s.Differing) > 0 || s.Executions == 0 {
		s.Verdict = check.Inconclusive
	}
	if len(s.Findings) > 0 || latency.Status == check.Fail {
		s.Verdict = check.Fail
	}
	return s
}
