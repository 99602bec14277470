package report_test

import (
	"go/format"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// FuzzReport: whatever can be read can be told, drawn as well-formed XML, and written as Go.
func FuzzReport(f *testing.F) {
	for _, of := range []func(testing.TB) (repro.Repro, history.History){gated, free, sequential} {
		r, _ := of(f)
		f.Add(repro.Format(r))
	}
	f.Add([]byte("tenantstorm repro v2\n-- program --\nprogram v1\n-- violation --\ninvariant: lru\nkind: x\nverb: y\nposition: 7\nsentence: x\n" +
		"-- history --\n  #9 → ok\n  at the end: stats → ok\n-- steps --\n  #9 waits\n  background at message 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return // a picture of a thousand operations takes its time
		}
		r, err := repro.Parse(data)
		if err != nil {
			return
		}
		read(t, report.Timeline(r, history.History{}))
		report.Bug(r, "x", true)
		if _, err := format.Source(report.Test(r)); err != nil {
			t.Fatal(err)
		}
	})
}
