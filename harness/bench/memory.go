package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// forgetPeak makes the peak of this process's memory begin anew, from as little as can be had. It reports whether
// the system can tell a peak at all.
func forgetPeak() bool {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}

// peakBytes is the most memory this process has had resident since forgetPeak; 0 where the system does not tell.
func peakBytes() int64 {
	v, ok := procField("/proc/self/status", "VmHWM")
	if !ok {
		return 0
	}
	return kilobytes(v) << 10
}

// residentBytes is what this process has resident now; 0 where the system does not tell.
func residentBytes() int64 {
	v, ok := procField("/proc/self/status", "VmRSS")
	if !ok {
		return 0
	}
	return kilobytes(v) << 10
}

// privateBytes is the memory of a backend that it shares with no other process, given its process id and a
// database that it must name in its title. ok is false where that cannot be seen: the server runs elsewhere.
func privateBytes(pid int32, database string) (n int64, ok bool) {
	title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(title, []byte(database)) {
		return 0, false
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(data)) // size, resident, shared, … in pages
	if len(fields) < 3 {
		return 0, false
	}
	resident, err1 := strconv.ParseInt(fields[1], 10, 64)
	shared, err2 := strconv.ParseInt(fields[2], 10, 64)
	return (resident - shared) * int64(os.Getpagesize()), err1 == nil && err2 == nil
}
