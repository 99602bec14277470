// Package cli holds the commands of tenantstorm, one a file.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// Main runs the command line and returns the exit code. Started as a worker, it serves the reference
// service instead.
func Main(args []string, stdout, stderr io.Writer) int {
	if worker.Requested() {
		return worker.Main(target.Codesearch())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt ends a command cleanly. From then on the signals do again what they do to any
	// process, so that a second one ends it at once; its workers and servers die with it.
	release := context.AfterFunc(ctx, func() {
		stop()
		fmt.Fprintln(stderr, "tenantstorm: interrupted: ending cleanly; once more ends it at once")
	})
	defer func() {
		release()
		stop()
	}()
	root := newRoot(streams{stdout, stderr})
	root.SetArgs(args)
	if err := unknownCommand(root, args); err != nil {
		return exitCode(err, stderr)
	}
	return exitCode(root.ExecuteContext(ctx), stderr)
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
  tenantstorm replay findings/lru-order-stats        see a finding again
  tenantstorm doctor                                 see what this machine offers`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())
	})
	root.AddCommand(newStorm(s), newReplay(s), newPrint(s), newShrink(s), newSelftest(s), newListFaults(s), newDoctor(s), newGenerateRepo(s), newBench(s), newStress(s), newTune(s), newBaseline(s), newReport(s), newVersion(s))
	return root
}

// unknownCommand refuses a command that there is not, before its flags are looked at.
func unknownCommand(root *cobra.Command, args []string) error {
	if _, _, err := root.Find(args); err == nil {
		return nil
	}
	name := ""
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			name = a
			break
		}
	}
	hint := ""
	if near := root.SuggestionsFor(name); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q%s; see 'tenantstorm --help'", shown(name), hint)
}

// noArgs refuses arguments with a message that names them.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q: %s takes no arguments, only flags; see '%s --help'", shown(args[0]), cmd.CommandPath(), cmd.CommandPath())
}

// oneFile wants exactly one argument.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("%s takes one FILE, %d given; see '%s --help'", cmd.Name(), len(args), cmd.CommandPath())
}

// shown is an argument as a message may quote it: a DSN in the wrong place may hold a password.
func shown(arg string) string { return repro.Redact(arg) }
