// Command performance measures tenantstorm on a real PostgreSQL and writes what it found as Markdown.
// No figure in its output is typed by hand. It is run by make performance.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // main is where a process may end
}

// run returns the exit code: 0 measured, 1 a finding or a figure below its bar, 2 usage or environment.
func run(args []string, stdout, stderr io.Writer) int {
	if worker.Requested() {
		return worker.Main(target.Codesearch())
	}
	if len(args) > 0 && args[0] == judgeCommand {
		return judge(args[1:], stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == indexCommand {
		if err := indexOnce(ctx, os.Stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "performance: index:", err)
			return 2
		}
		return 0
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	missed, err := measure(ctx, o, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "performance:", err)
		return 2
	}
	if len(missed) > 0 {
		for _, m := range missed {
			fmt.Fprintln(stderr, "performance:", m)
		}
		return 1
	}
	return 0
}

// documents are the files that are written.
var documents = []string{"skeleton.md", "gate-cost.md", "shrinkers.md", "service.md"}

// options say how long to measure and where to write.
type options struct {
	out      string        // directory
	postgres string        // as postgres.Open takes it
	rounds   int           // of every figure, of which the median is given
	round    time.Duration // of one round of what is counted per second
	soak     time.Duration // of the free run of the service as it is
	long     int           // operations of long programs
	only     string        // the one document that is written; "": all
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("performance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "out", "docs/performance", "`directory` to write to")
	flags.StringVar(&o.postgres, "postgres", "local", "where PostgreSQL comes from: auto, docker, local, or a DSN (`source`)")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of every measurement, whose median is given")
	flags.DurationVar(&o.round, "round", 3*time.Second, "how long one round of what is counted per second takes")
	flags.DurationVar(&o.soak, "soak", time.Minute, "how long the service as it is runs free")
	flags.IntVar(&o.long, "long", 100_000, "how many operations of long programs run on the service as it is")
	flags.StringVar(&o.only, "only", "", "write this `document` only: "+strings.Join(documents, ", "))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = errors.New("takes no arguments, only flags")
	case o.rounds < 1 || o.round <= 0 || o.soak <= 0 || o.long < 1:
		err = errors.New("-rounds, -round, -soak and -long must be above zero")
	case o.only != "" && !slices.Contains(documents, o.only):
		err = fmt.Errorf("-only %s: there is no such document", o.only)
	}
	if err != nil {
		fmt.Fprintln(stderr, "performance:", err)
	}
	return o, err
}

// stopTime is how long taking everything down may take.
const stopTime = 30 * time.Second

// maxConnections is what the server is given: sixteen sessions on every pool of two workers, and spare.
const maxConnections = 600

// lab is where everything is measured.
type lab struct {
	options
	server postgres.Server
	claim  *harness.Claim
	self   string // this program, which is the worker, too
}

// measure measures everything, writes the document and returns which bars were missed.
func measure(ctx context.Context, o options, stdout io.Writer) (missed []string, err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	l := &lab{options: o}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	var report postgres.Report
	l.server, report, err = postgres.Open(ctx, o.postgres, postgres.Settings{MaxConnections: maxConnections}, postgres.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, down(ctx, l.server.Stop)) }()
	if l.claim, err = harness.ClaimPrefix(ctx, l.server.DSN()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, down(ctx, l.claim.Close)) }()

	for _, d := range []struct {
		document
		parts []part
	}{
		{document{file: "skeleton.md", title: "What it costs"}, []part{
			{"cases", l.cases}, {"searches", l.searches}, {"providers", l.providers}, {"reset", l.reset},
			{"checkers", l.checkers}, {"warm backends", l.warm}, {"clean service", l.clean}, {"long programs", l.long},
		}},
		{document{file: "gate-cost.md", title: "What the gate costs"}, []part{
			{"gated cases", l.gated}, {"small race", l.smallRaces}, {"messages", l.messages},
		}},
		{document{file: "shrinkers.md", title: "What shrinking costs, by two shrinkers"}, []part{{"shrinkers", l.shrinkers}}},
		{document{file: "service.md", title: "What the reference service costs"}, []part{
			{"indexing again", l.reindex}, {"searching while others index", l.loaded}, {"resident pool", l.hits}, {"memory", l.growth},
		}},
	} {
		d.machine, d.rounds = describe(report), o.rounds
		if !l.wanted(d.file) {
			continue
		}
		for _, p := range d.parts {
			s, err := p.run(ctx, stdout)
			if err != nil {
				return nil, err
			}
			d.sections = append(d.sections, s)
			missed = append(missed, s.missed...)
		}
		path := filepath.Join(o.out, d.file)
		if err := os.WriteFile(path, []byte(d.String()), 0o644); err != nil {
			return nil, err
		}
		fmt.Fprintf(stdout, "wrote %s\n", path)
	}
	return missed, nil
}

// part is what one section is measured by.
type part struct {
	name    string
	measure func(context.Context) (section, error)
}

func (p part) run(ctx context.Context, stdout io.Writer) (section, error) {
	fmt.Fprintf(stdout, "measuring %s\n", p.name)
	before := loadAverage()
	s, err := p.measure(ctx)
	if err != nil {
		return s, fmt.Errorf("measure %s: %w", p.name, err)
	}
	s.before, s.after = before, loadAverage()
	return s, nil
}

// wanted reports whether a document is to be written.
func (o *options) wanted(file string) bool { return o.only == "" || o.only == file }

// down takes something down, also after ctx has ended.
func down(ctx context.Context, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return stop(ctx)
}
