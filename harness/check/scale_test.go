package check_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/check/checktest"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

func correct(operations int) (model.Program, history.History) {
	return checktest.Correct(model.NewSource(uint64(operations)), checktest.Options{
		Operations: operations, Sessions: 16, Projects: 15, MaxProjects: 10,
	})
}

// TestCorrectHistories: what a correct service could have answered is never a violation, whichever
// checker its length calls for.
func TestCorrectHistories(t *testing.T) {
	for _, n := range []int{30, 300, 1_000, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p, h := correct(n)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := check.Judge(p, h); got.Status != check.Pass {
				t.Errorf("%s: %+v", statuses(got), got.First())
			}
		})
	}
}

// TestLongHistoryWithOneLie: one answer of an earlier revision among thousands that are right is found.
func TestLongHistoryWithOneLie(t *testing.T) {
	p, h := correct(10_000)
	h.Entries = slices.Clone(h.Entries)
	at := len(h.Entries) - 1
	for len(h.Entries[at].Response.Matches) == 0 {
		at--
	}
	r := &h.Entries[at].Response
	old := model.FindCanaries(r.Matches[0].Content)[0]
	r.Matches = slices.Clone(r.Matches)
	for i := range r.Matches {
		c := old
		c.Revision, c.File = (old.Revision+500)%model.MaxRevision+1, i
		r.Matches[i].Content = c.String()
	}
	got := check.Judge(p, h)
	if first := got.First(); status(got, "search") != check.Fail || first.Position != at {
		t.Errorf("the lie at %d: %s: %+v", at, statuses(got), first)
	}
}

// BenchmarkJudge measures the judgement of free-running histories by their length. history-MB is what the
// history itself takes.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := live()
			p, h := correct(n)
			held := live() - before
			b.ReportAllocs()
			for b.Loop() {
				if v := check.Judge(p, h); v.Status != check.Pass {
					b.Fatalf("%+v", v.First())
				}
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "operations/s")
			b.ReportMetric(float64(held)/1e6, "history-MB")
			runtime.KeepAlive(h)
		})
	}
}

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
