// Package worker runs cases in processes of their own, so that a service that panics, deadlocks, exits
// or is killed takes one case with it and never the run.
//
// A target is a worker binary: the service linked with [Serve] or [Main],
//
//	func main() { os.Exit(worker.Main(harness.Target{Name: "mine", New: open})) }
//
// The parent starts it with
// [Start], or keeps several alive with a [Fleet], and hands it one [Case] at a time. Whatever becomes of
// the process, the parent learns what became of the case: a [Report], a [Death] that [JudgeDeath] turns
// into a verdict, or an error, which is the environment's and says nothing of the service.
//
// The two speak over descriptors of their own, 3 (parent to worker) and 4 (worker to parent), so that
// what a service prints cannot corrupt the protocol. A frame is a big-endian length of four bytes and
// that many bytes of JSON. The conversation is
//
//	parent  Hello          Case                        (closes 3)
//	worker        Ready         Taken (Begin|Deviated)… Report               exits 0
//
// Both ends are pollable: a goroutine that waits on one is parked, not blocked in a system call. The
// package needs a Unix system; that no worker outlives a killed parent is certain on Linux only.
package worker
