package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// result returns a family's row.
func result(t *testing.T, v check.Verdict, family string) check.Result {
	t.Helper()
	i := slices.IndexFunc(v.Results, func(r check.Result) bool { return r.Invariant == family })
	if i < 0 {
		t.Fatalf("no row of %s", family)
	}
	return v.Results[i]
}

// TestUnanswered: a statement that waits for ever is the fault of the operation that left it behind.
func TestUnanswered(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject)
	for op, want := range map[int]struct{ fingerprint, sentence string }{
		2: {"progress/unanswered/search", "#2 s0 search p0 own: it has ended, and a statement waits"},
		0: {"progress/unanswered/background", "in the background a statement waits"},
	} {
		h := record(p, map[int]model.Response{2: both})
		h.Unanswered, h.Stacks = []int{op}, "#2 waits\nand so does\n"
		v := check.Judge(p, h)
		first := v.First()
		if v.Status != check.Fail || fingerprints(v) != want.fingerprint || first.Op != op || !strings.HasPrefix(first.Sentence, want.sentence) || first.Evidence[0] != "#2 waits" {
			t.Errorf("%d: %s: %s: %+v", op, v.Status, fingerprints(v), first)
		}
	}
}

// TestRestless: what may still end is no violation, and progress does not pass.
func TestRestless(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject)
	h := record(p, map[int]model.Response{2: both})
	h.Restless = "PostgreSQL has not answered"
	v := check.Judge(p, h)
	row := result(t, v, "progress")
	if v.First() != nil || row.Status != check.Inconclusive || !strings.HasSuffix(row.Note, ": PostgreSQL has not answered") {
		t.Errorf("%s: %+v", fingerprints(v), row)
	}
	h.Entries[1].Response = model.Response{Status: model.StatusHung}
	if v := check.Judge(p, h); fingerprints(v) != "progress/hang/search" {
		t.Errorf("with a hang: %s", fingerprints(v))
	}
}

// TestBroken: a connection that broke explains, and accuses nobody.
func TestBroken(t *testing.T) {
	p := parse(t, "mode gated\n"+oneProject)
	broken := []string{"a connection of #2: read from server: EOF"}
	h := record(p, map[int]model.Response{2: both})
	h.Broken = broken
	if v := check.Judge(p, h); v.Status != check.Pass {
		t.Errorf("%s: %s", v.Status, fingerprints(v))
	}
	h = record(p, map[int]model.Response{2: text(failed(model.ErrOther), "unexpected EOF")})
	plain := check.Judge(p, h).First()
	h.Broken = broken
	first := check.Judge(p, h).First()
	if first == nil || first.Fingerprint() != plain.Fingerprint() || !slices.Equal(first.Evidence, append(plain.Evidence, "broken: "+broken[0])) {
		t.Errorf("%+v, without the note %+v", first, plain)
	}
	if history := (history.History{Broken: broken}); check.Judge(p, history).Status != check.Inconclusive {
		t.Error("nothing but a broken connection was seen, and that was judged")
	}
}
