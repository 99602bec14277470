package main

import (
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// searchesOf are a session's searches, each of which takes so long, one after the other.
func searchesOf(session, n int, each time.Duration) (entries []history.Entry) {
	for i := range n {
		at := time.Duration(i) * each
		entries = append(entries, history.Entry{Op: model.Op{Session: session}, Start: at, End: at + each})
	}
	return entries
}

// TestTogether: what counts is between the slowest session's warm-up and the fastest one's end.
func TestTogether(t *testing.T) {
	slow, fast := searchesOf(0, freeWarmUp*3, 2*time.Millisecond), searchesOf(1, freeWarmUp*4, time.Millisecond)
	// Both: from 100 ms, when the slow one is warm, until 200 ms, when the fast one ends.
	perSecond, err := together(append(slow, fast...), 2)
	if want := 1500.0; err != nil || perSecond != want {
		t.Errorf("%v, %v, want %v", perSecond, err, want)
	}
	if _, err := together(append(slow, searchesOf(1, freeWarmUp*2, time.Millisecond)...), 2); err == nil {
		t.Error("a session was over when the other was just warm, and something was counted")
	}
}
