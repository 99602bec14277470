// Package props holds the properties of the reference service, run by go test: programs are drawn by
// rapid, executed on a real PostgreSQL, checked, and what fails is shrunk and written down.
//
//	go test ./props                      each property, 40 programs
//	go test ./props -rapid.checks=1000   more programs
//	go test ./props -short               a few programs
//
// The files in testdata/repros are replayed by every run.
package props
