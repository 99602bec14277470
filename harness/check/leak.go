package check

import (
	"fmt"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkLeak reports what is left at rest that should not be.
func checkLeak(_ model.Program, h history.History, b *board) {
	if h.Rest == nil {
		return
	}
	b.looked("leak", len(h.Rest.Looked))
	for _, l := range h.Rest.Leaks {
		family := "leak"
		if l.What == "conservation" {
			family = "accounting"
		}
		b.violate(Violation{
			Invariant: family, Kind: l.What, Verb: "close", Position: position(h, -1),
			Sentence: fmt.Sprintf("at rest: expected %d %s; got %d: %s", l.Want, l.What, l.Got, firstLine(l.Detail)),
			Evidence: strings.Split(l.Detail, "\n"),
		})
	}
	if h.Rest.CloseError != "" {
		b.violate(Violation{
			Invariant: "errors", Kind: "close", Verb: "close", Position: position(h, -1),
			Sentence: "at the end, close: the service gave an error: " + h.Rest.CloseError,
		})
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return clip(line)
}
