// Package reprotest replays a repro in a Go test, on a service that the test's module links in. The
// repro_test.go in the folder of a finding uses it.
package reprotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// Main is what TestMain has to do: run the tests or, where a test has started its own binary as a worker,
// serve the service. It returns the exit code.
func Main(m *testing.M, target harness.Target) int {
	if worker.Requested() {
		return worker.Main(target)
	}
	return m.Run()
}

// freeTimes is how often a program whose sessions run free is executed: what it shows, it shows now and then.
const freeTimes = 10

// Check replays a repro, given as text, and fails the test if it shows the violation, or another one. Where
// the schedule could not be followed, or nothing can be said, it skips the test and says why. PostgreSQL
// comes from where TENANTSTORM_POSTGRES says or, if it says nothing, from Docker or this machine's binaries.
func Check(t *testing.T, target harness.Target, text string) {
	t.Helper()
	switch {
	case worker.Requested():
		t.Fatal("this test's own binary was started as a worker, and came here: call reprotest.Main in TestMain")
	case target.New == nil:
		t.Fatal("no service to test: name the harness.Target that your worker serves")
	}
	r, err := repro.Parse([]byte(text))
	if err != nil {
		t.Fatalf("the repro cannot be read: %v", err)
	}
	times := 1
	if r.Program.Mode == model.Free {
		times = freeTimes
	}
	done, err := replay(t, r, times)
	if err != nil {
		t.Fatalf("the repro could not be replayed: %v", err)
	}
	judge(t, r, done)
}

// judge says what a replay came to.
func judge(t *testing.T, r repro.Repro, done hunt.Replayed) {
	t.Helper()
	switch {
	case done.Same > 0:
		t.Errorf("%s, in %d of %d executions: %s\n\n%s\n%s", done.Violation.Fingerprint(), done.Same, done.Times,
			repro.Redact(done.Violation.Sentence), r.Program, strings.Join(repro.Lines(done.History), "\n"))
	case len(done.Other) > 0:
		t.Errorf("another violation than %s, by number of executions: %v\n\n%s", r.Fingerprint(), done.Other, r.Program)
	case done.Diverged > 0:
		t.Skipf("the service has changed, and the schedule cannot be followed: %s", strings.Join(done.Where, "; "))
	case done.Unknown > 0:
		t.Skipf("%d of %d executions say nothing", done.Unknown, done.Times)
	}
}

// replay executes a repro on a server of its own, in a worker that is this very binary.
func replay(t *testing.T, r repro.Repro, times int) (done hunt.Replayed, err error) {
	t.Helper()
	ctx := t.Context()
	settings := postgres.Settings{MaxConnections: connections(r.Program)}
	server, _, err := postgres.Open(ctx, "auto", settings, postgres.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		return done, err
	}
	// What was started is to be ended, also when the test's time is up.
	end := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, server.Stop(end)) }()
	claim, err := harness.ClaimPrefix(ctx, server.DSN())
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, claim.Close(end)) }()
	self, err := os.Executable()
	if err != nil {
		return done, fmt.Errorf("find this test's binary, which is the worker: %w", err)
	}
	fleet, err := worker.NewFleet(ctx, worker.Options{Path: self, DSN: server.DSN(), Prefix: claim.Prefix}, 1)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	return hunt.ReplayWith(ctx, fleet, r.Program, hunt.ReplayOptions{
		Fingerprint: r.Fingerprint(), Times: times, Steps: r.Steps, Recycle: true, First: true,
	})
}

// connections is more than a program can have open at once: a connection a resident pool and session, the
// leases, the service's own and the harness's, and backends that are kept between clients.
func connections(p model.Program) int {
	const own = 100
	return max(p.MaxProjects*p.Sessions+p.Holds(), p.Projects) + own
}
