package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// environmentFlags are those that say what is tested and on which server.
type environmentFlags struct {
	workerFlags
	target      string
	workerPath  string
	workers     int
	seededFault string
	postgres    string
}

// register adds the flags. A command that always uses one worker has no flag for their number.
func (f *environmentFlags) register(flags *pflag.FlagSet, many bool) {
	flags.StringVar(&f.target, "target", builtIn, "built-in service to test: "+builtIn)
	flags.StringVar(&f.workerPath, "worker", "", "worker `binary` of your own service, in place of --target, or the folder of its package, which is then built")
	flags.StringVar(&f.seededFault, "seeded-fault", "", "build the reference service with this known fault (`id`, see list-faults; none: without)")
	f.workerFlags.register(flags)
	if many {
		registerWorkers(flags, &f.workers)
	}
	registerPostgres(flags, &f.postgres)
}

func registerWorkers(flags *pflag.FlagSet, workers *int) {
	flags.IntVar(workers, "workers", 0, fmt.Sprintf("worker processes, each with databases of its own (default: one a core, at most %d)", maxWorkers))
}

func registerPostgres(flags *pflag.FlagSet, spec *string) {
	flags.StringVar(spec, "postgres", "auto", "where PostgreSQL comes from (`source`): auto (what "+postgres.EnvSpec+" says, else docker, else local), docker[:IMAGE], "+
		"local[:BINDIR], download[:VERSION] (binaries from Maven Central, only when asked for), or a DSN")
}

// maxWorkers is how many workers are started by default, cores allowing; mostWorkers how many may be.
const (
	maxWorkers  = 8
	mostWorkers = 64
)

// workersOr checks a number of workers and replaces the default by a number.
func workersOr(n int) (int, error) {
	if n < 0 || n > mostWorkers {
		return 0, fmt.Errorf("--workers %d: must be between 1 and %d", n, mostWorkers)
	}
	if n == 0 {
		n = min(maxWorkers, runtime.GOMAXPROCS(0))
	}
	return n, nil
}

func (f *environmentFlags) check() (err error) {
	switch {
	case f.target != builtIn:
		return fmt.Errorf("--target %s: unknown; known: %s; your own service is given with --worker", shown(f.target), builtIn)
	case f.workerPath != "" && f.fault() != "":
		return errors.New("--seeded-fault builds the reference service; it cannot be combined with --worker")
	}
	if _, err := f.reach(true); err != nil {
		return err
	}
	f.workers, err = workersOr(f.workers)
	return err
}

// environment is a server, a claim on it, and the workers.
type environment struct {
	server postgres.Server
	own    bool   // we started it
	source string // what the server is, for people
	claim  *harness.Claim
	// settings are those of the server's that a repro tells of.
	settings []string
	fleet    *worker.Fleet // nil where the command starts its own
	points   model.Points  // that the fleet's workers have
}

// stopTime is how long the environment may take to be taken down after the command is over.
const stopTime = 20 * time.Second

// connectionsPerWorker is the most a worker can have open at once: a connection a resident pool and a
// lease, the registry's pool, a cold second service for the audit, the harness's own, and backends that are
// kept between clients.
func connectionsPerWorker(projects, maxProjects, sessions, holds int) int {
	const registry, control, parked = 4, 3, 40
	return max(maxProjects*sessions+holds, projects) + registry + control + parked
}

// ownConnections are what the parent keeps, with some room for what is just being closed.
const ownConnections = 8

// reservedConnections is more than PostgreSQL keeps back for superusers by default.
const reservedConnections = 10

// open starts everything. say is told what is going on.
func (f *environmentFlags) open(ctx context.Context, connections int, say func(string)) (env *environment, err error) {
	path, instrumented, err := f.binary(ctx, say)
	if err != nil {
		return nil, err
	}
	most, err := f.reach(instrumented)
	if err != nil {
		return nil, err
	}
	env, err = openServer(ctx, f.postgres, f.workers, connections, say)
	if err != nil {
		return nil, err
	}
	env.points = most
	env.fleet, err = worker.NewFleet(ctx, worker.Options{Path: path, DSN: postgres.QuickDSN(env.server), Prefix: env.claim.Prefix}, f.workers)
	if err != nil {
		return nil, alsoFailed(f.explain(err), env.close(ctx))
	}
	return env, nil
}

// openServer starts, or connects to, a server that so many workers can use, and claims a prefix on it.
func openServer(ctx context.Context, spec string, workers, connections int, say func(string)) (env *environment, err error) {
	return openServerWith(ctx, spec, workers, connections, postgres.Settings{}, say)
}

// openServerWith is openServer with settings for a server that is started; the number of connections is put in.
func openServerWith(ctx context.Context, spec string, workers, connections int, settings postgres.Settings, say func(string)) (env *environment, err error) {
	needed := workers*connections + ownConnections
	settings.MaxConnections = max(100, needed+reservedConnections)
	server, report, err := postgres.Open(ctx, spec, settings, postgres.Options{Progress: say})
	if err != nil {
		return nil, err
	}
	for _, a := range report.PassedOver {
		say("passed over " + a.String())
	}
	_, own := server.(postgres.Killer)
	env = &environment{server: server, own: own, source: sourceName(report)}
	if err := checkBudget(ctx, server, needed, workers); err != nil {
		return nil, alsoFailed(err, env.close(ctx))
	}
	if env.settings, err = serverSettings(ctx, server.DSN()); err != nil {
		return nil, alsoFailed(err, env.close(ctx))
	}
	if env.claim, err = harness.ClaimPrefix(ctx, server.DSN()); err != nil {
		return nil, alsoFailed(err, env.close(ctx))
	}
	if n := len(env.claim.Swept); n > 0 {
		say(fmt.Sprintf("swept the databases of %s that had not ended well", count(n, "run")))
	}
	return env, nil
}

// checkBudget refuses a run that the server has not enough connections for.
func checkBudget(ctx context.Context, server postgres.Server, needed, workers int) error {
	most, reserved, inUse, err := postgres.Budget(ctx, server)
	if err != nil {
		return err
	}
	if free := most - reserved - inUse; free < needed {
		return fmt.Errorf("the server allows %d more connections (max_connections %d, %d reserved, %d in use), but %s may need %d: "+
			"use fewer --workers, --projects or --max-projects, or raise max_connections", free, most, reserved, inUse, count(workers, "worker"), needed)
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

// meta is what a repro says of how it was made: versions, and no place or name of this machine.
func (e *environment) meta(target, fault string) repro.Meta {
	return repro.Meta{
		Target: target, SeededFault: fault, Tool: toolVersion(), Go: runtime.Version(),
		Pgx: moduleVersion(pgxModule), Postgres: postgres.VersionString(e.server.Version()),
		Platform: fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, count(runtime.NumCPU(), "core")), Settings: e.settings,
	}
}

// sourceName is the server in a few words: its version and provider.
func sourceName(r postgres.Report) string {
	return fmt.Sprintf("PostgreSQL %s by %s", postgres.VersionString(r.Version), r.Provider)
}
