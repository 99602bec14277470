package point

import (
	"context"
	"runtime/pprof"
	"unsafe"
)

// A goroutine's thread is found by its profiler labels: the runtime hands them to every goroutine that it
// starts, wherever that is written, at no cost. What is compared is the label set's address, never what is in
// it, whose layout is the profiler's own affair; but a profile or a goroutine dump shows it to people.
//
// The runtime lets the two functions below be linked to (go.dev/issue/67401): it pushes them by name and keeps
// their types. Should it stop to do so, the link fails, and does not go wrong quietly.

//go:linkname getLabel runtime/pprof.runtime_getProfLabel
func getLabel() unsafe.Pointer

//go:linkname setLabel runtime/pprof.runtime_setProfLabel
func setLabel(unsafe.Pointer)

// Label is what the label is called in profiles. Its value is the thread's text.
const Label = "tenantstorm"

// newLabel returns a label set of its own.
func newLabel(text string) unsafe.Pointer {
	before := getLabel()
	defer setLabel(before)
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(Label, text)))
	return getLabel()
}

// Enter makes the calling goroutine, and whatever goroutines come of it, work for a thread, until leave is
// called on the same goroutine. Goroutines that are left then keep it until they end. Outside of a gated run
// it does nothing.
//
// A service that sets profiler labels of its own takes its goroutines out of their thread.
func Enter(thread any) (leave func()) {
	r := current.Load()
	if r == nil {
		return func() {}
	}
	before := getLabel()
	setLabel(r.enlist(thread))
	return func() { setLabel(before) }
}

// Thread returns the calling goroutine's thread; nil if it has none, or no run is gated.
func Thread() any {
	if r := current.Load(); r != nil {
		return r.thread()
	}
	return nil
}
