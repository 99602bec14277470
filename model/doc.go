// Package model says what is run and what must hold.
//
// A [Program] is a test as a value: it is drawn by [Generate] from a [Source], printed by
// [Program.String], read back by [Parse], and judged by [State.Step], the oracle. The package is
// pure: it has no clock, does no I/O and starts no goroutine, so that everything in it can be
// replayed and shrunk.
//
// Each operation is one file, verb_<name>.go, which holds its grammar, how it is drawn, what it does
// to the state, and its simpler forms. A new operation is a new file and one line in verbs.
package model
