package props

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

// The number of programs a property is checked with, where -rapid.checks does not say.
const (
	defaultChecks = "40"
	shortChecks   = "6"
)

// server is the PostgreSQL that all properties share, and clean the workers of the service as it is.
var (
	server postgres.Server
	claim  *harness.Claim
	clean  *worker.Fleet
)

func TestMain(m *testing.M) {
	if worker.Requested() {
		os.Exit(worker.Main(target.Codesearch()))
	}
	flag.Parse()
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "props:", err)
		code = 2
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	if err := rapidDefaults(); err != nil {
		return 0, err
	}
	ctx := context.Background()
	var report postgres.Report
	server, report, err = postgres.Open(ctx, "auto", postgres.Settings{}, postgres.Options{})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := server.Stop(ctx); err == nil {
			err = e
		}
	}()
	if testing.Verbose() {
		fmt.Println(report)
	}
	if claim, err = harness.ClaimPrefix(ctx, server.DSN()); err != nil {
		return 0, err
	}
	defer func() {
		if e := claim.Close(ctx); err == nil {
			err = e
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if clean, err = fleet(self, "c"); err != nil {
		return 0, err
	}
	defer func() {
		if e := clean.Close(); err == nil {
			err = e
		}
	}()
	return m.Run(), nil
}

// fleet starts workers of a binary. The mark keeps the databases of two fleets apart.
func fleet(path, mark string) (*worker.Fleet, error) {
	opts := worker.Options{Path: path, DSN: postgres.QuickDSN(server), Prefix: claim.Prefix + mark}
	return worker.NewFleet(context.Background(), opts, min(4, runtime.GOMAXPROCS(0)))
}

// rapidDefaults sets what the command line leaves open. rapid shrinks the bits it drew, which costs
// thousands of executions; tenantstorm shrinks the program, which costs hundreds. So rapid does not.
func rapidDefaults() error {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	checks := defaultChecks
	if testing.Short() {
		checks = shortChecks
	}
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.shrinktime": "0s", "rapid.nofailfile": "true"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	return nil
}
