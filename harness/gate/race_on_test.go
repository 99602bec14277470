//go:build race

package gate_test

// exact reports that a schedule can be expected to give the same steps each time. The race detector makes
// Go's scheduler choose at random which goroutine runs next, so there it cannot.
const exact = false
