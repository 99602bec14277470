package worker

import (
	"net/url"
	"slices"
	"strings"
)

// scrubber takes secrets out of text that came from a service.
type scrubber struct {
	replace *strings.Replacer
	longest int // bytes of the longest secret
}

// newScrubber returns one for the secrets of a connection string, as URL or as keywords, and of an
// environment.
func newScrubber(dsn string, env []string) scrubber {
	var secrets []string
	if scheme, rest, ok := strings.Cut(dsn, "://"); ok && strings.HasPrefix(scheme, "postgres") {
		secrets = append(secrets, urlSecrets(rest)...)
	} else {
		secrets = append(secrets, keywordSecrets(dsn)...)
	}
	for _, v := range env {
		if name, value, _ := strings.Cut(v, "="); name == "PGPASSWORD" || name == "PGSSLPASSWORD" {
			secrets = append(secrets, value)
		}
	}
	for _, s := range slices.Clone(secrets) {
		secrets = append(secrets, url.PathEscape(s), url.QueryEscape(s), strings.ReplaceAll(s, `'`, `\'`))
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	longest := 0
	for _, s := range secrets {
		longest = max(longest, len(s))
		pairs = append(pairs, s, "***")
	}
	return scrubber{replace: strings.NewReplacer(pairs...), longest: longest}
}

func (s scrubber) text(t string) string { return s.replace.Replace(t) }

func (s scrubber) texts(ts []string) {
	for i := range ts {
		ts[i] = s.text(ts[i])
	}
}

// report takes the secrets out of whatever the service may have said in a report.
func (s scrubber) report(r *Report) {
	r.Broken = s.text(r.Broken)
	s.texts(r.Log)
	for i := range r.Verdict.Results {
		res := &r.Verdict.Results[i]
		res.Note = s.text(res.Note)
		for j := range res.Violations {
			res.Violations[j].Sentence = s.text(res.Violations[j].Sentence)
			s.texts(res.Violations[j].Evidence)
		}
	}
	h := &r.History
	h.Stacks, h.Restless = s.text(h.Stacks), s.text(h.Restless)
	s.texts(h.Broken)
	for i := range h.Entries {
		h.Entries[i].Response.Text = s.text(h.Entries[i].Response.Text)
	}
	if h.Rest != nil {
		h.Rest.CloseError = s.text(h.Rest.CloseError)
		for i := range h.Rest.Leaks {
			h.Rest.Leaks[i].Detail = s.text(h.Rest.Leaks[i].Detail)
		}
	}
}

// urlSecrets finds the passwords in what follows the scheme, also where the URL is not a valid one. Each
// is returned as it is written and as it is meant.
func urlSecrets(rest string) []string {
	var found []string
	authority, query := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		query = rest[i+1:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		_, raw, _ := strings.Cut(authority[:i], ":")
		found = append(found, raw)
		if meant, err := url.PathUnescape(raw); err == nil {
			found = append(found, meant)
		}
	}
	for _, pair := range strings.Split(query, "&") {
		if name, raw, _ := strings.Cut(pair, "="); secretKeyword(name) {
			found = append(found, raw)
			if meant, err := url.QueryUnescape(raw); err == nil {
				found = append(found, meant)
			}
		}
	}
	return found
}

func secretKeyword(name string) bool { return name == "password" || name == "sslpassword" }

// keywordSecrets finds the passwords in a connection string of the form "name=value name='a value'", and the
// directory of a socket, which is a place on this machine.
func keywordSecrets(dsn string) []string {
	var found []string
	for dsn != "" {
		name, rest, ok := strings.Cut(dsn, "=")
		if !ok {
			break
		}
		rest = strings.TrimLeft(rest, " \t\n")
		var value strings.Builder
		quoted := strings.HasPrefix(rest, "'")
		i := 0
		if quoted {
			i = 1
		}
		for ; i < len(rest); i++ {
			if c := rest[i]; c == '\\' && i+1 < len(rest) {
				i++
			} else if quoted && c == '\'' || !quoted && (c == ' ' || c == '\t' || c == '\n') {
				i++
				break
			}
			value.WriteByte(rest[i])
		}
		name = strings.TrimSpace(name)
		if secretKeyword(name) || name == "host" && strings.HasPrefix(value.String(), "/") {
			found = append(found, value.String(), strings.Trim(strings.TrimSpace(rest[:i]), "'"))
		}
		dsn = rest[i:]
	}
	return found
}
