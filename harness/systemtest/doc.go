// Package systemtest is a conformance suite for services under test. Whoever writes a [harness.System]
// has a test that calls [Run]; what is said there of a contract is said before a storm would say it as
// a finding that is none.
//
//	func TestConformance(t *testing.T) {
//		systemtest.Run(t, mine.Target(), dsn)
//	}
//
// Each contract is a subtest of its own. What a service lacks the capability for is left out, by name.
// At the end, drawn programs are run and judged as a storm would: a service that passes is not accused.
package systemtest
