// Package point is what instrumented code calls: a place inside the process where a schedule may stop a
// goroutine. Package instrument puts the calls into a copy of a service's sources; nobody writes them by hand.
//
// Outside of a gated run a call is a load and a branch. While a hook is installed it is told of every point,
// and on whose behalf the goroutine that has reached it works. What the hook does, wait included, is its own
// affair: a point changes nothing by itself.
package point
