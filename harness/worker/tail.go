package worker

import (
	"bytes"
	"strings"
	"sync"
)

// tailSize is how much of an output is kept, and how much of a crash.
const tailSize = 64 << 10

// The beginnings of the line with which Go's runtime announces why it ends the process. The stacks that
// follow may be longer than any tail, so the text from there on is kept by itself.
const (
	markPanic = "panic: "
	markFatal = "fatal error: "
	markQuit  = "SIGQUIT: quit"
	markAbort = "SIGABRT: abort"
	markRace  = "WARNING: DATA RACE" // of a worker that was built with the race detector
)

var marks = []string{markPanic, markFatal, markQuit, markAbort, markRace}

const longestMark = len(markRace)

// tail is a writer that never fails nor blocks: it keeps the last bytes written to it, and the text from
// the last crash announcement on. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	ring  []byte
	next  int  // where in the ring the next byte goes
	full  bool // the ring has been filled once
	line  []byte
	crash []byte // nil: none was announced
}

func newTail() *tail { return &tail{ring: make([]byte, 0, tailSize)} }

// Write takes all of p.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.keep(p)
	for len(p) > 0 {
		end, ended := len(p), false
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			end, ended = i+1, true
		}
		t.scan(p[:end])
		if ended {
			t.line = t.line[:0]
		}
		p = p[end:]
	}
	return n, nil
}

// scan takes a piece of one line.
func (t *tail) scan(piece []byte) {
	known := len(t.line)
	if take := min(longestMark-known, len(piece)); take > 0 {
		t.line = append(t.line, piece[:take]...)
		for _, m := range marks {
			// Only the piece that completes a mark begins a crash.
			if known < len(m) && bytes.HasPrefix(t.line, []byte(m)) {
				t.crash = append(make([]byte, 0, tailSize), t.line[:known]...)
			}
		}
	}
	if t.crash != nil {
		t.crash = append(t.crash, piece[:min(len(piece), tailSize-len(t.crash))]...)
	}
}

func (t *tail) keep(p []byte) {
	if len(p) > tailSize {
		p, t.full = p[len(p)-tailSize:], true
	}
	for len(p) > 0 {
		if t.next == tailSize {
			t.next, t.full = 0, true
		}
		n := min(len(p), tailSize-t.next)
		if t.next+n > len(t.ring) {
			t.ring = t.ring[:t.next+n]
		}
		copy(t.ring[t.next:], p[:n])
		t.next += n
		p = p[n:]
	}
}

// text returns the last lines. Where the beginning is lost, the first line, of which only the end is
// known, is left out, or, where there is but one, its first cut bytes: half a password is not
// recognised, and must not be shown.
func (t *tail) text(cut int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full {
		return string(t.ring[:t.next])
	}
	all := string(t.ring[t.next:]) + string(t.ring[:t.next])
	if _, rest, ok := strings.Cut(all, "\n"); ok {
		return "…\n" + rest
	}
	return "…" + all[min(cut, len(all)):]
}

// announced returns the text from the last crash announcement on, at most tailSize bytes of it, without
// its last line where that may be cut; or "".
func (t *tail) announced() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := bytes.LastIndexByte(t.crash, '\n'); len(t.crash) == tailSize && i >= 0 {
		return string(t.crash[:i+1])
	}
	return string(t.crash)
}
