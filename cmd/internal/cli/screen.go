package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/tenantstorm/tenantstorm/harness/hunt"
)

// screen shows progress: one line that changes on a terminal, a line now and then elsewhere.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	live  bool // the line can be overwritten
	shown bool // an unfinished line stands on the terminal
	last  time.Time
	began time.Time
	done  bool
}

// How often progress is shown on a terminal and elsewhere.
const (
	liveEvery  = 200 * time.Millisecond
	plainEvery = 5 * time.Second
)

func newScreen(s streams, toStderr bool) *screen {
	w := s.out
	if toStderr {
		w = s.err
	}
	f, ok := w.(*os.File)
	return &screen{w: w, live: ok && term.IsTerminal(int(f.Fd())), began: time.Now(), last: time.Now()}
}

// say prints a line that stays.
func (s *screen) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintln(s.w, line)
}

func (s *screen) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

func (s *screen) progress(p hunt.Progress) {
	if p.Found != nil {
		s.say(fmt.Sprintf("%6s  found %s in case %d, shrunk to %s", clock(p.Elapsed), p.Found.Fingerprint, p.Found.Case, count(p.Found.Operations, "operation")))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	every := plainEvery
	if s.live {
		every = liveEvery
	}
	if s.done || time.Since(s.last) < every {
		return
	}
	s.last = time.Now()
	line := fmt.Sprintf("%6s  %s  %s  %s", clock(p.Elapsed), count(p.Executions, "case"), count(p.Operations, "operation"), count(p.Findings, "finding"))
	if p.Shrinking != "" {
		line += fmt.Sprintf("  shrinking %s, %s", p.Shrinking, count(p.Candidates, "execution"))
	}
	s.line(line)
}

func (s *screen) line(line string) {
	s.clear()
	if s.live {
		fmt.Fprint(s.w, line)
		s.shown = true
		return
	}
	fmt.Fprintln(s.w, line)
}

func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	s.clear()
}

func clock(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
