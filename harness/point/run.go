package point

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Hook is told that a goroutine has reached a site, on that goroutine, which goes on when it returns. The
// thread is what was given to [Enter], or a [Background]; nil if nobody knows on whose behalf the goroutine
// works.
type Hook func(thread any, at *Site)

// Background is the thread of a goroutine that was started on nobody's behalf, and of those that it starts.
type Background struct {
	Site *Site // the go statement
	Nth  int   // of those that were started there, from 1
}

// String returns the thread as people read it.
func (b Background) String() string {
	return fmt.Sprintf("background %d of %s:%d", b.Nth, b.Site.File, b.Site.Line)
}

// current is the gated run; nil outside of one. It is all that an idle point looks at.
var current atomic.Pointer[run]

// run is the time from Install to remove.
type run struct {
	hook Hook

	mu      sync.Mutex
	started map[*Site]int // background threads, by site
	// threads are found by the label that goroutines inherit. Replaced as a whole, so that a point reads it
	// without waiting for anybody.
	threads atomic.Pointer[map[unsafe.Pointer]any]
}

// Install has h told of every point until remove is called. There is one hook at a time. Goroutines of an
// earlier run that are still there are nobody's in this one.
func Install(h Hook) (remove func()) {
	r := &run{hook: h, started: map[*Site]int{}}
	r.threads.Store(&map[unsafe.Pointer]any{})
	if !current.CompareAndSwap(nil, r) {
		panic("point: a hook is installed already")
	}
	return func() { current.CompareAndSwap(r, nil) }
}

func (r *run) reach(at *Site) { r.hook(r.thread(), at) }

// thread returns the calling goroutine's thread.
func (r *run) thread() any {
	label := getLabel()
	if label == nil {
		return nil
	}
	return (*r.threads.Load())[label]
}

// enlist makes a label by which a thread will be known.
func (r *run) enlist(thread any) unsafe.Pointer {
	label := newLabel(fmt.Sprint(thread))
	r.mu.Lock()
	defer r.mu.Unlock()
	threads := maps.Clone(*r.threads.Load())
	threads[label] = thread
	r.threads.Store(&threads)
	return label
}

// background makes a thread for a goroutine that is about to be started at a site.
func (r *run) background(at *Site) unsafe.Pointer {
	r.mu.Lock()
	r.started[at]++
	b := Background{at, r.started[at]}
	r.mu.Unlock()
	return r.enlist(b)
}
