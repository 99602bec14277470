package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
)

// matrixJSON is what selftest --json prints.
type matrixJSON struct {
	Faults      []killJSON `json:"faults"`
	Clean       cleanJSON  `json:"clean"`
	Interrupted bool       `json:"interrupted,omitempty"`
	// Compared is there where the gate was compared with running free.
	Compared *comparedJSON `json:"compared,omitempty"`

	violations []hunt.Finding // of the clean service
	seeds      int
}

// killJSON is a fault's row. Where it was found from several seeds, numbers are medians, the lower one of
// two in the middle.
type killJSON struct {
	ID                   string   `json:"id"`
	Found                int      `json:"found"` // from how many seeds
	Tried                int      `json:"tried"` // seeds searched from
	Invariant            string   `json:"invariant"`
	Fingerprints         []string `json:"fingerprints"`
	Executions           int      `json:"executions"` // cases until it was found
	Seconds              float64  `json:"seconds"`    // the same in time
	Operations           int      `json:"operations"` // after shrinking
	MinimumOperations    int      `json:"minimum_operations"`
	Interventions        int      `json:"interventions"`
	MinimumInterventions int      `json:"minimum_interventions"`
	AtMinimum            int      `json:"at_minimum"` // from how many seeds it was shrunk to the size of the known minimum
	ShrinkExecutions     int      `json:"shrink_executions"`
	Others               []string `json:"others,omitempty"` // findings that the fault does not explain
	Error                string   `json:"error,omitempty"`  // why it could not be built

	Class    string     `json:"class"`
	Searches []killedBy `json:"searches"` // one a seed that found it

	Free *freeJSON `json:"free,omitempty"` // what the same programs came to, run free
}

// killedBy is a fault found from one seed.
type killedBy struct {
	Seed             uint64  `json:"seed"`
	Fingerprint      string  `json:"fingerprint"`
	Executions       int     `json:"executions"`
	Seconds          float64 `json:"seconds"`
	Operations       int     `json:"operations"`
	Interventions    int     `json:"interventions"`
	ShrinkExecutions int     `json:"shrink_executions"`
	ShrinkSeconds    float64 `json:"shrink_seconds"`
	Reproduced       int     `json:"reproduced"` // of Trials executions on databases made anew
	Trials           int     `json:"trials"`
	Program          string  `json:"program"` // the smallest found
}

// cleanJSON is the row of the service as it is.
type cleanJSON struct {
	Operations   int      `json:"operations"`
	Findings     int      `json:"findings"`
	Executions   int      `json:"executions"`
	Seconds      float64  `json:"seconds"`
	Tried        int      `json:"tried"`
	Inconclusive int      `json:"inconclusive,omitempty"` // searches that show nothing
	Fingerprints []string `json:"fingerprints,omitempty"`
	Unconfirmed  []string `json:"unconfirmed,omitempty"`
}

func (m *matrix) report(interrupted bool) matrixJSON {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := matrixJSON{Faults: []killJSON{}, Interrupted: interrupted, seeds: m.flags.seeds}
	for _, row := range m.rows {
		r.Faults = append(r.Faults, row.report())
	}
	for _, sum := range m.tries {
		c := &r.Clean
		c.Tried++
		c.Operations += sum.Operations
		c.Executions += sum.Executions
		c.Seconds += sum.Elapsed.Seconds()
		c.Findings += len(sum.Findings)
		for _, f := range sum.Findings {
			c.Fingerprints = append(c.Fingerprints, f.Fingerprint)
		}
		c.Unconfirmed = append(c.Unconfirmed, sum.Unconfirmed...)
		if inconclusive(sum) {
			c.Inconclusive++
		}
		r.violations = append(r.violations, sum.Findings...)
	}
	if m.flags.compareFree {
		r.Compared = compare(r.Faults, m.flags.cases)
	}
	return r
}

// missed counts the faults that were searched for from some seed and not found.
func (r matrixJSON) missed() int {
	n := 0
	for _, f := range r.Faults {
		if f.Found < f.Tried {
			n++
		}
	}
	return n
}

func (r matrixJSON) unbuilt() int {
	n := 0
	for _, f := range r.Faults {
		if f.Error != "" {
			n++
		}
	}
	return n
}

func (r *row) report() killJSON {
	j := killJSON{
		ID: r.fault.ID, Found: len(r.kills), Tried: r.tried, Fingerprints: []string{}, Others: r.others,
		MinimumOperations: r.fault.Operations, MinimumInterventions: r.fault.Interventions,
		Executions:       median(r.kills, func(k kill) int { return k.Executions }),
		Seconds:          median(r.kills, func(k kill) float64 { return k.FoundAfter.Seconds() }),
		Operations:       median(r.kills, func(k kill) int { return k.Operations }),
		Interventions:    median(r.kills, func(k kill) int { return k.Interventions }),
		ShrinkExecutions: median(r.kills, func(k kill) int { return k.Shrink }),
	}
	if len(r.compared) > 0 {
		j.Free = freeOf(r.compared)
	}
	if r.stale != nil {
		j.Error = r.stale.Error()
	}
	j.Class, j.Searches = string(r.fault.Class), []killedBy{}
	families := map[string]int{}
	for _, k := range r.kills {
		families[k.Violation.Invariant]++
		j.Searches = append(j.Searches, killedBy{
			Seed: k.seed, Fingerprint: k.Fingerprint, Executions: k.Executions, Seconds: k.FoundAfter.Seconds(),
			Operations: k.Operations, Interventions: k.Interventions, ShrinkExecutions: k.Shrink, ShrinkSeconds: k.ShrinkTook.Seconds(),
			Reproduced: k.Reproduced, Trials: k.Trials, Program: k.Program.String(),
		})
		if !slices.Contains(j.Fingerprints, k.Fingerprint) {
			j.Fingerprints = append(j.Fingerprints, k.Fingerprint)
		}
		if k.Operations+k.Interventions <= r.fault.Operations+r.fault.Interventions { // one for the other is as small
			j.AtMinimum++
		}
	}
	slices.Sort(j.Fingerprints)
	for name, n := range families {
		if best := families[j.Invariant]; n > best || n == best && name < j.Invariant {
			j.Invariant = name
		}
	}
	return j
}

// median returns the lower median, 0 of nothing.
func median[T cmp.Ordered](kills []kill, of func(kill) T) T {
	var values []T
	for _, k := range kills {
		values = append(values, of(k))
	}
	if len(values) == 0 {
		var zero T
		return zero
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

func printMatrix(w io.Writer, r matrixJSON) error {
	var b strings.Builder
	for i, f := range r.violations {
		writeFinding(&b, i+1, f, "")
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "fault\tfound\tby\tcases\tseconds\toperations\tinterventions\tat minimum")
	for _, f := range r.Faults {
		fmt.Fprintf(t, "%s\t%d/%d\t%s\n", f.ID, f.Found, f.Tried, killColumns(f))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range r.Faults {
		for _, o := range f.Others {
			fmt.Fprintf(&b, "%s: also %s\n", f.ID, o)
		}
	}
	if err := printCompared(&b, r); err != nil {
		return err
	}
	c := r.Clean
	fmt.Fprintf(&b, "\nclean service: %s, %s in %.1fs, %s\n", count(c.Executions, "case"), count(c.Operations, "operation"), c.Seconds, count(c.Findings, "finding"))
	for _, u := range c.Unconfirmed {
		fmt.Fprintf(&b, "clean service: unconfirmed: %s\n", u)
	}
	fmt.Fprintf(&b, "%s\n", r.headline())
	_, err := io.WriteString(w, b.String())
	return err
}

func killColumns(f killJSON) string {
	if f.Found == 0 {
		return fmt.Sprintf("-\t-\t-\t(%d)\t(%d)\t-", f.MinimumOperations, f.MinimumInterventions)
	}
	return fmt.Sprintf("%s\t%d\t%.1f\t%d (%d)\t%d (%d)\t%d/%d", f.Invariant, f.Executions, f.Seconds,
		f.Operations, f.MinimumOperations, f.Interventions, f.MinimumInterventions, f.AtMinimum, f.Found)
}

func (r matrixJSON) headline() string {
	var parts []string
	if n := r.missed(); n > 0 {
		parts = append(parts, count(n, "fault")+" not found from every seed")
	}
	if r.Clean.Findings > 0 {
		parts = append(parts, "the clean service is accused")
	}
	if r.Interrupted {
		parts = append(parts, "interrupted")
	}
	if r.Clean.Inconclusive > 0 {
		parts = append(parts, "the clean service was not judged")
	}
	if len(parts) == 0 && r.unbuilt() == 0 {
		return fmt.Sprintf("PASS: %s found from %s each", count(len(r.Faults), "fault"), count(r.seeds, "seed"))
	}
	if n := r.unbuilt(); n > 0 {
		parts = append(parts, count(n, "fault")+" could not be built")
	}
	word := "FAIL"
	if r.missed() == 0 && r.Clean.Findings == 0 {
		word = "INCONCLUSIVE"
	}
	return word + ": " + strings.Join(parts, ", ")
}
