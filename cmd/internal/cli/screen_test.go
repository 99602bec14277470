package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tell is a hunt's story up to its first finding.
func tell(s *screen) {
	s.progress(hunt.Progress{Executions: 1, Operations: 20})
	s.show()
	s.progress(hunt.Progress{Elapsed: time.Second, Executions: 2, Operations: 41, Shrinking: "lru/order/stats", Candidates: 1})
	s.progress(hunt.Progress{Elapsed: time.Second, Executions: 2, Operations: 41, Shrinking: "lru/order/stats", Candidates: 2})
	s.show()
	s.progress(hunt.Progress{Elapsed: 2 * time.Second, Found: &hunt.Finding{Fingerprint: "lru/order/stats", Case: 1, Operations: 3}})
	s.close()
	s.close()
	s.progress(hunt.Progress{Shrinking: "too late"})
}

func TestScreen(t *testing.T) {
	news := []string{"shrinking lru/order/stats", "found lru/order/stats in case 1, shrunk to 3 operations"}
	progress := []string{"1 case  20 operations  0 findings", "2 cases  41 operations  0 findings  shrinking lru/order/stats, 2 executions"}
	for _, live := range []bool{false, true} {
		var w bytes.Buffer
		s := &screen{w: &w, live: live, began: time.Now()} // not started: the test is its clock
		tell(s)
		// On a terminal a line of progress ends by being cleared.
		var lines []string
		for line := range strings.Lines(strings.ReplaceAll(w.String(), "\r\x1b[K", "~\n")) {
			_, text, _ := strings.Cut(strings.TrimSpace(line), "s  ")
			lines = append(lines, text)
		}
		clear := ""
		if live {
			clear = "~"
		}
		want := []string{progress[0] + clear, news[0], progress[1] + clear, news[1]}
		if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
			t.Errorf("live %v: got\n%s\nwant\n%s", live, got, want)
		}
	}
}
