package cli

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// printResult prints a result for people.
func printResult(w io.Writer, r *bench.Result, output string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.Machine)
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		settings = append(settings, name+" "+r.Settings[name])
	}
	fmt.Fprintf(&b, "%s\n\n", strings.Join(settings, ", "))
	if r.Kind == bench.KindTune {
		return printTuning(w, &b, r, output)
	}
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "metric\tunit\tmean\tp50\tp95\tp99\truns")
	for _, m := range r.Metrics {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", m.Name, m.Unit, figure(m.Summary.Mean), figure(m.Summary.P50), figure(m.Summary.P95), figure(m.Summary.P99), len(m.Samples))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Histograms) > 0 {
		fmt.Fprintln(&b)
		t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(t, "all requests\tcount\tp50, ms\tp95, ms\tp99, ms\tmax, ms")
		for _, h := range r.Histograms {
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", h.Name, h.Count, figure(h.P50), figure(h.P95), figure(h.P99), figure(h.Max))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	writeJudgement(&b, r)
	if output != "" {
		fmt.Fprintf(&b, "result: %s\n", output)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printTuning prints a line for each combination that was tried, and which to take.
func printTuning(w io.Writer, b *strings.Builder, r *bench.Result, output string) error {
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "max projects\tconns per pool\tshared_buffers\tsearches/s\tp95, ms\tevictions per 1,000\thit rate\tbackends\tfailures")
	for _, c := range r.Cells {
		fmt.Fprintf(t, "%d\t%d\t%s", c.MaxProjects, c.Conns, c.SharedBuffers)
		for _, m := range []string{bench.CellPerSecond, bench.CellP95, bench.CellEvictions, bench.CellHitRate, bench.CellBackends, bench.CellFailures} {
			if x, ok := r.Of(c, m); ok {
				fmt.Fprintf(t, "\t%s", figure(x))
			} else {
				fmt.Fprint(t, "\t–")
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	writeJudgement(b, r)
	for _, c := range r.Cells {
		if r.Choice != nil && c.Name == r.Choice.Cell {
			fmt.Fprintf(b, "recommended: --max-projects %d, %d connections a pool, shared_buffers %s\n  %s\n", c.MaxProjects, c.Conns, c.SharedBuffers, r.Choice.Reason)
		}
	}
	if output != "" {
		fmt.Fprintf(b, "result: %s\n", output)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJudgement(b *strings.Builder, r *bench.Result) {
	b.WriteByte('\n')
	for _, family := range slices.Sorted(maps.Keys(r.Checks)) {
		if n := r.Checks[family]; n > 0 {
			fmt.Fprintf(b, "%s: %d checked\n", family, n)
		}
	}
	if len(r.Evicted) > 0 {
		fmt.Fprintf(b, "evicted, in order: %s\n", strings.Join(r.Evicted, " "))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "note: %s\n", n)
	}
	for i, v := range r.Violations {
		fmt.Fprintf(b, "\nVIOLATION %d  %s (%s)\n  %s\n", i+1, v.Fingerprint, v.Phase, v.Sentence)
		for _, e := range v.Evidence {
			fmt.Fprintf(b, "    %s\n", e)
		}
	}
	b.WriteByte('\n')
	for _, bound := range r.Bounds {
		word := "met"
		if !bound.Met {
			word = "MISSED"
		}
		fmt.Fprintf(b, "%s: %s: %s %s %s %s\n", word, bound.What, figure(bound.Value), bound.Rule, figure(bound.Limit), bound.Unit)
	}
	fmt.Fprintf(b, "%s: %s\n", r.Verdict, r.Kind)
}

// figure gives three significant digits, and all digits of what is whole or large.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case x == math.Trunc(x) || a >= 1000:
		return fmt.Sprintf("%.0f", x)
	case a >= 100:
		return fmt.Sprintf("%.1f", x)
	case a >= 1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.3f", x)
	}
}
