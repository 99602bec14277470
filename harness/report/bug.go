package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// rules says what each family of invariants promises, for readers who have never heard of it.
var rules = map[string]string{
	"panic":      "No operation may make the service panic.",
	"isolation":  "No answer about one project may hold bytes of another, and a switch in one session may move no other.",
	"search":     "What was acknowledged is found: the last revision, all of it, and nothing else.",
	"lru":        "At most max_projects pools may be resident, one a project, and the least recently used leaves first.",
	"errors":     "No operation may fail unless the program explains it, and one that must fail has to.",
	"progress":   "Every operation ends, and so does the service when it is closed.",
	"accounting": "Each acquisition is a hit or a miss, each miss a creation, and the counters tell just that.",
	"leak":       "At rest nothing is left over: no backend, no lease, no goroutine, no evicted pool.",
	"latency":    "No operation may take more round trips, or more time, than its bound.",
}

// Bug returns the report of a bug, in Markdown, ready to be sent to whoever keeps the service. name is what
// the folder is called; page says that there is a page that draws the violation.
func Bug(r repro.Repro, name string, page bool) []byte {
	var b strings.Builder
	title := r.Fingerprint()
	if title == "" {
		title = "a program that fails"
	}
	fmt.Fprintf(&b, "# %s\n", markdown(title))
	writeViolation(&b, r)
	b.WriteString("\n## What happened\n\n")
	for i, line := range Story(r) {
		fmt.Fprintf(&b, "%d. %s\n", i+1, markdown(line))
	}
	fmt.Fprintf(&b, "\n![the operations over the course of the program](%s)\n", repro.TimelineName)
	if page {
		fmt.Fprintf(&b, "\n[%s](%s) shows how far an order of the operations explains the answers, and where none goes on.\n", repro.PageName, repro.PageName)
	}
	b.WriteString("\n## The program\n\n")
	writeFenced(&b, strings.Split(strings.TrimRight(r.Program.String(), "\n"), "\n"))
	b.WriteString("\nThe service hears the projects called")
	for i := range r.Program.Projects {
		fmt.Fprintf(&b, "%s p%d `%s`", comma(i), i, strings.ReplaceAll(strconv.Quote(r.Program.ProjectName(i)), "`", "'"))
	}
	b.WriteString(".\n")
	writeReplay(&b, r, name)
	writeEnvironment(&b, r.Meta)
	return []byte(b.String())
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func writeViolation(b *strings.Builder, r repro.Repro) {
	v := r.Violation
	if v.Sentence == "" {
		return
	}
	b.WriteString("\n## What was expected, and what was seen\n\n")
	fmt.Fprintf(b, "%s\n", markdown(quoteless(v.Sentence)))
	if rule := rules[v.Invariant]; rule != "" {
		fmt.Fprintf(b, "\nWhat is broken is *%s*: %s\n", markdown(v.Invariant), rule)
	}
	if len(v.Evidence) > 0 {
		b.WriteString("\nThe answer, as the service gave it:\n\n")
		writeFenced(b, v.Evidence)
	}
}

func writeReplay(b *strings.Builder, r repro.Repro, name string) {
	b.WriteString("\n## Replay\n\n")
	command := "tenantstorm replay " + name
	if r.Meta.SeededFault == "" && r.Meta.Target != "" && r.Meta.Target != builtIn {
		command = "tenantstorm replay --worker BINARY " + name
	}
	writeFenced(b, []string{command})
	b.WriteString("\nIt needs a PostgreSQL, which it finds or starts by itself (`tenantstorm doctor` tells). ")
	switch {
	case r.Program.Mode == model.Free:
		b.WriteString("The operations run at once, and which goes first is the machine's doing: not every replay shows it.")
	case r.Meta.Scheduling == repro.Settled:
		b.WriteString("The order of the messages is part of the program. The service runs in another process, which counts as at rest when it is silent: " +
			"where it thinks for longer than that, a replay takes other steps, and says so.")
	case r.Program.Mode == model.Gated:
		b.WriteString("The order of the messages is part of the program, so every replay takes it.")
	default:
		b.WriteString("One operation runs at a time, so every replay takes the same course.")
	}
	if r.Meta.Reproduced != "" {
		fmt.Fprintf(b, " On databases made anew it showed in %s executions.", markdown(r.Meta.Reproduced))
	}
	if r.Meta.SeededFault != "" {
		fmt.Fprintf(b, " The fault was seeded: the replay builds the service with `%s`.", quoteless(r.Meta.SeededFault))
	}
	fmt.Fprintf(b, "\n\n`%s` is the same as a Go test: in a module that requires tenantstorm, `go test ./%s`.\n", repro.TestName, name)
}

func writeEnvironment(b *strings.Builder, m repro.Meta) {
	rows := [][2]string{
		{"target", m.Target}, {"seeded fault", m.SeededFault}, {"seed", m.Seed}, {"case", m.Case},
		{"tenantstorm", m.Tool}, {"Go", m.Go}, {"pgx", m.Pgx}, {"PostgreSQL", m.Postgres}, {"platform", m.Platform},
	}
	for _, s := range m.Settings {
		name, value, _ := strings.Cut(s, " = ")
		rows = append(rows, [2]string{name, value})
	}
	b.WriteString("\n## Environment\n\n| | |\n|---|---|\n")
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(b, "| %s | %s |\n", markdown(row[0]), markdown(row[1]))
		}
	}
}

// writeFenced writes lines as they are, but for what would not show, between fences that none of them ends.
func writeFenced(b *strings.Builder, lines []string) {
	fence := "```"
	for _, line := range lines {
		for strings.Contains(line, fence) {
			fence += "`"
		}
	}
	b.WriteString(fence + "text\n")
	for _, line := range lines {
		b.WriteString(visible(line) + "\n")
	}
	b.WriteString(fence + "\n")
}

// visible returns a text with what has no glyph escaped, as in Go's strings.
func visible(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(unicode.ReplacementChar)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			quoted := strconv.QuoteRune(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// special is what Markdown, and HTML within it, would take for something else than text.
const special = `\*_[]<>#&|~!`

// markdown returns a text that reads as itself in Markdown; what stands between backticks stays code.
func markdown(s string) string {
	var b strings.Builder
	code := false
	for _, c := range visible(s) {
		switch {
		case c == '`':
			code = !code
		case !code && c == '#':
			// Escaped at the beginning of a line only: elsewhere it is an operation's ID.
			if b.Len() == 0 {
				b.WriteByte('\\')
			}
		case !code && strings.ContainsRune(special, c):
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	if code {
		b.WriteByte('`')
	}
	return b.String()
}

// quoteless returns a text without backticks, which in ours mark what is quoted.
func quoteless(s string) string { return strings.ReplaceAll(s, "`", "'") }
