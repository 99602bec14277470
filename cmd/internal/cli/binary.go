package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

const (
	// builtIn is the reference service, the only target that is linked in.
	builtIn = "codesearch"
	// noFault is the value of --seeded-fault that means the service as it is.
	noFault = "none"
	// ownTarget is what a repro calls a service that was given as a binary.
	ownTarget = "own"
)

func (f *environmentFlags) fault() string {
	if f.seededFault == noFault {
		return ""
	}
	return f.seededFault
}

// targetName is what a repro calls the service.
func (f *environmentFlags) targetName() string {
	if f.workerPath != "" {
		return ownTarget
	}
	return f.target
}

// binary returns the worker's path, built first where it has to be, and whether it has points in its code.
func (f *environmentFlags) binary(ctx context.Context, say func(string)) (path string, instrumented bool, err error) {
	switch {
	case f.workerPath != "":
		return f.own(ctx, say)
	case f.fault() != "":
		path, err = f.buildFault(ctx, f.fault(), say)
		return path, len(f.patterns(true)) > 0, err
	}
	return f.clean(ctx, say)
}

// own returns the worker of a user's service: the binary that is named, or what the package there is built to.
func (f *environmentFlags) own(ctx context.Context, say func(string)) (path string, instrumented bool, err error) {
	if info, err := os.Stat(f.workerPath); err == nil && info.IsDir() {
		path, err = f.buildPackage(ctx, f.workerPath, say)
		return path, len(f.patterns(false)) > 0, err
	}
	if f.race || len(f.instrument) > 0 {
		return "", false, fmt.Errorf("--worker %s is not the folder of a package: --instrument and --race say how a worker is built", f.workerPath)
	}
	path, err = executable(f.workerPath)
	return path, false, err
}

// ownBinary is this program, which is the worker of the reference service, too.
func ownBinary() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program, which is the worker of the reference service: %w", err)
	}
	return path, nil
}

func executable(given string) (string, error) {
	path, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("--worker: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("--worker %s: there is no such file", given)
	case err != nil:
		return "", fmt.Errorf("--worker: %w", err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("--worker %s: not an executable file", given)
	}
	return path, nil
}

func (f *environmentFlags) buildFault(ctx context.Context, id string, say func(string)) (string, error) {
	fault, err := seeded.Get(id)
	if err != nil {
		return "", fmt.Errorf("--seeded-fault: %w; see 'tenantstorm list-faults'", err)
	}
	say("building the reference service with " + fault.ID)
	return f.build(ctx, &fault)
}

// explain adds the way out where a binary is not a worker.
func (f *environmentFlags) explain(err error) error {
	if f.workerPath == "" || !errors.Is(err, worker.ErrNotWorker) {
		return err
	}
	return fmt.Errorf("--worker %s: %w\na worker is your service, linked with worker.Main: the README shows how", f.workerPath, err)
}
