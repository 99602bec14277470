package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// checkFolder sees whether files could be written to a folder, or to one that has yet to be made. It
// makes nothing. "" is no folder, and fine.
func checkFolder(flag, dir string) error {
	if dir == "" {
		return nil
	}
	at := filepath.Clean(dir)
	info, err := os.Stat(at)
	// What is missing will be made; its nearest ancestor decides. A file in its way gives ENOTDIR.
	for (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", flag, dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s %s: %s is not a directory", flag, dir, at)
	}
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s %s: %s cannot be written to: %w", flag, dir, at, err)
	}
	return nil
}

// writeWhole puts data at path, whole or not at all.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tenantstorm-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// loadRepro reads a repro or a program. What is wrong in it is reported as compilers do, at
// file:line:column.
func loadRepro(path string) (repro.Repro, error) {
	r, err := repro.Load(path)
	var syntax *repro.SyntaxError
	if errors.As(err, &syntax) {
		return r, &positionError{syntax.File, syntax}
	}
	return r, err
}

type positionError struct {
	path string
	err  *repro.SyntaxError
}

func (e *positionError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.path, e.err.Line, e.err.Column, e.err.Msg)
}

func (e *positionError) Unwrap() error { return e.err }
