package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

// noFault is the value of --seeded-fault that means the service as it is.
const noFault = "none"

// environmentFlags are those that say what is tested and on which server.
type environmentFlags struct {
	target      string
	workerPath  string
	workers     int
	seededFault string
	postgres    string
}

func (f *environmentFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.target, "target", "codesearch", "built-in service to test: codesearch")
	flags.StringVar(&f.workerPath, "worker", "", "worker `binary` of your own service, in place of --target")
	flags.IntVar(&f.workers, "workers", 0, "worker processes, each with databases of its own (default: one a core, at most 8)")
	flags.StringVar(&f.seededFault, "seeded-fault", "", "build the reference service with this known fault (`id`; none: without)")
	flags.StringVar(&f.postgres, "postgres", "auto", "where PostgreSQL comes from: auto, docker, local, or a DSN (`source`)")
}

func (f *environmentFlags) check() error {
	switch {
	case f.target != "codesearch":
		return fmt.Errorf("--target %s: unknown; known: codesearch; your own service is given with --worker", f.target)
	case f.workers < 0 || f.workers > 64:
		return fmt.Errorf("--workers %d: must be between 1 and 64", f.workers)
	case f.workerPath != "" && f.fault() != "":
		return errors.New("--seeded-fault builds the reference service; it cannot be combined with --worker")
	}
	return nil
}

func (f *environmentFlags) fault() string {
	if f.seededFault == noFault {
		return ""
	}
	return f.seededFault
}

// environment is a server and the workers on it.
type environment struct {
	server postgres.Server
	source string // what the server is, for people
	claim  *harness.Claim
	fleet  *worker.Fleet
}

// stopTime is how long the environment may take to be taken down after the command is over.
const stopTime = 20 * time.Second

// connectionsPerWorker is the most a worker can have open at once: a connection a resident pool and a
// lease, the registry's pool, a cold second service for the audit, and the harness's own.
func connectionsPerWorker(projects, maxProjects, sessions, holds int) int {
	const registry, control = 4, 3
	return max(maxProjects*sessions+holds, projects) + registry + control
}

// open starts everything. say is told what is going on.
func (f *environmentFlags) open(ctx context.Context, connections int, say func(string)) (env *environment, err error) {
	path, err := f.binary(ctx, say)
	if err != nil {
		return nil, err
	}
	env = &environment{}
	defer func() {
		if err != nil {
			err = errors.Join(err, env.close(ctx))
		}
	}()
	needed := f.workers*connections + 8
	server, report, err := postgres.Open(ctx, f.postgres, postgres.Settings{MaxConnections: max(100, needed)}, postgres.Options{Progress: say})
	if err != nil {
		return nil, err
	}
	for _, a := range report.PassedOver {
		say("passed over " + a.String())
	}
	env.server, env.source = server, sourceName(report)
	if err := checkBudget(ctx, server, needed, f.workers); err != nil {
		return env, err
	}
	if env.claim, err = harness.ClaimPrefix(ctx, server.DSN()); err != nil {
		return env, err
	}
	env.fleet, err = worker.NewFleet(ctx, worker.Options{Path: path, DSN: server.DSN(), Prefix: env.claim.Prefix}, f.workers)
	return env, err
}

// checkBudget refuses a run that the server has not enough connections for.
func checkBudget(ctx context.Context, server postgres.Server, needed, workers int) error {
	most, reserved, inUse, err := postgres.Budget(ctx, server)
	if err != nil {
		return err
	}
	if free := most - reserved - inUse; free < needed {
		return fmt.Errorf("the server allows %d more connections (max_connections %d, %d reserved, %d in use), but %d workers may need %d: "+
			"use fewer --workers, --projects or --max-projects, or raise max_connections", free, most, reserved, inUse, workers, needed)
	}
	return nil
}

// close takes everything down, also after ctx is cancelled.
func (e *environment) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	var errs []error
	if e.fleet != nil {
		errs = append(errs, e.fleet.Close())
	}
	if e.claim != nil {
		errs = append(errs, e.claim.Close(ctx))
	}
	if e.server != nil {
		errs = append(errs, e.server.Stop(ctx))
	}
	return errors.Join(errs...)
}

// binary returns the worker's path, built first where it has to be.
func (f *environmentFlags) binary(ctx context.Context, say func(string)) (string, error) {
	if f.workerPath != "" {
		path, err := filepath.Abs(f.workerPath)
		if err != nil {
			return "", fmt.Errorf("--worker: %w", err)
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return "", fmt.Errorf("--worker: %w", err)
		case info.IsDir() || info.Mode()&0o111 == 0:
			return "", fmt.Errorf("--worker %s: not an executable file", f.workerPath)
		}
		return path, nil
	}
	if f.fault() == "" {
		path, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find this program, which is the worker of the reference service: %w", err)
		}
		return path, nil
	}
	fault, err := seeded.Get(f.fault())
	if err != nil {
		return "", fmt.Errorf("--seeded-fault: %w", err)
	}
	say("building the reference service with " + fault.ID)
	path, err := seeded.Build(ctx, seeded.BuildOptions{Fault: &fault})
	if err != nil {
		return "", err
	}
	return path, nil
}

// sourceName is the server in a few words: its version and provider.
func sourceName(r postgres.Report) string {
	return fmt.Sprintf("PostgreSQL %s by %s", postgres.VersionString(r.Version), r.Provider)
}
