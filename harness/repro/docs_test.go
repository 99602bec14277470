package repro_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// TestDocumentedExample: the repro that docs/FORMAT.md shows can be read, and is written as it stands.
func TestDocumentedExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "FORMAT.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```repro\n(.*?)```").FindAllSubmatch(text, -1)
	if len(examples) == 0 {
		t.Fatal("no example")
	}
	for _, e := range examples {
		r, err := repro.Parse(e[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := string(repro.Format(r)); got != string(e[1]) {
			t.Errorf("it is written as\n%s", got)
		}
		if len(r.Steps) == 0 || len(r.Waits) == 0 {
			t.Error("it shows no steps and no waits")
		}
	}
	for _, name := range []string{repro.FileName, repro.BugName, repro.TimelineName, repro.TestName, repro.PageName} {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("%s is not documented", name)
		}
	}
}
