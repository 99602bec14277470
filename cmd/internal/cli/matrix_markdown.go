package cli

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
)

// small is up to how many operations a minimum counts as small, where what shrinking costs is told.
const small = 6

// writeMatrix writes a kill matrix as a page of Markdown.
func writeMatrix(path string, r matrixJSON, f *selftestFlags, source string) error {
	var b strings.Builder
	cases := ""
	if f.cases > 0 {
		cases = fmt.Sprintf(" or %d cases", f.cases)
	}
	fmt.Fprintf(&b, `# Kill matrix

Written by `+"`tenantstorm selftest --markdown`"+`; no figure was typed. Seeds %d to %d, each searched for at most
%s%s, then at most %s of shrinking a finding; points: %s; %s at a time. %s, %s/%s, %s, %s.

`,
		f.seed, f.seed+uint64(f.seeds)-1, f.budget, cases, f.shrinkBudget, f.worker.points, searches(f.workers), source,
		runtime.GOOS, runtime.GOARCH, count(runtime.NumCPU(), "core"), runtime.Version())
	b.WriteString("*cases* and *seconds* are to find, medians of the seeds that found it. *operations* and *interventions* are the shrunk " +
		"size, medians, the known minimum in brackets. *largest* is the largest shrunk size over the minimum, operations and interventions together; " +
		"*programs* is how many different smallest programs the seeds came to; *shrinking* is executions and seconds, medians.\n")
	for _, class := range []seeded.Class{seeded.Sequential, seeded.Interleaving, seeded.Injected} {
		writeClass(&b, r, class)
	}
	writeShrinking(&b, r)
	c := r.Clean
	fmt.Fprintf(&b, "\n## The service as it is\n\n%s, %s, %s in %.0f s of search.\n", count(c.Executions, "case"), count(c.Operations, "operation"), count(c.Findings, "finding"), c.Seconds)
	for _, u := range c.Unconfirmed {
		fmt.Fprintf(&b, "\n- unconfirmed: %s\n", u)
	}
	fmt.Fprintf(&b, "\n**%s**\n", r.headline())
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("--markdown: %w", err)
	}
	return nil
}

// writeClass writes the table of one class of faults, and what else was met under it.
func writeClass(b *strings.Builder, r matrixJSON, class seeded.Class) {
	var rows, notes []string
	for _, k := range r.Faults {
		if k.Class != string(class) {
			continue
		}
		for _, o := range k.Others {
			notes = append(notes, fmt.Sprintf("- %s: also %s", k.ID, o))
		}
		if k.Found == 0 {
			why := k.Error
			if why != "" {
				why = "not built"
			}
			rows = append(rows, fmt.Sprintf("| %s | 0/%d | %s | | | (%d) | (%d) | | | | |", k.ID, k.Tried, why, k.MinimumOperations, k.MinimumInterventions))
			continue
		}
		largest := 0.0
		programs := map[string]bool{}
		for _, s := range k.Searches {
			largest = max(largest, k.ratio(s))
			programs[s.Program] = true
		}
		rows = append(rows, fmt.Sprintf("| %s | %d/%d | %s | %d | %.1f | %d (%d) | %d (%d) | %d/%d | %.2f | %d | %d, %.1f |", k.ID, k.Found, k.Tried,
			strings.Join(k.Fingerprints, ", "), k.Executions, k.Seconds, k.Operations, k.MinimumOperations, k.Interventions, k.MinimumInterventions,
			k.AtMinimum, k.Found, largest, len(programs), k.ShrinkExecutions, halfway(k.Searches, func(s killedBy) float64 { return s.ShrinkSeconds })))
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Faults of class %s\n\n| fault | found | by | cases | seconds | operations | interventions | at minimum | largest | programs | shrinking |\n|---|---|---|---|---|---|---|---|---|---|---|\n%s\n",
		class, strings.Join(rows, "\n"))
	if len(notes) > 0 {
		fmt.Fprintf(b, "\n%s\n", strings.Join(notes, "\n"))
	}
}

// ratio is the shrunk size over the known minimum.
func (k killJSON) ratio(s killedBy) float64 {
	return float64(s.Operations+s.Interventions) / float64(k.MinimumOperations+k.MinimumInterventions)
}

// writeShrinking sums up what shrinking came to over all faults and seeds.
func writeShrinking(b *strings.Builder, r matrixJSON) {
	var all, few, more []killedBy
	largest, at, most := 0.0, 0, 0
	for _, k := range r.Faults {
		programs := map[string]map[string]bool{} // by fingerprint
		for _, s := range k.Searches {
			if programs[s.Fingerprint] == nil {
				programs[s.Fingerprint] = map[string]bool{}
			}
			programs[s.Fingerprint][s.Program] = true
			all = append(all, s)
			if k.MinimumOperations <= small {
				few = append(few, s)
			} else {
				more = append(more, s)
			}
			if k.ratio(s) <= 1 {
				at++
			}
			largest = max(largest, k.ratio(s))
		}
		for _, of := range programs {
			most = max(most, len(of))
		}
	}
	if len(all) == 0 {
		return
	}
	executions := func(s killedBy) int { return s.ShrinkExecutions }
	took := func(s killedBy) float64 { return s.ShrinkSeconds }
	fmt.Fprintf(b, "\n## Shrinking\n\n| figure | measured |\n|---|---|\n")
	fmt.Fprintf(b, "| shrunk to the size of the known minimum | %d of %d (%.1f %%) |\n", at, len(all), 100*float64(at)/float64(len(all)))
	fmt.Fprintf(b, "| largest shrunk size over the minimum | %.2f |\n", largest)
	fmt.Fprintf(b, "| most smallest programs of one fault and fingerprint | %d |\n", most)
	fmt.Fprintf(b, "| executions to shrink, minimum of up to %d operations | median %d, p95 %d |\n", small, halfway(few, executions), quantile(few, 0.95, executions))
	if len(more) > 0 {
		fmt.Fprintf(b, "| executions to shrink, minimum of more operations | median %d, p95 %d |\n", halfway(more, executions), quantile(more, 0.95, executions))
	}
	fmt.Fprintf(b, "| seconds to shrink | median %.1f, p95 %.1f |\n", halfway(all, took), quantile(all, 0.95, took))
}

func halfway[T int | float64](of []killedBy, value func(killedBy) T) T {
	return quantile(of, 0.5, value)
}

// quantile returns the smallest value that such a part of all does not exceed; 0 of none.
func quantile[T int | float64](of []killedBy, part float64, value func(killedBy) T) T {
	values := make([]T, 0, len(of))
	for _, s := range of {
		values = append(values, value(s))
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(0, int(math.Ceil(part*float64(len(values))))-1)]
}
