package cli_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tenantstorm/tenantstorm/cmd/internal/cli"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

// stubbornEnv makes a worker of this test binary that does not end when it is asked to.
const stubbornEnv = "TENANTSTORM_TEST_STUBBORN"

// TestMain is the command, a worker, or the tests: the command re-executes its own binary as a worker.
func TestMain(m *testing.M) {
	if worker.Requested() {
		t := target.Codesearch()
		if os.Getenv(stubbornEnv) == "1" {
			t.New = func(context.Context, harness.Env) (harness.System, error) { select {} }
		}
		os.Exit(worker.Main(t))
	}
	testscript.Main(m, map[string]func(){
		"tenantstorm": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}
