package worker

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// The descriptors of the protocol, in the worker.
const (
	inFD  = 3
	outFD = 4
)

// inherited returns the worker's ends of the protocol, both pollable.
//
// Descriptor 4 itself stays open until the process ends, whatever becomes of the file returned: its
// closing is how the parent learns that the process ends.
func inherited() (in, out *os.File, err error) {
	if !Requested() {
		return nil, nil, fmt.Errorf("%w: %s is not set", ErrNotStarted, workerEnv)
	}
	for _, fd := range []int{inFD, outFD} {
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil {
			return nil, nil, fmt.Errorf("%w: descriptor %d: %w", ErrNotStarted, fd, err)
		}
		if kind := st.Mode & syscall.S_IFMT; kind != syscall.S_IFIFO && kind != syscall.S_IFSOCK {
			return nil, nil, fmt.Errorf("%w: descriptor %d is not a pipe", ErrNotStarted, fd)
		}
		// What the service starts must not keep the conversation open.
		syscall.CloseOnExec(fd)
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	dup, err := syscall.Dup(outFD)
	if err != nil {
		return nil, nil, fmt.Errorf("descriptor %d: %w", outFD, err)
	}
	syscall.CloseOnExec(dup)
	in, out = os.NewFile(inFD, "from parent"), os.NewFile(uintptr(dup), "to parent")
	for _, f := range []*os.File{in, out} {
		// Only a pollable file takes a deadline.
		if err := f.SetDeadline(time.Time{}); err != nil {
			return nil, nil, fmt.Errorf("%s: not pollable: %w", f.Name(), err)
		}
	}
	return in, out, nil
}
