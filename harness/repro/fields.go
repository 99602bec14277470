package repro

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenantstorm/tenantstorm/harness/check"
)

// field is a line "key: value" of a part and where its value belongs. Exactly one of the pointers is set.
type field struct {
	key   string
	text  *string
	num   *int
	texts *[]string // may stand many times
	must  bool      // stands even when empty
}

func metaFields(m *Meta) []field {
	return []field{
		{key: "target", text: &m.Target},
		{key: "seeded_fault", text: &m.SeededFault},
		{key: "seed", text: &m.Seed},
		{key: "case", text: &m.Case},
		{key: "tool", text: &m.Tool},
		{key: "go", text: &m.Go},
		{key: "pgx", text: &m.Pgx},
		{key: "postgres", text: &m.Postgres},
		{key: "platform", text: &m.Platform},
		{key: "setting", texts: &m.Settings},
		{key: "reproduced", text: &m.Reproduced},
		{key: "scheduling", text: &m.Scheduling},
	}
}

// violationFields are those of v. The fingerprint stands there to be found by a search; it is given
// by the others.
func violationFields(v *check.Violation, fingerprint *string) []field {
	return []field{
		{key: "fingerprint", text: fingerprint},
		{key: "invariant", text: &v.Invariant, must: true},
		{key: "kind", text: &v.Kind, must: true},
		{key: "verb", text: &v.Verb, must: true},
		{key: "op", num: &v.Op},
		{key: "position", num: &v.Position},
		{key: "sentence", text: &v.Sentence},
		{key: "evidence", texts: &v.Evidence},
	}
}

func (f field) values() []string {
	switch {
	case f.texts != nil:
		return *f.texts
	case f.num != nil && *f.num != 0:
		return []string{strconv.Itoa(*f.num)}
	case f.text != nil && (*f.text != "" || f.must):
		return []string{*f.text}
	}
	return nil
}

// quoted returns s as it stands on a line: itself or, where it would not come back the same, in Go's
// quotes.
func quoted(s string) string {
	plain := s != "" && s[0] != '"' && strings.TrimSpace(s) == s && utf8.ValidString(s)
	for _, r := range s {
		plain = plain && unicode.IsPrint(r)
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// unquoted is the inverse of quoted.
func unquoted(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, true
	}
	t, err := strconv.Unquote(s)
	return t, err == nil
}
