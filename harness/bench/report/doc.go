// Package report renders results of harness/bench for people: the performance report as Markdown and as one HTML page
// that needs nothing else, with plots. It measures nothing, and every figure in it is read from a result.
package report
