package repro

import (
	"fmt"
	"strings"

	"golang.org/x/tools/txtar"
)

// The parts of the archive, in the order in which they stand.
const (
	partMeta      = "meta"
	partProgram   = "program"
	partViolation = "violation"
	partHistory   = "history"
)

var parts = []string{partMeta, partProgram, partViolation, partHistory}

const headerStart = "tenantstorm repro v"

// Format returns the repro as a file, with what Redact takes out gone.
func Format(r Repro) []byte {
	r = redacted(r)
	a := &txtar.Archive{Comment: fmt.Appendf(nil, "%s%d\n", headerStart, FormatVersion)}
	add := func(name, text string) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	if meta := formatFields(metaFields(&r.Meta)); meta != "" {
		add(partMeta, meta)
	}
	add(partProgram, r.Program.String())
	if r.hasViolation() {
		fingerprint := r.Fingerprint()
		add(partViolation, formatFields(violationFields(&r.Violation, &fingerprint)))
	}
	if len(r.History) > 0 {
		var b strings.Builder
		for _, line := range r.History {
			fmt.Fprintf(&b, "  %s\n", quoted(line)) // the indentation keeps a line from being a marker
		}
		add(partHistory, b.String())
	}
	return txtar.Format(a)
}

func formatFields(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		for _, v := range f.values() {
			fmt.Fprintf(&b, "%s: %s\n", f.key, quoted(v))
		}
	}
	return b.String()
}
