package worker

import (
	"runtime"
	"runtime/metrics"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

// collectFrom is how much memory may be in use before a collection between two gated cases.
const collectFrom = 64 << 20

// processors gives a gated case one processor, and no garbage collector, so that what happens between two
// messages is nearly the same every time; every other case all of them.
func (b *bench) processors(mode model.Mode) {
	switch gated := mode == model.Gated; {
	case gated && b.startGC == nil:
		runtime.GOMAXPROCS(1)
		b.startGC = gate.StopGC()
	case !gated && b.startGC != nil:
		runtime.GOMAXPROCS(b.procs)
		b.startGC()
		b.startGC = nil
	}
}

// collect takes the garbage out between two cases, where nothing does it by itself.
func (b *bench) collect() {
	if b.startGC == nil {
		return
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Uint64() > collectFrom {
		runtime.GC()
	}
}
