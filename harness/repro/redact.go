package repro

import (
	"regexp"
	"slices"
)

// What a service says may name the machine it runs on: error texts hold connection strings, stacks hold
// paths. A repro is made to be published, so these go, whatever the caller has taken out before.
var redactions = []struct {
	what *regexp.Regexp
	with string
}{
	// Connection strings as URLs, whole.
	{regexp.MustCompile(`(?i)\b(postgres(?:ql)?)://[^\s"'` + "`" + `]+`), "$1://…"},
	// pgx's account of a failed connection: user, database, host and addresses.
	{regexp.MustCompile("(failed to connect to )`[^`]*`:?(?:\\s+\\S+ \\([^)]*\\):)?"), "$1…:"},
	{regexp.MustCompile(`\b(lookup )[^\s:]+( on [^\s]+)?`), "$1…"},
	// Connection strings as keywords.
	{regexp.MustCompile(`(?i)\b((?:ssl)?password|pgpassword|passfile|user|hostaddr|host|sslkey|sslcert)(\s?=\s?)(?:'(?:[^'\\]|\\.)*'|[^\s'"` + "`" + `,;)]+)`), "$1$2…"},
	// Absolute paths: the last element stays, which in a stack is the file and its line.
	{regexp.MustCompile(`(^|[\s"'` + "`" + `(=\[,:])(?:/[^\s/"'` + "`" + `():,]+)+/([^\s/"'` + "`" + `():,]+)`), "$1…/$2"},
}

// Redact returns text without connection strings, passwords, users, hosts and absolute paths.
func Redact(text string) string {
	for _, r := range redactions {
		text = r.what.ReplaceAllString(text, r.with)
	}
	return text
}

// redacted returns r with all text that does not come from the program redacted.
func redacted(r Repro) Repro {
	for _, f := range metaFields(&r.Meta) {
		if f.texts != nil {
			*f.texts = redactAll(*f.texts)
		} else {
			*f.text = Redact(*f.text)
		}
	}
	r.Violation.Sentence = Redact(r.Violation.Sentence)
	r.Violation.Evidence = redactAll(r.Violation.Evidence)
	r.History = redactAll(r.History)
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		r.Steps[i].Label = Statement(r.Steps[i].Label)
	}
	return r
}

func redactAll(lines []string) []string {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i] = Redact(lines[i])
	}
	return lines
}
