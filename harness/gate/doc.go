// Package gate decides what goes on, one thing at a time, while several operations race.
//
// A thread is an operation, and what the service starts on its behalf. Every batch of messages that a
// service sends to PostgreSQL parks at the gate, as do the beginnings of operations and of connections,
// and, through pgx's tracers, the places where a connection is taken from a pool or given back. The gate
// waits until nothing can move by itself, chooses one thread, lets it go on to its next point, and waits
// again. So an interleaving is a list of choices: it is drawn, written down, and happens again.
//
// # Quiescence
//
// Nothing can move by itself when the server owes no reply and no goroutine of the process is runnable or
// running but the gate's own. The first is counted, always before what is counted begins. The second is
// read from runtime/metrics. The client's side of every connection is in memory, so no byte is in a kernel
// buffer unseen. The count is of the whole process: one case at a time, and best with GOMAXPROCS at 1.
//
// A reply that does not come is late, or waits for a lock that a parked thread holds. After a while the
// gate asks PostgreSQL which it is; time prompts the question and never answers it. When one message ends
// another's wait, two replies race: the reply of the thread that was chosen is let through first, and the
// others, one by one, each after everything has come to rest again.
//
// # What it cannot see
//
// Steps of the service between two points; locks inside PostgreSQL other than those pg_blocking_pids knows
// (LWLocks, spinlocks); what a service says over TLS or over connections it dials by itself; what wakes by
// a timer, which is waited for only when nothing else is left to do.
package gate
