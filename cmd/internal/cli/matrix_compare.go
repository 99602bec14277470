package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/model"
)

// interleaving reports whether a fault is searched for gated.
func interleaving(f seeded.Fault) bool { return f.Minimum.Mode == model.Gated }

// compared is a search from one seed, free and gated.
type compared struct {
	free  hunt.Sought
	gated int // executions until the gate found it; 0: it did not
}

// runFree runs the programs of a search that is over free, as many as it might have taken.
func (m *matrix) runFree(ctx context.Context, r *row, o hunt.Options, found *hunt.Finding) error {
	o.Budget, o.Transform = 0, freed
	sought, err := hunt.Seek(ctx, o, r.fault.ShownBy)
	if err != nil {
		return err
	}
	c := compared{free: sought}
	if found != nil {
		c.gated = found.Executions
	}
	m.mu.Lock()
	r.compared = append(r.compared, c)
	m.mu.Unlock()
	came := "not shown by " + count(sought.Executions, "case")
	if sought.Found {
		came = "shown by case " + fmt.Sprint(sought.Executions)
	}
	m.say(fmt.Sprintf("  %s, seed %d, run free: %s", r.fault.ID, o.Seed, came))
	return nil
}

// freed is a drawn program whose sessions run free.
func freed(p model.Program) model.Program {
	p = p.Clone()
	p.Mode, p.Schedule, p.Strategy = model.Free, nil, model.Strategy{}
	return p
}

// freeJSON is what a fault's programs came to, run free. Executions are a median, the lower one of two in the
// middle.
type freeJSON struct {
	Found      int     `json:"found"` // from how many seeds, by one execution each
	Tried      int     `json:"tried"`
	Executions int     `json:"executions"`      // until it showed, where it did
	Both       int     `json:"both"`            // seeds from which it was found in either way
	Ratio      float64 `json:"ratio,omitempty"` // of executions, free ÷ gated: the geometric mean over those seeds
}

// comparedJSON is what the gate is worth.
type comparedJSON struct {
	Cases     int      `json:"cases"`           // that either search may take
	Both      []string `json:"both"`            // faults found in either way from the same seed
	Ratio     float64  `json:"ratio,omitempty"` // the geometric mean of theirs
	OnlyGated []string `json:"only_gated"`      // faults that run free did not show from any seed
	OnlyFree  []string `json:"only_free"`       // and the other way round
}

func freeOf(searches []compared) *freeJSON {
	j := &freeJSON{Tried: len(searches)}
	var executions []int
	var ratios []float64
	for _, c := range searches {
		if !c.free.Found {
			continue
		}
		executions = append(executions, c.free.Executions)
		if c.gated > 0 {
			ratios = append(ratios, float64(c.free.Executions)/float64(c.gated))
		}
	}
	j.Found, j.Both, j.Ratio = len(executions), len(ratios), geometricMean(ratios)
	if j.Found > 0 {
		slices.Sort(executions)
		j.Executions = executions[(j.Found-1)/2]
	}
	return j
}

// geometricMean returns 0 of nothing.
func geometricMean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}

func compare(faults []killJSON, cases int) *comparedJSON {
	c := &comparedJSON{Cases: cases, Both: []string{}, OnlyGated: []string{}, OnlyFree: []string{}}
	var ratios []float64
	for _, f := range faults {
		switch {
		case f.Free == nil:
		case f.Free.Both > 0:
			c.Both = append(c.Both, f.ID)
			ratios = append(ratios, f.Free.Ratio)
		case f.Free.Found == 0 && f.Found > 0:
			c.OnlyGated = append(c.OnlyGated, f.ID)
		case f.Free.Found > 0 && f.Found == 0:
			c.OnlyFree = append(c.OnlyFree, f.ID)
		}
	}
	c.Ratio = geometricMean(ratios)
	return c
}

func printCompared(w io.Writer, r matrixJSON) error {
	c := r.Compared
	if c == nil {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\ninterleaving\tgated\tcases\trun free\tcases\tfree ÷ gated")
	for _, f := range r.Faults {
		if f.Free == nil {
			continue
		}
		fmt.Fprintf(t, "%s\t%d/%d\t%s\t%d/%d\t%s\t%s\n", f.ID, f.Found, f.Tried, dash(f.Found, "%d", f.Executions),
			f.Free.Found, f.Free.Tried, dash(f.Free.Found, "%d", f.Free.Executions), dash(f.Free.Both, "%.1f", f.Free.Ratio))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "executions to find, free ÷ gated: %s over %s found in either way, up to %s each\n",
		dash(len(c.Both), "%.1f", c.Ratio), count(len(c.Both), "fault"), count(c.Cases, "case"))
	fmt.Fprintf(w, "only the gate finds: %s\n", orNone(c.OnlyGated))
	if len(c.OnlyFree) > 0 {
		fmt.Fprintf(w, "only run free: %s\n", strings.Join(c.OnlyFree, ", "))
	}
	return nil
}

// dash is a value, or a dash where there was nothing to take it of.
func dash(of int, format string, v any) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func orNone(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
