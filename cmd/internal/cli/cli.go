// Package cli holds the commands of tenantstorm, one a file.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

// Exit codes. replay has its own, so that git bisect run understands it.
const (
	exitClean        = 0
	exitFinding      = 1
	exitUsage        = 2 // usage or environment
	exitInconclusive = 3

	exitNotReproduced = 0
	exitReproduced    = 1
	exitSkip          = 125 // diverged, another fingerprint, environment
)

// exitError carries an exit code to Main. A silent one has said what it had to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// Main runs the command line and returns the exit code. Started as a worker, it serves the reference
// service instead.
func Main(args []string, stdout, stderr io.Writer) int {
	if worker.Requested() {
		return worker.Main(target.Codesearch())
	}
	// The first interrupt ends a command cleanly, the second at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop()
	}()
	root := newRoot(streams{stdout, stderr})
	root.SetArgs(args)
	return exitCode(root.ExecuteContext(ctx), stderr)
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitClean
	}
	code := exitUsage
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "tenantstorm: %s\n", strings.TrimSpace(err.Error()))
	return code
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "tenantstorm",
		Short: "Stress-test a service that keeps many tenants in PostgreSQL behind an LRU of pools",
		Long: `tenantstorm draws random interleavings of index, search and project-switch operations, runs them
against a real PostgreSQL, checks that no tenant reads another's data and that the LRU of pools does
what it promises, and shrinks each failure to the smallest program that still shows it.`,
		Example: `  tenantstorm storm                                  test the reference service for 30 seconds
  tenantstorm storm --seeded-fault get-no-touch      see how a known fault is found
  tenantstorm storm --worker ./myservice-worker      test your own service
  tenantstorm replay findings/lru-order-stats.txtar  see a finding again`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())
	})
	root.AddCommand(newStorm(s), newReplay(s), newVersion(s))
	return root
}

// noArgs refuses arguments with a message that names them.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q: %s takes no arguments, only flags; see '%s --help'", args[0], cmd.CommandPath(), cmd.CommandPath())
}
