package check

import (
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkProgress reports operations that gave no answer within the program's deadline, and a service
// that does not end.
func checkProgress(_ model.Program, h history.History, b *board) {
	for i, e := range h.Entries {
		b.looked("progress", 1)
		if e.Response.Status != model.StatusHung {
			continue
		}
		b.violate(Violation{
			Invariant: "progress", Kind: "hang", Verb: verbOf(e), Op: opID(e), Position: position(h, i),
			Sentence: name(e) + ": " + e.Response.Text, Evidence: strings.Split(h.Stacks, "\n"),
		})
	}
	if h.Rest == nil {
		return
	}
	b.looked("progress", 1)
	if h.Rest.CloseHung {
		b.violate(Violation{
			Invariant: "progress", Kind: "hang", Verb: "close", Position: position(h, -1),
			Sentence: "at the end, close: the service did not end", Evidence: strings.Split(h.Stacks, "\n"),
		})
	}
}
