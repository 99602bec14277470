package shrink_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/shrink"
	"github.com/tenantstorm/tenantstorm/model"
)

// seeds is how many failing programs of each fault are shrunk. With 400, which is 6,400 programs, three
// end in another program than the rest of their fingerprint or than enumeration says.
const seeds = 50

// failingPrograms draws programs until n fail, by fingerprint.
func failingPrograms(t *testing.T, n int, faults ...fault) map[string][]model.Program {
	t.Helper()
	found := map[string][]model.Program{}
	for seed := 0; n > 0; seed++ {
		if seed > 20000 {
			t.Fatalf("%v: found %v in %d programs", faults, len(found), seed)
		}
		p := model.Generate(model.NewSource(model.CaseSeed(1, seed)), model.DefaultBounds())
		if out := judge(p, faults...); out.Fingerprint != "" {
			found[out.Fingerprint] = append(found[out.Fingerprint], p)
			n--
		}
	}
	return found
}

func TestFakeServiceIsCorrectWithoutFaults(t *testing.T) {
	for seed := range 1000 {
		p := model.Generate(model.NewSource(uint64(seed)), model.DefaultBounds())
		if out := judge(p); out.Fingerprint != "" {
			t.Fatalf("%s\n%s", out.Fingerprint, p)
		}
	}
}

// outOfBounds are fingerprints that take a field that enumeration does not make: a limit too high.
var outOfBounds = []string{"errors/unexplained-bad-limit/search"}

// minima returns the smallest program of each fingerprint, by brute force.
func minima(b shrink.Bounds, faults []fault, fingerprints []string) (map[string]model.Program, int) {
	found, n := map[string]model.Program{}, 0
	shrink.Enumerate(b, func(p model.Program) bool {
		n++
		out := judge(p, faults...)
		if _, known := found[out.Fingerprint]; !known && slices.Contains(fingerprints, out.Fingerprint) {
			found[out.Fingerprint] = p
		}
		return len(found) < len(fingerprints)
	})
	return found, n
}

// TestShrinksToTheMinimum shrinks many failing programs of each fault: all of one fingerprint must end
// in the very program that enumeration finds first.
func TestShrinksToTheMinimum(t *testing.T) {
	for _, f := range allFaults {
		t.Run(string(f.fault), func(t *testing.T) {
			t.Parallel()
			found := failingPrograms(t, seeds, f.fault)
			fingerprints := slices.Sorted(maps.Keys(found))
			known, enumerated := minima(f.bounds, []fault{f.fault}, fingerprints)
			t.Logf("%d programs enumerated", enumerated)
			for _, fp := range fingerprints {
				finals := finalPrograms(t, f.fault, fp, found[fp])
				want, ok := known[fp]
				for text, p := range finals {
					switch {
					case !ok && p.Len() <= f.bounds.Ops && !slices.Contains(outOfBounds, fp):
						t.Errorf("%s: enumeration misses\n%s", fp, text)
					case ok && text != want.String():
						t.Errorf("%s: ends in\n%s\nthe minimum is\n%s", fp, text, want)
					case len(finals) > 2:
						t.Errorf("%s: ends in %d programs, one of them\n%s", fp, len(finals), text)
					}
				}
			}
		})
	}
}

// finalPrograms shrinks programs and returns what they end in, by text.
func finalPrograms(t *testing.T, f fault, fingerprint string, starts []model.Program) map[string]model.Program {
	t.Helper()
	finals, executions := map[string]model.Program{}, []int{}
	for _, p := range starts {
		r, err := shrink.Shrink(context.Background(), p, fingerprint, running(f), shrink.Options{})
		if err != nil || !r.Complete || r.Stopped != nil {
			t.Fatalf("%s: complete=%v, stopped=%v, error=%v", fingerprint, r.Complete, r.Stopped, err)
		}
		finals[r.Program.String()] = r.Program
		executions = append(executions, r.Executions)
	}
	slices.Sort(executions)
	for _, p := range finals {
		t.Logf("%s: %d programs end in %d, of %d operations; executions: p50 %d, most %d", fingerprint, len(starts),
			len(finals), p.Len(), executions[len(executions)/2], executions[len(executions)-1])
	}
	return finals
}
