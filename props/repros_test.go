package props

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// TestRepros replays every repro that was ever kept. On the service as it is, none may show; one that
// was found in a seeded fault must still show there, or the file no longer proves anything.
func TestRepros(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "repros", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no repros found: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := repro.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, clean, r)
			if got.Violation != nil || len(got.Other) > 0 || got.Unknown > 0 {
				t.Errorf("on the service as it is: %+v", got)
			}
			if r.Meta.SeededFault == "" || testing.Short() {
				return
			}
			fault, err := seeded.Get(r.Meta.SeededFault)
			if err != nil {
				t.Fatal(err)
			}
			path, err := seeded.Build(t.Context(), seeded.BuildOptions{Fault: &fault})
			if err != nil {
				t.Fatal(err)
			}
			workers, err := fleet(path, "f")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := workers.Close(); err != nil {
					t.Error(err)
				}
			}()
			if got := replay(t, workers, r); got.Same != got.Times {
				t.Errorf("with %s: reproduced %d of %d: %+v", fault.ID, got.Same, got.Times, got)
			}
		})
	}
}

func replay(t *testing.T, runner hunt.Runner, r repro.Repro) hunt.Replayed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), caseTime)
	defer cancel()
	got, err := hunt.Replay(ctx, runner, r.Program, r.Fingerprint(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
