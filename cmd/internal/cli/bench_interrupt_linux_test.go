package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterruptedMeasurementsEndCleanly interrupts each in the middle: no result, and nothing left on the server.
func TestInterruptedMeasurementsEndCleanly(t *testing.T) {
	for _, row := range []struct {
		underWay string // a line of progress
		args     []string
	}{
		{`run \d+ of`, []string{"bench", "index", "--files", "300", "--runs", "1000"}},
		{`run \d+ of`, []string{"bench", "search", "--files", "100", "--runs", "1000"}},
		{"load\n", []string{"stress", "--duration", "5m", "--projects", "12", "--concurrent-searches", "10"}},
	} {
		t.Run(strings.Join(row.args[:2], " "), func(t *testing.T) {
			server := openServer(t)
			r := start(t, nil, append(row.args, "--json", "--output", "result.json", "--postgres", server.DSN())...)
			r.until(t, row.underWay)
			if err := r.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := r.end(t).ExitCode(); code != 3 {
				t.Errorf("exit code %d\n%s", code, r.said.String())
			}
			if !strings.Contains(r.said.String(), "tenantstorm: interrupted: there is no result\n") {
				t.Errorf("what was said:\n%s", r.said.String())
			}
			if r.stdout.Len() > 0 {
				t.Errorf("stdout: %s", r.stdout.String())
			}
			if found, err := filepath.Glob(filepath.Join(r.Dir, "*")); err != nil || len(found) > 0 {
				t.Errorf("written: %v, %v", found, err)
			}
			nothingLeft(t, server)
		})
	}
}
