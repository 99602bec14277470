package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exit codes. replay has its own, so that git bisect run understands it.
const (
	exitClean        = 0
	exitFinding      = 1
	exitUsage        = 2 // usage or environment
	exitInconclusive = 3

	exitReproduced = 1
	exitSkip       = 125 // diverged, another fingerprint, environment
)

// exitError carries an exit code to Main. One without an error has said what it had to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitClean
	}
	code := exitUsage
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "tenantstorm: %s\n", strings.TrimSpace(err.Error()))
	return code
}

// alsoFailed is err with what went wrong while everything was taken down. That does not change the
// exit code of a command that has come to its outcome, but is never passed over either.
func alsoFailed(err, closing error) error {
	if closing == nil {
		return err
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return &exitError{code: exit.code, err: errors.Join(exit.err, closing)}
	}
	return errors.Join(err, closing)
}
