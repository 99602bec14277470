package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

var ok = model.Response{Status: model.StatusOK}

func failed(k model.ErrorKind) model.Response {
	return model.Response{Status: model.StatusError, Error: k, Text: string(k)}
}

// found is an answer with one match a canary, each at the path it belongs to.
func found(canaries ...model.Canary) model.Response {
	r := ok
	for _, c := range canaries {
		r.Matches = append(r.Matches, match(c))
	}
	return r
}

func match(c model.Canary) model.Match {
	return model.Match{Path: model.FilePath(c.File), StartLine: 1, EndLine: 9, Content: "// " + c.String() + " " + model.SharedWord}
}

func canary(project, revision, file int) model.Canary {
	return model.Canary{Project: project, Revision: revision, File: file}
}

// stats is an answer with these pools, most recently used first, and otherwise what change says.
func stats(pools []string, change func(*model.Stats)) model.Response {
	st := model.Stats{MaxProjects: 2, ActivePools: len(pools)}
	for _, p := range pools {
		st.Pools = append(st.Pools, model.PoolStats{Project: p})
	}
	if change != nil {
		change(&st)
	}
	return model.Response{Status: model.StatusOK, Stats: &st}
}

func parse(t *testing.T, text string) model.Program {
	t.Helper()
	p, err := model.Parse("program v1\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record is a history in which the program's operations follow one another. What is not in answers is
// answered with success; an ID that answers does not leave out, but that ends it, is "the last".
func record(p model.Program, answers map[int]model.Response) history.History {
	var h history.History
	at := time.Duration(0)
	for _, o := range p.Ops() {
		r, given := answers[o.ID]
		if !given {
			r = ok
		}
		h.Entries = append(h.Entries, history.Entry{Op: o, Start: at, End: at + time.Millisecond, Response: r})
		at += 2 * time.Millisecond
		if r.Status == model.StatusHung || r.Status == model.StatusPanicked {
			break
		}
	}
	return h
}

// audited adds what the audit asked after the program.
func audited(h history.History, o model.Op, r model.Response) history.History {
	at := h.Entries[len(h.Entries)-1].End + time.Millisecond
	h.Entries = append(slices.Clone(h.Entries), history.Entry{Op: o, Audit: true, Start: at, End: at + time.Millisecond, Response: r})
	return h
}

// rested adds what was seen at rest.
func rested(h history.History, rest history.Rest) history.History {
	h.Rest = &rest
	return h
}

// fingerprints are those of every violation, as the verdict lists them.
func fingerprints(v check.Verdict) string {
	var fs []string
	for _, r := range v.Results {
		for _, x := range r.Violations {
			fs = append(fs, x.Fingerprint())
		}
	}
	return strings.Join(fs, " ")
}

// status returns a family's judgement.
func status(v check.Verdict, family string) check.Status {
	for _, r := range v.Results {
		if r.Invariant == family {
			return r.Status
		}
	}
	return check.Unset
}

func statuses(v check.Verdict) string {
	var words []string
	for _, r := range v.Results {
		words = append(words, fmt.Sprintf("%s: %s", r.Invariant, r.Status))
	}
	return strings.Join(words, ", ")
}
