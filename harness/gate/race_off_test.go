//go:build !race

package gate_test

// exact reports that a schedule can be expected to give the same steps each time.
const exact = true
