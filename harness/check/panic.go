package check

import (
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkPanic reports operations in which the service panicked. A panic in one of the service's own
// goroutines ends the worker; its parent reports that one.
func checkPanic(_ model.Program, h history.History, b *board) {
	for i, e := range h.Entries {
		b.looked("panic", 1)
		if e.Response.Status != model.StatusPanicked {
			continue
		}
		value, _, _ := strings.Cut(e.Response.Text, "\n")
		b.violate(Violation{
			Invariant: "panic", Kind: "panic", Verb: verbOf(e), Op: opID(e), Position: position(h, i),
			Sentence: name(e) + ": the service panicked: " + strings.TrimPrefix(value, "panic: "),
			Evidence: strings.Split(e.Response.Text, "\n"),
		})
	}
}
