package cli

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

func TestExitCode(t *testing.T) {
	trouble, closing := errors.New("no server"), errors.New("not stopped")
	for _, c := range []struct {
		why  string
		err  error
		code int
		said string
	}{
		{"an outcome without complaint", nil, 0, ""},
		{"a plain error is the environment's", trouble, 2, "tenantstorm: no server\n"},
		{"a code alone says nothing more", &exitError{code: 1}, 1, ""},
		{"a code with its reason", &exitError{code: 125, err: trouble}, 125, "tenantstorm: no server\n"},
		{"closing failed after nothing", alsoFailed(nil, closing), 2, "tenantstorm: not stopped\n"},
		{"closing failed after a finding, which stays one", alsoFailed(&exitError{code: 1}, closing), 1, "tenantstorm: not stopped\n"},
		{"closing failed after trouble: both are told", alsoFailed(trouble, closing), 2, "tenantstorm: no server\nnot stopped\n"},
		{"closing went well", alsoFailed(trouble, nil), 2, "tenantstorm: no server\n"},
	} {
		var stderr bytes.Buffer
		if code := exitCode(c.err, &stderr); code != c.code || stderr.String() != c.said {
			t.Errorf("%s: %d %q, want %d %q", c.why, code, stderr.String(), c.code, c.said)
		}
	}
}

// scripted finds one fault in programs that hold and another in those that drop.
type scripted struct{}

func (scripted) Do(ctx context.Context, c worker.Case) (worker.Outcome, error) {
	if ctx.Err() != nil {
		return worker.Outcome{}, context.Cause(ctx)
	}
	out := worker.Outcome{Verdict: check.Verdict{Status: check.Pass}}
	fail := func(v check.Violation) {
		out.Verdict = check.Verdict{Status: check.Fail, Results: []check.Result{{Invariant: v.Invariant, Status: check.Fail, Violations: []check.Violation{v}}}}
	}
	switch {
	case strings.Contains(c.Program, "drop"):
		fail(check.Violation{Invariant: "errors", Kind: "unexplained", Verb: "drop"})
	case strings.Contains(c.Program, "hold"):
		fail(check.Violation{Invariant: "leak", Kind: "lease", Verb: "hold"})
	}
	return out, nil
}

func TestSearchForPassesOverWhatTheFaultDoesNotExplain(t *testing.T) {
	options := hunt.Options{Runner: scripted{}, Parallel: 1, Seed: 1, Bounds: model.DefaultBounds(), Budget: time.Minute}
	for _, c := range []struct {
		explains string
		found    string
		others   []string
	}{
		{"leak/", "leak/lease/hold", nil},
		{"errors/", "errors/unexplained/drop", []string{"leak/lease/hold"}},
	} {
		// Which of the two shows first depends on the seed alone.
		found, others, err := searchFor(t.Context(), seeded.Fault{Invariants: []string{c.explains}}, options)
		if err != nil || found == nil || found.Fingerprint != c.found {
			t.Fatalf("%s: %+v, %v", c.explains, found, err)
		}
		if diff := cmp.Diff(c.others, others); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.explains, diff)
		}
		if found.Operations != 1 || !found.Minimal {
			t.Errorf("%s: %+v", c.explains, found)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, _, err := searchFor(ctx, seeded.Fault{Invariants: []string{"lru/"}}, options); found != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %+v, %v", found, err)
	}
}

func TestMatrixReport(t *testing.T) {
	killed := func(executions, operations int, fingerprint string) kill {
		family, _, _ := strings.Cut(fingerprint, "/")
		return kill{Finding: hunt.Finding{Fingerprint: fingerprint, Violation: check.Violation{Invariant: family},
			Executions: executions, FoundAfter: time.Duration(executions) * time.Second, Operations: operations, Shrink: 10 * executions}}
	}
	fault := seeded.Fault{ID: "f", Class: seeded.Sequential, Operations: 3}
	clean := hunt.Summary{Verdict: check.Inconclusive, Executions: 5, Operations: 50} // too little of some family
	accused := hunt.Summary{Verdict: check.Fail, Executions: 5, Operations: 50, Findings: []hunt.Finding{{Fingerprint: "lru/order/stats"}}}
	stray := hunt.Summary{Verdict: check.Inconclusive, Executions: 5, Unconfirmed: []string{"x"}}
	all := &row{fault: fault, tried: 3, kills: []kill{killed(9, 3, "lru/order/stats"), killed(1, 4, "lru/cap/stats"), killed(4, 3, "errors/x/y")}}
	for _, c := range []struct {
		why         string
		row         *row
		clean       hunt.Summary
		interrupted bool
		headline    string
	}{
		{"everything as it should be", all, clean, false, "PASS: 1 fault found from 3 seeds each"},
		{"one seed in vain", &row{fault: fault, tried: 3, kills: all.kills[:2]}, clean, false, "FAIL: 1 fault not found from every seed"},
		{"the clean service accused", all, accused, false, "FAIL: the clean service is accused"},
		{"something unconfirmed in the clean service", all, stray, false, "INCONCLUSIVE: the clean service was not judged"},
		{"interrupted", &row{fault: fault, tried: 2, kills: all.kills[:2]}, clean, true, "INCONCLUSIVE: interrupted"},
		{"a patch that does not fit any more", &row{fault: fault, stale: errors.New("stale")}, clean, false, "INCONCLUSIVE: 1 fault could not be built"},
	} {
		m := &matrix{flags: &selftestFlags{seeds: 3}, rows: []*row{c.row}, tries: []hunt.Summary{c.clean}}
		if got := m.report(c.interrupted).headline(); got != c.headline {
			t.Errorf("%s: %q, want %q", c.why, got, c.headline)
		}
	}
	m := &matrix{flags: &selftestFlags{seeds: 3}, rows: []*row{all}, tries: []hunt.Summary{clean, accused}}
	got := m.report(false)
	want := killJSON{ID: "f", Found: 3, Tried: 3, Invariant: "lru", Fingerprints: []string{"errors/x/y", "lru/cap/stats", "lru/order/stats"},
		Executions: 4, Seconds: 4, Operations: 3, MinimumOperations: 3, AtMinimum: 2, ShrinkExecutions: 40,
		Class: string(seeded.Sequential)}
	for _, k := range all.kills {
		want.Searches = append(want.Searches, killedBy{Fingerprint: k.Fingerprint, Executions: k.Executions, Seconds: k.FoundAfter.Seconds(),
			Operations: k.Operations, ShrinkExecutions: k.Shrink, Program: k.Program.String()})
	}
	if diff := cmp.Diff(want, got.Faults[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := got.Clean; c.Operations != 100 || c.Executions != 10 || c.Findings != 1 || c.Tried != 2 {
		t.Errorf("%+v", c)
	}
	path := filepath.Join(t.TempDir(), "matrix.md")
	if err := writeMatrix(path, got, &selftestFlags{seeds: 3, seed: 1, budget: time.Minute}, "PostgreSQL 15"); err != nil {
		t.Fatal(err)
	}
	page := string(readFile(t, path))
	for _, line := range []string{
		"| f | 3/3 | errors/x/y, lru/cap/stats, lru/order/stats | 4 | 4.0 | 3 (3) | 0 (0) | 2/3 | 1.33 | 1 | 40, 0.0 |",
		"| shrunk to the size of the known minimum | 2 of 3 (66.7 %) |",
		"| executions to shrink, minimum of up to 6 operations | median 40, p95 90 |",
		"10 cases, 100 operations, 1 finding in 0 s of search.",
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("no line %q in\n%s", line, page)
		}
	}
}

// TestQuantile: the smallest value that so many do not exceed.
func TestQuantile(t *testing.T) {
	var of []killedBy
	for n := range 20 {
		of = append(of, killedBy{ShrinkExecutions: 20 - n})
	}
	value := func(s killedBy) int { return s.ShrinkExecutions }
	for part, want := range map[float64]int{0.5: 10, 0.95: 19, 1: 20, 0.01: 1} {
		if got := quantile(of, part, value); got != want {
			t.Errorf("%v: %d, want %d", part, got, want)
		}
	}
	if got := quantile(nil, 0.5, value); got != 0 {
		t.Errorf("of none: %d", got)
	}
}

// TestJUnit wants what is not a pass not to look like one.
func TestJUnit(t *testing.T) {
	sum := hunt.Summary{
		Invariants: []hunt.Invariant{
			{Name: "isolation", Checked: 3, Status: check.Pass}, {Name: "lru", Checked: 1, Status: check.Fail},
			{Name: "leak", Status: check.Inconclusive}, {Name: "accounting", Status: check.NotApplicable, Note: "no statistics"},
			{Name: "search"},
		},
		Findings:    []hunt.Finding{{Fingerprint: "lru/order/stats", Violation: check.Violation{Invariant: "lru", Sentence: `p0 < p1 & "x"`}}},
		Unconfirmed: []string{"lru/cap/stats in case 3"},
	}
	path := t.TempDir() + "/storm.xml"
	if err := writeJUnit(path, sum, "", errors.New("the server is gone")); err != nil {
		t.Fatal(err)
	}
	var s junitSuite
	data := readFile(t, path)
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if s.Tests != 6 || s.Failures != 1 || s.Errors != 3 || s.Skipped != 1 || len(s.Cases) != 6 || s.Error != "the server is gone" {
		t.Errorf("%+v", s)
	}
	for _, c := range s.Cases {
		passes := c.Failure == nil && c.Error == nil && c.Skipped == nil
		if passes != (c.Name == "isolation") {
			t.Errorf("%+v", c)
		}
	}
	if f := s.Cases[1].Failure; f == nil || f.Message != `lru/order/stats: p0 < p1 & "x"` || !strings.Contains(f.Text, "FINDING 1") {
		t.Errorf("%+v", f)
	}
}
