package cli

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/model"
)

// TestCompare: only seeds from which either way found it make the ratio, and only faults that have one the mean.
func TestCompare(t *testing.T) {
	free := func(executions int) compared { return compared{free: hunt.Sought{Executions: executions, Found: true}} }
	both := func(executions, gated int) compared { c := free(executions); c.gated = gated; return c }
	missed := compared{free: hunt.Sought{Executions: 50}, gated: 3}
	faults := []killJSON{
		{ID: "often", Found: 3, Tried: 3, Free: freeOf([]compared{both(20, 10), missed, both(32, 4)})}, // 2 and 8
		{ID: "at once", Found: 1, Tried: 1, Free: freeOf([]compared{both(7, 7)})},
		{ID: "never free", Found: 1, Tried: 2, Free: freeOf([]compared{missed, {free: hunt.Sought{Executions: 50}}})},
		{ID: "never gated", Tried: 1, Free: freeOf([]compared{free(5)})},
		{ID: "sequential", Found: 1, Tried: 1},
	}
	if got := faults[0].Free; got.Found != 2 || got.Tried != 3 || got.Executions != 20 || got.Both != 2 || math.Abs(got.Ratio-4) > 1e-9 {
		t.Errorf("often: %+v", got)
	}
	c := compare(faults, 50)
	if math.Abs(c.Ratio-2) > 1e-9 {
		t.Errorf("mean of 4 and 1: %v", c.Ratio)
	}
	c.Ratio = 2
	want := &comparedJSON{Cases: 50, Both: []string{"often", "at once"}, Ratio: 2, OnlyGated: []string{"never free"}, OnlyFree: []string{"never gated"}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var out strings.Builder
	if err := printCompared(&out, matrixJSON{Faults: faults, Compared: c}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"executions to find, free ÷ gated: 2.0 over 2 faults found in either way, up to 50 cases each\n", "only the gate finds: never free\n", "only run free: never gated\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "sequential") {
		t.Errorf("a fault that is not of interleavings is compared:\n%s", out.String())
	}
}

// TestFreed: what was drawn for the gate is a program that may run free, of the same operations.
func TestFreed(t *testing.T) {
	bounds := model.DefaultBounds()
	bounds.Mode = model.Gated
	scheduled := 0
	for i := range 200 {
		p := model.Generate(model.NewSource(model.CaseSeed(1, i)), bounds)
		was := p.String()
		q := freed(p)
		if len(p.Schedule) > 0 || p.Strategy != (model.Strategy{}) {
			scheduled++
		}
		if err := q.Validate(); err != nil || q.Mode != model.Free || len(q.Schedule) > 0 || q.Strategy != (model.Strategy{}) || !cmp.Equal(p.Ops(), q.Ops()) || p.String() != was {
			t.Fatalf("%v:\n%s\nof\n%s", err, q, p)
		}
	}
	if scheduled == 0 {
		t.Error("nothing was scheduled: that it is dropped was not seen")
	}
}
