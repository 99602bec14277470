// Command example is the worker of a service of one's own: the 20 lines that tenantstorm needs.
//
//	go build -o /tmp/worker ./docs/example
//	tenantstorm storm --worker /tmp/worker
package main

import (
	"context"
	"os"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

func main() {
	os.Exit(worker.Main(harness.Target{Name: "notes", New: func(ctx context.Context, env harness.Env) (harness.System, error) {
		return open(ctx, env.DSN, env.Prefix+"notes", env.PoolConfigurer())
	}}))
}
