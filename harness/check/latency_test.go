package check_test

import (
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// TestLatency: 95 of 100 searches within the bound, over enough of them, in free mode only.
func TestLatency(t *testing.T) {
	searches := func(n int, took time.Duration) (h history.History) {
		for range n {
			h.Entries = append(h.Entries, history.Entry{Op: model.Op{Kind: model.KindSearch}, End: took, Response: ok})
		}
		return h
	}
	const bound = 500 * time.Millisecond
	for _, row := range []struct {
		name       string
		mode       model.Mode
		fast, slow int
		want       check.Status
		checked    int
	}{
		{"nothing", model.Free, 0, 0, check.NotApplicable, 0},
		{"sequential cases say nothing", model.Sequential, 500, 500, check.NotApplicable, 0},
		{"too few", model.Free, 99, 0, check.Inconclusive, 99},
		{"too few, slow ones too", model.Free, 0, 99, check.Inconclusive, 99},
		{"all fast", model.Free, 100, 0, check.Pass, 100},
		{"four of a hundred slow", model.Free, 96, 4, check.Pass, 100},
		{"six of a hundred slow", model.Free, 94, 6, check.Fail, 100},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := check.NewLatency()
			l.Add(row.mode, searches(row.fast, time.Millisecond))
			l.Add(row.mode, searches(row.slow, time.Second))
			r := l.Judge(bound)
			if r.Status != row.want || r.Checked != row.checked || r.Note == "" {
				t.Errorf("%s after %d: %s", r.Status, r.Checked, r.Note)
			}
			if fails := len(r.Violations) > 0; fails != (row.want == check.Fail) {
				t.Errorf("violations: %v", r.Violations)
			}
		})
	}
}

// TestLatencyLeavesOut: the audit's searches and those that failed are no measure of the service.
func TestLatencyLeavesOut(t *testing.T) {
	var h history.History
	for range 200 {
		h.Entries = append(h.Entries,
			history.Entry{Op: model.Op{Kind: model.KindSearch}, End: time.Hour, Response: ok, Audit: true},
			history.Entry{Op: model.Op{Kind: model.KindSearch}, End: time.Hour, Response: failed(model.ErrUnknownProject)},
			history.Entry{Op: model.Op{Kind: model.KindIndex}, End: time.Hour, Response: ok})
	}
	l := check.NewLatency()
	l.Add(model.Free, h)
	if r := l.Judge(time.Second); r.Checked != 0 {
		t.Errorf("%d counted", r.Checked)
	}
}
