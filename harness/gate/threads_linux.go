package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// threads tells whether another thread of the process is about to make a goroutine runnable.
//
// A goroutine that comes back from a system call, and whose processor was given to another thread
// meanwhile, is for a moment in no count of the runtime's: it is no longer "not in Go" and not yet in a
// queue (exitsyscallNoP, Go 1.26). On a busy machine its thread may be put aside just there, for
// milliseconds. With one processor, such a thread is another than ours, which was given the processor; so
// that we have changed threads says when to look, and the system says whether the others sleep.
type threads struct {
	own     int  // the thread that we ran on
	changed bool // we have changed threads since the others were last seen asleep
}

// note is to be called whenever something else may have run.
func (t *threads) note() {
	if own := syscall.Gettid(); own != t.own {
		t.own, t.changed = own, true
	}
}

// moved reports whether a goroutine may be on its way back from a system call.
func (t *threads) moved() bool { return t.changed }

// look asks the system whether all other threads sleep, after which moved is false until we change again.
// A thread that does not sleep may have put its goroutine into a queue by then: so look at those again.
func (t *threads) look() {
	stats, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		return // the pattern is right, so this does not happen
	}
	own := filepath.Join("/proc/self/task", strconv.Itoa(t.own), "stat")
	for _, stat := range stats {
		if stat == own {
			continue
		}
		if text, err := os.ReadFile(stat); err == nil && runs(text) {
			return
		}
	}
	t.changed = false
	t.note()
}

// runs reports whether the line of /proc/…/stat is one of a thread that has, or wants, a processor. Its
// state follows the name, which is in parentheses and may hold anything.
func runs(stat []byte) bool {
	state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(state) > 0 && state[0] == 'R'
}
