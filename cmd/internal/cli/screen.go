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
	w    io.Writer
	live bool // the line can be overwritten

	mu        sync.Mutex
	shown     bool // an unfinished line stands on the terminal
	closed    bool
	began     time.Time // of the search
	last      hunt.Progress
	shrinking string // the fingerprint that was announced

	stop   chan struct{} // nil before start
	ticker sync.WaitGroup
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
	return &screen{w: w, live: ok && term.IsTerminal(int(f.Fd()))}
}

// start shows progress from now on until close, also while nothing is heard.
func (s *screen) start() {
	every := plainEvery
	if s.live {
		every = liveEvery
	}
	s.began, s.stop = time.Now(), make(chan struct{})
	s.ticker.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				s.show()
			case <-s.stop:
				return
			}
		}
	})
}

// close ends the progress and takes back an unfinished line. It may be called more than once, from one
// goroutine.
func (s *screen) close() {
	if s.stop != nil {
		close(s.stop)
		s.ticker.Wait()
		s.stop = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.clear()
}

// say prints a line that stays.
func (s *screen) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayLocked(line)
}

func (s *screen) sayLocked(line string) {
	s.clear()
	fmt.Fprintln(s.w, line)
}

func (s *screen) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// progress notes how far a hunt has come, and tells at once what is news.
func (s *screen) progress(p hunt.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.last = p
	if f := p.Found; f != nil {
		s.sayLocked(fmt.Sprintf("%6s  found %s in case %d, shrunk to %s", clock(p.Elapsed), f.Fingerprint, f.Case, count(f.Operations, "operation")))
		return
	}
	if p.Shrinking != "" && p.Shrinking != s.shrinking {
		s.sayLocked(fmt.Sprintf("%6s  shrinking %s", clock(p.Elapsed), p.Shrinking))
	}
	if p.Shrinking != "" {
		s.shrinking = p.Shrinking
	}
}

func (s *screen) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.last
	line := fmt.Sprintf("%6s", clock(time.Since(s.began)))
	if p.Executions > 0 || p.Shrinking == "" { // where nothing is searched, nothing is counted
		line += fmt.Sprintf("  %s  %s  %s", count(p.Executions, "case"), count(p.Operations, "operation"), count(p.Findings, "finding"))
	}
	if p.Shrinking != "" {
		line += fmt.Sprintf("  shrinking %s, %s", p.Shrinking, count(p.Candidates, "execution"))
	}
	s.clear()
	if s.live {
		fmt.Fprint(s.w, line)
		s.shown = true
		return
	}
	fmt.Fprintln(s.w, line)
}

func clock(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
