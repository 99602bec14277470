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
	partSteps     = "steps" // from version 2 on, as times
	partTimes     = "times"
)

var parts = []string{partMeta, partProgram, partViolation, partHistory, partSteps, partTimes}

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
	addLines := func(name string, lines []string) {
		var b strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", quoted(line)) // the indentation keeps a line from being a marker
		}
		if len(lines) > 0 {
			add(name, b.String())
		}
	}
	addLines(partHistory, r.History)
	addLines(partSteps, formatSteps(r.Steps, r.Waits))
	addLines(partTimes, formatSpans(r.Spans))
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
