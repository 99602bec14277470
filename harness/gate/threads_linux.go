package gate

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
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
	if tasks.awake(t.own) {
		giveWay()
		return
	}
	t.changed = false
	t.note()
}

// giveWay lets a thread that wants a processor have ours. The scheduler is not told: it would hand our place to
// another thread, and we had changed again.
func giveWay() {
	moment := syscall.Timespec{Nsec: 1} // the system makes it some fifty microseconds
	_, _, _ = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&moment)), 0, 0)
}

// tasks are the threads of this process. There is one process, and to find them anew each time would cost
// more than all else that a gated case does here: so their files stay open.
var tasks taskFiles

const taskFolder = "/proc/self/task"

// taskFiles reads the states of the threads of this process.
type taskFiles struct {
	mu    sync.Mutex
	files map[int]int // of a thread, its file descriptor
	buf   [512]byte   // a line is shorter, but for a name that the state stands behind at most 64 bytes
}

// awake reports whether any thread but one has, or wants, a processor. Where the system does not tell, none
// has.
func (f *taskFiles) awake(but int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A folder has a link for each folder in it, and two of its own: so this says how many threads there are.
	var folder syscall.Stat_t
	if syscall.Stat(taskFolder, &folder) != nil {
		return false
	}
	if int(folder.Nlink) != len(f.files)+2 {
		f.find()
	}
	for tid, fd := range f.files {
		if tid == but {
			continue
		}
		n, err := syscall.Pread(fd, f.buf[:], 0)
		if err != nil { // it has ended; another may have begun, which the next look finds
			_ = syscall.Close(fd)
			delete(f.files, tid)
			return true
		}
		if runs(f.buf[:n]) {
			return true
		}
	}
	return false
}

// find opens the files of threads that are new, and closes those of threads that have ended.
func (f *taskFiles) find() {
	entries, err := os.ReadDir(taskFolder)
	if err != nil {
		return
	}
	found := make(map[int]int, len(entries))
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fd, ok := f.files[tid]
		if !ok {
			if fd, err = syscall.Open(taskFolder+"/"+e.Name()+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
				continue // it has ended
			}
		}
		found[tid] = fd
		delete(f.files, tid)
	}
	for _, fd := range f.files {
		_ = syscall.Close(fd)
	}
	f.files = found
}

// runs reports whether the line of /proc/…/stat is one of a thread that has, or wants, a processor. Its
// state follows the name, which is in parentheses and may hold anything.
func runs(stat []byte) bool {
	state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(state) > 0 && state[0] == 'R'
}
