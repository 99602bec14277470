package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func newBaseline(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Keep results of bench, and compare others with them",
		Example: `  tenantstorm baseline save search.json baselines/search.json
  tenantstorm baseline compare baselines/search.json search.json --tolerance 10%`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q; see 'tenantstorm baseline --help'", shown(args[0]))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newBaselineSave(s), newBaselineCompare(s))
	return cmd
}

// twoFiles wants exactly two arguments.
func twoFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return fmt.Errorf("%s takes two files, %d given; see '%s --help'", cmd.CommandPath(), len(args), cmd.CommandPath())
}

func newBaselineSave(s streams) *cobra.Command {
	var appending bool
	cmd := &cobra.Command{
		Use:   "save RESULT BASELINE",
		Short: "Check a result and keep it as a baseline",
		Long: `save checks a result's arithmetic and writes it as a baseline. With --append its runs are added to those of
a baseline of the same experiment, machine, server and versions.

Exit codes: 0 saved, 2 not.`,
		Example: `  tenantstorm baseline save search.json baselines/search.json
  tenantstorm baseline save more.json baselines/search.json --append`,
		Args: twoFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkFile("BASELINE", args[1]); err != nil {
				return err
			}
			r, err := bench.Load(args[0])
			if err != nil {
				return err
			}
			if appending {
				base, err := bench.Load(args[1])
				if err != nil {
					return err
				}
				if r, err = bench.Append(base, r); err != nil {
					return err
				}
			}
			if err := writeResult(args[1], r); err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			_, err = fmt.Fprintf(s.out, "saved %s: %s, %s\n", args[1], r.Kind, count(runsOf(r), "run"))
			return err
		},
	}
	cmd.Flags().BoolVar(&appending, "append", false, "add the runs to those that BASELINE has")
	return cmd
}

func runsOf(r *bench.Result) (runs int) {
	for _, m := range r.Metrics {
		runs = max(runs, len(m.Samples))
	}
	return runs
}

func newBaselineCompare(s streams) *cobra.Command {
	var f struct {
		tolerance  string
		json       bool
		postgres   string
		noEvidence bool
	}
	cmd := &cobra.Command{
		Use:   "compare BASELINE RESULT",
		Short: "Judge a result against a baseline",
		Long: `compare judges each metric: FAIL where it is certainly worse and may be worse by the tolerance or more, PASS
where it is certainly not worse by the tolerance, else it is too noisy to tell, and how many more runs are
needed. A result compared with another of the same service fails at most once in a hundred times.

Where machine or server differ, that is said, and only ratios are judged. Results of other settings or of
another version of the schema are refused, and so are figures that cannot be true.

Where something is worse and RESULT is of this machine and of a generated repository, its load is run once
more and looked into; slow statements, plans and profiles are put into a folder beside RESULT.

Exit codes: 0 nothing is worse, 1 something is, 2 the files cannot be compared, 3 too noisy to tell.`,
		Example: `  tenantstorm baseline compare baselines/search.json search.json
  tenantstorm baseline compare a.json b.json --tolerance 5% --json`,
		Args: twoFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			tolerance, err := parseShare(f.tolerance)
			if err != nil {
				return fmt.Errorf("--tolerance %s: %w", f.tolerance, err)
			}
			before, err := bench.Load(args[0])
			if err != nil {
				return err
			}
			after, err := bench.Load(args[1])
			if err != nil {
				return err
			}
			c, err := bench.Compare(before, after, bench.CompareOptions{Tolerance: tolerance})
			if err != nil {
				return err
			}
			if f.json {
				err = printJSON(s.out, c)
			} else {
				err = printComparison(s.out, c)
			}
			if err != nil {
				return err
			}
			if c.Verdict == bench.Fail && !f.noEvidence {
				e := regression{postgres: f.postgres, json: f.json, path: args[1], result: after, because: c.Worse()}
				if err := e.examine(cmd.Context(), s); err != nil {
					return err
				}
			}
			return benchExit(c.Verdict)
		},
	}
	cmd.Flags().StringVar(&f.tolerance, "tolerance", "10%", "how much worse a metric may be (`share`, such as 10% or 0.1)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the comparison as JSON")
	registerPostgres(cmd.Flags(), &f.postgres)
	registerEvidence(cmd.Flags(), &f.noEvidence)
	return cmd
}

var errShare = errors.New("must be above 0 % and below 100 %")

// parseShare reads "10%" or "0.1".
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, errShare
	}
	if percent {
		x /= 100
	}
	if !(x > 0 && x < 1) {
		return 0, errShare
	}
	return x, nil
}

func printComparison(w io.Writer, c *bench.Comparison) error {
	var b strings.Builder
	for i, line := range c.Elsewhere {
		if i == 0 {
			b.WriteString("measured elsewhere or with other versions:\n")
		}
		fmt.Fprintf(&b, "  %s\n", line)
	}
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "metric\tunit\tbaseline\tresult\tchange\t%.2f %% interval\tp\tverdict\n", 100*c.Confidence)
	for _, r := range c.Rows {
		verdict := r.Why
		if r.Judged {
			verdict = r.Verdict + ": " + r.Why
		}
		between := "–"
		if r.Bounded {
			between = fmt.Sprintf("%+.1f%% … %+.1f%%", 100*r.Lo, 100*r.Hi)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%+.1f%%\t%s\t%.4f\t%s\n", r.Name, r.Unit, middle(r.Before), middle(r.After), 100*r.Change, between, r.P, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "%s: %s, tolerance %.3g%%\n", c.Verdict, c.Kind, 100*c.Tolerance)
	_, err := io.WriteString(w, b.String())
	return err
}

// middle is a median with how far its interval reaches.
func middle(m bench.Middle) string {
	reach := max(m.Hi-m.Median, m.Median-m.Lo)
	if reach == 0 || m.Median == 0 {
		return figure(m.Median)
	}
	return fmt.Sprintf("%s ±%.0f%%", figure(m.Median), 100*reach/m.Median)
}
