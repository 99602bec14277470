package gate

import (
	"runtime"
	"runtime/debug"
)

// memory is how much may be in use before the garbage collector is let in after all.
const memory = 1 << 30

// StopGC stops the garbage collector, and returns what lets it go on. A goroutine that has to help with a
// collection under way waits, and looks as if it could not move: so none is under way when StopGC
// returns. [Gate.Run] calls it; who runs many cases calls it before, once, and collects between them.
func StopGC() (restore func()) {
	percent := debug.SetGCPercent(-1)
	if percent < 0 {
		return func() {}
	}
	limit := debug.SetMemoryLimit(memory)
	runtime.GC()
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}
