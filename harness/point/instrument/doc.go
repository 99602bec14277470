// Package instrument writes an overlay for the go command in which a service's own locks, channels, atomics and
// goroutines are points of a schedule, its sources untouched.
//
// Calls into package point are put into the text of each file, most of them around an operand, so that a point
// comes between the evaluation of the operand and the operation itself:
//
//	p.mu.Lock()             tspoint.Via(&tspointSites0[0], &p.mu).Lock()
//	defer p.mu.Unlock()     defer tspoint.After(&tspointSites0[1], p.mu.Unlock)
//	case v := <-ch:         case v := <-tspoint.Via(&tspointSites0[2], ch):
//	go s.run(ctx)           go tspoint.Started(&tspointSites0[3], s.run)(ctx)
//
// No statement, line or block is added, and a line directive behind each insertion gives what follows its own
// column back: stack traces, coverage and the compiler's messages are those of the original.
package instrument
