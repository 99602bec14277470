package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
)

func newListFaults(s streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list-faults [ID]",
		Short: "List the known faults that can be built into the reference service",
		Long: `list-faults lists the seeded faults: known faults, each seen in a real project, as patches on the
reference service. With an ID it tells everything about one: why it goes wrong, where it has happened,
which invariants show it, and the smallest program that does.

storm, replay and selftest build them in; that takes a source tree of tenantstorm and the go command.`,
		Example: `  tenantstorm list-faults
  tenantstorm list-faults get-no-touch
  tenantstorm list-faults --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("list-faults takes one ID at the most, %d given; see '%s --help'", len(args), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				fault, err := seeded.Get(args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(s.out, faultReport(fault))
				}
				return printFault(s.out, fault)
			}
			if asJSON {
				return printJSON(s.out, faultReports(seeded.List()))
			}
			return printFaults(s.out, seeded.List())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything about the faults, as JSON")
	return cmd
}

// faultJSON is what list-faults --json prints of a fault.
type faultJSON struct {
	ID            string   `json:"id"`
	Class         string   `json:"class"`
	Title         string   `json:"title"`
	Mechanism     string   `json:"mechanism"`
	Source        string   `json:"source"`
	Invariants    []string `json:"invariants"`
	Operations    int      `json:"operations"`
	Interventions int      `json:"interventions"`
	Minimum       string   `json:"minimum"`
}

func faultReport(f seeded.Fault) faultJSON {
	return faultJSON{
		ID: f.ID, Class: string(f.Class), Title: f.Title, Mechanism: f.Mechanism, Source: f.Source, Invariants: f.Invariants,
		Operations: f.Operations, Interventions: f.Interventions, Minimum: f.Minimum.String(),
	}
}

func faultReports(faults []seeded.Fault) []faultJSON {
	reports := []faultJSON{}
	for _, f := range faults {
		reports = append(reports, faultReport(f))
	}
	return reports
}

func printFaults(w io.Writer, faults []seeded.Fault) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "id\tclass\ttitle")
	for _, f := range faults {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.ID, f.Class, f.Title)
	}
	return t.Flush()
}

func printFault(w io.Writer, f seeded.Fault) error {
	_, err := fmt.Fprintf(w, `%s: %s

  why       %s
  seen in   %s
  class     %s
  shown by  %s
  minimum   %s, %s

%s
find it: tenantstorm storm --seeded-fault %s
`, f.ID, f.Title, f.Mechanism, f.Source, f.Class, strings.Join(f.Invariants, " "),
		count(f.Operations, "operation"), count(f.Interventions, "intervention"), indented(f.Minimum.String()), f.ID)
	return err
}
