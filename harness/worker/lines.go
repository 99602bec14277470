package worker

import (
	"bytes"
	"sync"
)

// What is kept of a case's log.
const (
	maxLogLines = 500
	maxLogLine  = 2 << 10 // bytes
)

// lines is a writer that keeps the last lines written to it. Safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	kept []string
	open []byte // the line that has not ended yet
}

// Write takes all of p.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		l.open = append(l.open, line[:min(len(line), maxLogLine-len(l.open))]...)
		if ended {
			l.end()
		}
		p = rest
	}
	return n, nil
}

func (l *lines) end() {
	if len(l.kept) >= 2*maxLogLines {
		l.kept = append(l.kept[:0], l.kept[len(l.kept)-maxLogLines:]...)
	}
	l.kept = append(l.kept, string(l.open))
	l.open = l.open[:0]
}

// take returns the last lines and forgets them.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) > 0 {
		l.end()
	}
	kept := l.kept[max(0, len(l.kept)-maxLogLines):]
	l.kept = nil
	return kept
}
