package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// enumerationJSON is a row of what selftest --enumerate prints.
type enumerationJSON struct {
	ID       string `json:"id"`
	Programs int    `json:"programs"`          // run that come before the known minimum
	Shown    bool   `json:"shown"`             // the known minimum shows the fault
	Smaller  string `json:"smaller,omitempty"` // a program that comes before it and shows the fault, too
	Error    string `json:"error,omitempty"`   // why it could not be built, or its programs not be run
}

// confirms reports that the known minimum is one.
func (e enumerationJSON) confirms() bool { return e.Shown && e.Smaller == "" && e.Error == "" }

// enumerate runs, for each sequential fault, every program that comes before its known minimum in the canonical
// order, and then the minimum.
func (m *matrix) enumerate(ctx context.Context, env *environment) ([]enumerationJSON, error) {
	out := make([]enumerationJSON, len(m.rows))
	var g *errgroup.Group
	g, ctx = errgroup.WithContext(ctx)
	g.SetLimit(m.flags.workers)
	for i, r := range m.rows {
		e := &out[i]
		e.ID = r.fault.ID
		if r.stale != nil {
			e.Error = r.stale.Error()
			continue
		}
		g.Go(func() error {
			return m.withFleet(ctx, env, r.path, fmt.Sprintf("e%d", i), func(runner hunt.Runner) error {
				if err := e.run(ctx, r.fault, runner); err != nil {
					return err
				}
				m.say(fmt.Sprintf("  %s: %s", e.ID, e.told()))
				return nil
			})
		})
	}
	return out, g.Wait()
}

// before returns the bounds of the programs among which a fault's minimum is the smallest.
func before(minimum model.Program) shrink.Bounds {
	names := []model.NameFamily{model.NamesPlain}
	if minimum.Names != model.NamesPlain {
		names = append(names, minimum.Names)
	}
	return shrink.Bounds{
		Ops: minimum.Len(), MaxProjects: max(2, minimum.MaxProjects), Projects: max(3, minimum.Projects), Sessions: minimum.Sessions,
		Names: names, Base: minimum,
	}
}

// run fills in the row.
func (e *enumerationJSON) run(ctx context.Context, fault seeded.Fault, runner hunt.Runner) (err error) {
	shows := func(p model.Program) bool {
		var out worker.Outcome
		if out, err = runner.Do(ctx, worker.Case{Program: p.String(), Quick: true}); err != nil {
			err = fmt.Errorf("%s: %w", fault.ID, err)
			return false
		}
		v := out.Verdict.First()
		return v != nil && fault.ShownBy(v.Fingerprint())
	}
	shrink.Enumerate(before(fault.Minimum), func(p model.Program) bool {
		if !shrink.Less(p, fault.Minimum) {
			return false
		}
		e.Programs++
		if shows(p) {
			e.Smaller = p.String()
		}
		return err == nil && e.Smaller == ""
	})
	if err == nil {
		e.Shown = shows(fault.Minimum)
	}
	return err
}

func (e enumerationJSON) told() string {
	switch {
	case e.Error != "":
		return e.Error
	case e.Smaller != "":
		return fmt.Sprintf("shown by a smaller program, the last of %s:\n%s", count(e.Programs, "program"), e.Smaller)
	case !e.Shown:
		return "not shown by its known minimum"
	}
	return fmt.Sprintf("shown by its known minimum, and by none of the %s before it", count(e.Programs, "program"))
}

// printEnumeration prints the rows and returns how many faults have another minimum than the known one.
func printEnumeration(w io.Writer, rows []enumerationJSON, asJSON bool) (wrong int, err error) {
	for _, e := range rows {
		if !e.confirms() {
			wrong++
		}
	}
	if asJSON {
		return wrong, printJSON(w, map[string]any{"faults": rows})
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "fault\tprograms before the known minimum\tof them show it\tthe known minimum shows it")
	for _, e := range rows {
		smaller := 0
		if e.Smaller != "" {
			smaller = 1
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%v\n", e.ID, e.Programs, smaller, e.Shown)
	}
	return wrong, t.Flush()
}
