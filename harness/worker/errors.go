package worker

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of the parent's side. All of them are the environment's: none says anything of the service.
var (
	// ErrExec: the worker binary could not be started.
	ErrExec = errors.New("cannot be started")
	// ErrNotWorker: the binary was started, but does not speak the protocol.
	ErrNotWorker = errors.New("is not a tenantstorm worker")
	// ErrClosed: the worker or fleet was closed, or interrupted, or its process is no more.
	ErrClosed = errors.New("worker closed")
	// ErrBusy: the worker is running a case.
	ErrBusy = errors.New("worker busy")
	// ErrNoVerdict: the worker reported a case without judging it.
	ErrNoVerdict = errors.New("worker gave no verdict")
	// ErrForced: the worker did not end when asked to, and was killed.
	ErrForced = errors.New("worker did not end and was killed")
)

// StartError says why there is no worker.
type StartError struct {
	Path   string
	Err    error  // ErrExec, ErrNotWorker, a *VersionError, or the context's
	Reason string // what was seen
	Stderr string // the end of what the process printed, without secrets
}

func (e *StartError) Error() string {
	s := fmt.Sprintf("worker %s: %v", e.Path, e.Err)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if out := strings.TrimSpace(e.Stderr); out != "" {
		printed := strings.Split(out, "\n")
		s += "; it printed:\n\t" + strings.Join(printed[max(0, len(printed)-10):], "\n\t")
	}
	return s
}

func (e *StartError) Unwrap() error { return e.Err }

// VersionError says that parent and worker speak different versions of the protocol.
type VersionError struct {
	Ours, Theirs int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("protocol version %d where %d is spoken here: build both from the same tenantstorm", e.Theirs, e.Ours)
}

// BrokenError says why the harness could not run a case.
type BrokenError struct {
	Case   int
	Reason string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("case %d could not be run: %s", e.Case, e.Reason)
}
