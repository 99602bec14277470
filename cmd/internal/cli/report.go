package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// stormJSON is what storm --json prints.
type stormJSON struct {
	Verdict     string        `json:"verdict"`
	Mode        string        `json:"mode"`
	Postgres    string        `json:"postgres"`
	Seed        uint64        `json:"seed"`
	Executions  int           `json:"executions"`
	Operations  int           `json:"operations"`
	Seconds     float64       `json:"seconds"`
	Findings    []findingJSON `json:"findings"`
	Unconfirmed []string      `json:"unconfirmed,omitempty"`
	Accepted    int           `json:"accepted,omitempty"`  // cases that showed an accepted fingerprint
	Unknown     int           `json:"unknown,omitempty"`   // cases that say nothing: killed from outside, or past the gate
	Rechecked   int           `json:"rechecked,omitempty"` // gated cases that were executed twice
	Differing   []string      `json:"differing,omitempty"` // those that did not do the same again
	Interrupted bool          `json:"interrupted,omitempty"`
	Error       string        `json:"error,omitempty"` // why the search ended before its time
	// Cases that could not be run, though they count as drawn, and why the last of them could not.
	EnvironmentErrors    int    `json:"environment_errors,omitempty"`
	LastEnvironmentError string `json:"last_environment_error,omitempty"`
}

type findingJSON struct {
	Fingerprint      string  `json:"fingerprint"`
	Invariant        string  `json:"invariant"`
	Mode             string  `json:"mode"` // in which it shows: gated replays, free is so many of so many
	Operations       int     `json:"operations"`
	Interventions    int     `json:"interventions"`
	Repro            string  `json:"repro"`
	Visualization    string  `json:"visualization,omitempty"` // a page beside the repro, of operations that no order explains
	Sentence         string  `json:"sentence"`
	Case             int     `json:"case"` // number of the case that first showed it
	Reproduced       int     `json:"reproduced"`
	Trials           int     `json:"trials"`
	Minimal          bool    `json:"minimal"`
	Executions       int     `json:"executions"`
	ShrinkExecutions int     `json:"shrink_executions"`
	Seconds          float64 `json:"seconds"`
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func stormReport(sum hunt.Summary, mode model.Mode, source string, seed uint64) stormJSON {
	r := stormJSON{
		Verdict: sum.Verdict.String(), Mode: mode.String(), Postgres: source, Seed: seed, Executions: sum.Executions,
		Operations: sum.Operations, Seconds: sum.Elapsed.Seconds(), Findings: []findingJSON{},
		Unconfirmed: sum.Unconfirmed, Accepted: sum.Accepted, Unknown: sum.Unknown, Rechecked: sum.Rechecked, Differing: sum.Differing, Interrupted: sum.Interrupted,
		EnvironmentErrors: sum.EnvironmentErrors, LastEnvironmentError: repro.Redact(sum.LastEnvironmentError),
	}
	for _, f := range sum.Findings {
		r.Findings = append(r.Findings, findingJSON{
			Fingerprint: f.Fingerprint, Invariant: f.Violation.Invariant, Mode: f.Program.Mode.String(), Operations: f.Operations, Interventions: f.Interventions,
			Repro: f.Repro, Visualization: repro.Visualization(f.Repro), Sentence: f.Violation.Sentence, Case: f.Case, Reproduced: f.Reproduced, Trials: f.Trials, Minimal: f.Minimal,
			Executions: f.Executions, ShrinkExecutions: f.Shrink, Seconds: f.FoundAfter.Seconds(),
		})
	}
	return r
}

func printStorm(w io.Writer, sum hunt.Summary, f *stormFlags) error {
	var b strings.Builder
	for i, found := range sum.Findings {
		writeFinding(&b, i+1, found, f.workerPath)
	}
	for _, u := range sum.Unconfirmed {
		fmt.Fprintf(&b, "\nUNCONFIRMED %s\n  It did not show again on fresh databases, so it is not called a finding.\n", u)
	}
	for _, d := range sum.Differing {
		fmt.Fprintf(&b, "\nNOT DETERMINISTIC %s\n", d)
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "invariant\tchecked\tverdict")
	for _, row := range sum.Invariants {
		fmt.Fprintf(t, "%s\t%d\t%s\n", row.Name, row.Checked, noted(row))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s: %s, %s in %s, seed %d\n", headline(sum), count(sum.Executions, "case"), count(sum.Operations, "operation"), clock(sum.Elapsed), f.seed)
	if sum.Rechecked > 0 {
		fmt.Fprintf(&b, "%s executed twice, %d of them with another outcome\n", count(sum.Rechecked, "case"), len(sum.Differing))
	}
	if sum.Accepted > 0 {
		fmt.Fprintf(&b, "%s showed an accepted fingerprint\n", count(sum.Accepted, "case"))
	}
	if sum.Unknown > 0 {
		fmt.Fprintf(&b, "%s ended unknown: %s\n", count(sum.Unknown, "case"), cmp.Or(sum.LastUnknown, "their workers were killed from outside"))
	}
	if sum.EnvironmentErrors > 0 {
		fmt.Fprintf(&b, "%s could not be run; the last: %s\n", count(sum.EnvironmentErrors, "case"), repro.Redact(firstLine(sum.LastEnvironmentError)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func headline(sum hunt.Summary) string {
	head := strings.ToUpper(sum.Verdict.String())
	if n := len(sum.Findings); n > 0 {
		head += " (" + count(n, "finding") + ")"
	}
	if sum.Interrupted {
		head += ", interrupted"
	}
	return head
}

// writeFinding writes a finding for people. worker is the binary that has to be given again to replay it;
// "" for the reference service.
func writeFinding(b *strings.Builder, n int, f hunt.Finding, worker string) {
	fmt.Fprintf(b, "\nFINDING %d  %s\n\n  %s\n\n", n, f.Fingerprint, f.Violation.Sentence)
	b.WriteString(indented(f.Program.String()))
	size := "minimal"
	if !f.Minimal {
		size = "the shrinker did not come to an end"
	}
	fmt.Fprintf(b, "\n  case %d after %s; %s (%s), %s to shrink; %s: reproduced %d of %d on fresh databases\n",
		f.Case, clock(f.FoundAfter), sized(f.Operations, f.Interventions), size, count(f.Shrink, "execution"), f.Scheduling(), f.Reproduced, f.Trials)
	if f.Repro != "" {
		fmt.Fprintf(b, "  replay: %s\n", replayCommand(worker, f.Repro))
		if page := repro.Visualization(f.Repro); page != "" {
			fmt.Fprintf(b, "  visualisation: %s\n", page)
		}
	}
}

// sized tells how large a program is.
func sized(operations, interventions int) string {
	if interventions == 0 {
		return count(operations, "operation")
	}
	return count(operations, "operation") + " and " + count(interventions, "intervention")
}

// violationOf returns the sentence of a violation, or why there is none.
func violationOf(v *check.Violation) string {
	if v == nil {
		return "no violation"
	}
	return v.Sentence
}

// indented is a text of several lines, moved to the right.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		if line != "\n" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}
