package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

func newPrint(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "print FILE|FOLDER",
		Short: "Show a repro, or a program, as people read it",
		Long: `print reads a repro, alone or in the folder that storm wrote, or bare program text, and shows what it
is: the program, what the service hears its projects called, what went wrong, what was seen, the story of
it, and how to replay it. Nothing is executed.

Exit codes: 0, or 2 when FILE cannot be read; what is wrong in it is named by line and column.`,
		Example: `  tenantstorm print findings/lru-order-stats
  tenantstorm print bug.program`,
		Args: oneFile,
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := loadRepro(args[0])
			if err != nil {
				return err
			}
			return printRepro(s.out, r, args[0])
		},
	}
}

func printRepro(w io.Writer, r repro.Repro, path string) error {
	var b strings.Builder
	if fp := r.Fingerprint(); fp != "" {
		fmt.Fprintf(&b, "%s\n\n", fp)
	}
	for _, line := range origin(r.Meta) {
		b.WriteString(line + "\n")
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.Program.String())
	b.WriteString("\nprojects\n")
	for i := range r.Program.Projects {
		fmt.Fprintf(&b, "  p%d is %q\n", i, r.Program.ProjectName(i))
	}
	if r.Fingerprint() != "" {
		fmt.Fprintf(&b, "\nviolation\n  %s\n", r.Violation.Sentence)
		for _, e := range r.Violation.Evidence {
			fmt.Fprintf(&b, "    %s\n", e)
		}
	}
	if len(r.History) > 0 {
		b.WriteString("\nwhat was seen\n")
		for _, line := range r.History {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(r.Steps) > 0 {
		b.WriteString("\nwhat happened\n")
		for i, line := range report.Story(r) {
			fmt.Fprintf(&b, "  %2d. %s\n", i+1, line)
		}
	}
	worker := ""
	if r.Meta.Target == ownTarget {
		worker = "BINARY"
	}
	fmt.Fprintf(&b, "\nreplay: %s\n", replayCommand(worker, path))
	if page := repro.Visualization(path); page != "" {
		fmt.Fprintf(&b, "visualisation: %s\n", page)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// origin tells where a repro comes from, as far as it says.
func origin(m repro.Meta) []string {
	var lines []string
	if m.Target != "" {
		line := "found in " + m.Target
		if m.SeededFault != "" {
			line += " with the seeded fault " + m.SeededFault
		}
		if m.Seed != "" {
			line += ", seed " + m.Seed
		}
		if m.Case != "" {
			line += ", case " + m.Case
		}
		lines = append(lines, line)
	}
	var versions []string
	for _, v := range []struct{ what, version string }{
		{"tenantstorm", m.Tool}, {"Go", m.Go}, {"pgx", m.Pgx}, {"PostgreSQL", m.Postgres}, {"on", m.Platform},
	} {
		if v.version != "" {
			versions = append(versions, v.what+" "+v.version)
		}
	}
	if m.Reproduced != "" {
		lines = append(lines, "showed again in "+m.Reproduced+" executions")
	}
	if m.Scheduling != "" {
		lines = append(lines, "scheduling: "+m.Scheduling)
	}
	if len(versions) > 0 {
		lines = append(lines, "made with "+strings.Join(versions, ", "))
	}
	return lines
}

// replayCommand is what replays a file. A service that was given as a binary has to be given again.
func replayCommand(worker, path string) string {
	if worker != "" {
		return "tenantstorm replay --worker " + worker + " " + path
	}
	return "tenantstorm replay " + path
}
