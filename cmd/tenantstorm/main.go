// Command tenantstorm stress-tests services that keep many tenants in PostgreSQL behind a bounded LRU
// of connection pools.
package main

import (
	"os"

	"github.com/tenantstorm/tenantstorm/cmd/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
