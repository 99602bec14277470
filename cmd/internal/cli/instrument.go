package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/point/instrument"
	"github.com/tenantstorm/tenantstorm/model"
)

// workerFlags say how a worker is built.
type workerFlags struct {
	instrument []string
	points     string
	race       bool
}

// noPackages is the value of --instrument that means no points in any code.
const noPackages = "none"

// builtInPackages are instrumented where nothing is said.
var builtInPackages = []string{"./fixtures/codesearch/..."}

func (f *workerFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.instrument, "instrument", nil, "`packages` whose locks, channels and atomics become points of the schedule, when the worker is built "+
		"(default: those of the reference service; none: no points)")
	registerPoints(flags, &f.points)
	flags.BoolVar(&f.race, "race", false, "build the worker with Go's race detector: a data race is a finding; several times slower, and a replay may differ")
}

func registerPoints(flags *pflag.FlagSet, points *string) {
	flags.StringVar(points, "points", model.AllPoints.String(), "the most that schedules are drawn from: messages, locks (those too), or all")
}

// patterns returns the packages to instrument; none where there are to be no points.
func (f *workerFlags) patterns(builtIn bool) []string {
	switch {
	case slices.Equal(f.instrument, []string{noPackages}):
		return nil
	case len(f.instrument) == 0 && builtIn:
		return builtInPackages
	}
	return f.instrument
}

// reach returns the set of points to draw from, where the worker has points.
func (f *workerFlags) reach(instrumented bool) (model.Points, error) {
	most, err := model.ParsePoints(f.points)
	if err != nil {
		return 0, fmt.Errorf("--points: %w", err)
	}
	if !instrumented {
		return model.Messages, nil
	}
	return most, nil
}

// build builds a worker of the reference service, with a fault or as it is.
func (f *workerFlags) build(ctx context.Context, fault *seeded.Fault) (string, error) {
	return seeded.Build(ctx, seeded.BuildOptions{Fault: fault, Instrument: f.patterns(true), Race: f.race})
}

// clean returns a worker of the reference service as it is, and whether it has points. Without a source tree it
// is this program, which has none; that is an error only where points were asked for.
func (f *workerFlags) clean(ctx context.Context, say func(string)) (path string, instrumented bool, err error) {
	instrumented = len(f.patterns(true)) > 0
	if !instrumented && !f.race {
		path, err = ownBinary()
		return path, false, err
	}
	say("building the reference service with points in its code")
	path, err = f.build(ctx, nil)
	if errors.Is(err, seeded.ErrNoSource) && len(f.instrument) == 0 && !f.race {
		say("there are no sources here: schedules stop operations at messages only")
		path, err = ownBinary()
		return path, false, err
	}
	return path, instrumented, err
}

// buildPackage builds a user's worker from the folder of its package.
func (f *workerFlags) buildPackage(ctx context.Context, dir string, say func(string)) (string, error) {
	args := []string{"build"}
	if f.race {
		args = append(args, "-race")
	}
	if patterns := f.patterns(false); len(patterns) > 0 {
		say("putting points into " + strings.Join(patterns, ", "))
		r, err := instrument.Write(ctx, instrument.Options{Dir: ".", Patterns: patterns})
		if err != nil {
			return "", fmt.Errorf("--instrument: %w", err)
		}
		for _, n := range r.Refused {
			say("left as it is: " + n.String())
		}
		args = append(args, r.Flags...)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("--worker %s: a place for what is built: %w", dir, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("--worker: %w", err)
	}
	// One for each way to build each package: it is overwritten by the next.
	key := sha256.Sum256([]byte(strings.Join(append(args, dir), "\n")))
	binary := filepath.Join(cache, "tenantstorm", "workers", fmt.Sprintf("%s-%x", filepath.Base(dir), key[:6]))
	say("building " + dir)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", binary, ".")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("--worker %s: go build: %w\n%s", dir, err, out)
	}
	return binary, nil
}
