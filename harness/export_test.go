package harness

// Glance replaces what a run sees of the goroutines of the process: how many could run, run, and are in
// system calls.
func (r *Run) Glance(by func() (runnable, running, outside uint64)) { r.glance = by }
