package point

import (
	"sync"
	"sync/atomic"
	"testing"
)

var benchSite = Site{Package: "p", Func: "f", Kind: BeforeLock, Ordinal: 1, File: "f.go", Line: 1}

// What a point adds while no run is gated, to the operations that it stands at.
func BenchmarkIdle(b *testing.B) {
	var mu sync.Mutex
	var n atomic.Int64
	b.Run("lock-bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mu.Lock()
			mu.Unlock() //nolint:staticcheck // an empty critical section is what is measured
		}
	})
	b.Run("lock-points", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Via(&benchSite, &mu).Lock()
			After(&benchSite, mu.Unlock)
		}
	})
	b.Run("defer-bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			func() {
				mu.Lock()
				defer mu.Unlock()
			}()
		}
	})
	b.Run("defer-points", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			func() {
				Via(&benchSite, &mu).Lock()
				defer After(&benchSite, mu.Unlock)
			}()
		}
	})
	b.Run("atomic-bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.Load()
		}
	})
	b.Run("atomic-points", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Via(&benchSite, &n).Load()
		}
	})
}

// What a point costs while a hook is installed that does nothing: finding the thread, mostly.
func BenchmarkGated(b *testing.B) {
	defer Install(func(any, *Site) {})()
	defer Enter(1)()
	b.ReportAllocs()
	for b.Loop() {
		Via(&benchSite, 0)
	}
}
