package check

import (
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkProgress reports operations that the runner took to hang when their deadline had passed, statements
// that outlived their operation and wait for ever, and a service that does not end.
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
	for _, op := range h.Unanswered {
		b.looked("progress", 1)
		b.violate(leftBehind(h, op))
	}
	if h.Restless != "" {
		b.undecided("progress", "the case did not come to rest though every operation had ended: "+h.Restless)
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

// leftBehind is the violation of an operation that left a statement behind which will never be answered.
func leftBehind(h history.History, op int) Violation {
	v := Violation{
		Invariant: "progress", Kind: "unanswered", Verb: "background", Position: position(h, -1),
		Sentence: "in the background", Evidence: strings.Split(h.Stacks, "\n"),
	}
	for i, e := range h.Entries {
		if op != 0 && opID(e) == op {
			v.Verb, v.Op, v.Position, v.Sentence = verbOf(e), op, position(h, i), name(e)+": it has ended, and"
		}
	}
	v.Sentence += " a statement waits for a lock that nothing is left to release"
	return v
}
