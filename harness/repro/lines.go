package repro

import (
	"fmt"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// shownCanaries is how many canaries of an answer a line names.
const shownCanaries = 4

// Lines returns the history for people, a line an operation: what was asked and what came of it,
// without times, so that two executions that go the same way give the same lines.
func Lines(h history.History) []string {
	var lines []string
	for _, e := range h.Entries {
		lines = append(lines, name(e)+" → "+result(e.Response))
	}
	if h.Rest == nil {
		return lines
	}
	for _, l := range h.Rest.Leaks {
		lines = append(lines, fmt.Sprintf("at rest: %d %s, expected %d", l.Got, l.What, l.Want))
	}
	if h.Rest.CloseHung {
		lines = append(lines, "at the end: close hung")
	}
	if h.Rest.CloseError != "" {
		lines = append(lines, "at the end: close → error: "+clipLine(h.Rest.CloseError))
	}
	return lines
}

// name is the operation as it stands in the program; the audit's have neither ID nor session.
func name(e history.Entry) string {
	text := e.Op.String()
	if !e.Audit {
		return text
	}
	words := strings.SplitN(text, " ", 3)
	return "at the end: " + words[len(words)-1]
}

func result(r model.Response) string {
	switch {
	case r.Status == model.StatusError && r.Text != "" && r.Text != string(r.Error):
		return fmt.Sprintf("error %s: %s", r.Error, clipLine(r.Text))
	case r.Status == model.StatusError:
		return fmt.Sprintf("error %s", r.Error)
	case r.Status == model.StatusOK && r.Stats != nil:
		return "ok: " + stats(*r.Stats)
	case r.Status == model.StatusOK && len(r.Matches) > 0:
		return "ok: " + matches(r.Matches)
	case r.Text != "":
		return fmt.Sprintf("%s: %s", r.Status, clipLine(r.Text))
	}
	return r.Status.String()
}

func stats(s model.Stats) string {
	names := make([]string, len(s.Pools))
	for i, p := range s.Pools {
		names[i] = clipLine(p.Project)
	}
	return fmt.Sprintf("pools %d of %d [%s], hits %d, misses %d, creations %d, evictions %d, drops %d, draining %d",
		s.ActivePools, s.MaxProjects, strings.Join(names, ", "), s.CacheHits, s.CacheMisses, s.Creations, s.Evictions, s.Drops, s.Draining)
}

func matches(ms []model.Match) string {
	n := fmt.Sprintf("%d matches", len(ms))
	if len(ms) == 1 {
		n = "1 match"
	}
	var text strings.Builder
	for _, m := range ms {
		text.WriteString(m.Path + " " + m.Content + "\n")
	}
	found := model.FindCanaries(text.String())
	var names []string
	for _, c := range found[:min(len(found), shownCanaries)] {
		names = append(names, c.String())
	}
	switch {
	case len(found) == 0:
		return n + ", no canaries"
	case len(found) > shownCanaries:
		names = append(names, fmt.Sprintf("and %d more", len(found)-shownCanaries))
	}
	return n + ": " + strings.Join(names, ", ")
}

// clipLine returns the first line of a text, shortened.
func clipLine(s string) string {
	const most = 160
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + " …"
	}
	return s
}
