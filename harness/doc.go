// Package harness runs programs on services. A service is handed over as a [Target]; its clients speak
// through the small interfaces beside it.
package harness
