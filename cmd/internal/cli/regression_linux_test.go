package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// indexed is a result of this machine, of an index of a few generated files that took so long.
func indexed(t *testing.T, path string, seconds float64, change func(*bench.Result)) {
	t.Helper()
	m := bench.Metric{Name: "index_over_copy", Unit: "×", Gate: true, Relative: true}
	for i := range 20 {
		m.Samples = append(m.Samples, seconds*(1+float64(i)/1000))
	}
	m.Summary = bench.Summarize(m.Samples)
	r := &bench.Result{
		Schema: bench.SchemaVersion, Kind: bench.KindIndex, Machine: bench.ThisMachine(), Bounds: []bench.Bound{}, Metrics: []bench.Metric{m}, Verdict: bench.Pass,
		Settings: map[string]string{"files": "10", "seed": "42", "project": "p", "repository": "generated, version 1"},
	}
	change(r)
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRegressionsAreLookedInto compares results of this machine: what became worse is run once more, where it can be.
func TestRegressionsAreLookedInto(t *testing.T) {
	server := openServer(t)
	for _, row := range []struct {
		why      string
		change   func(*bench.Result)
		gathered bool
		says     string
	}{
		{"of this machine", func(*bench.Result) {}, true, "evidence: "},
		{"of another machine", func(r *bench.Result) { r.Machine.Cores += 7 }, false, "no evidence was gathered: the result is of another machine"},
		{"of a repository that was given", func(r *bench.Result) { r.Settings["repository"] = "given" }, false, "no evidence was gathered: the result is of a repository that was given"},
		{"that does not say of what", func(r *bench.Result) { delete(r.Settings, "files") }, false, `no evidence was gathered: the result's setting files is ""`},
	} {
		t.Run(row.why, func(t *testing.T) {
			dir := t.TempDir()
			before, after := filepath.Join(dir, "before.json"), filepath.Join(dir, "after.json")
			indexed(t, before, 1, row.change)
			indexed(t, after, 2, row.change)
			r := start(t, nil, "baseline", "compare", before, after, "--postgres", server.DSN())
			if code := r.end(t).ExitCode(); code != 1 {
				t.Errorf("exit code %d\n%s", code, r.said.String())
			}
			if !strings.Contains(r.stdout.String()+r.said.String(), row.says) {
				t.Errorf("it does not say %q:\n%s\n%s", row.says, r.stdout.String(), r.said.String())
			}
			text, err := os.ReadFile(filepath.Join(dir, "after-evidence", "evidence.md"))
			if (err == nil) != row.gathered {
				t.Fatalf("evidence: %v", err)
			}
			if row.gathered && !strings.Contains(string(text), "index_over_copy: 2.0") {
				t.Errorf("%s", text)
			}
			nothingLeft(t, server)
		})
	}
}
