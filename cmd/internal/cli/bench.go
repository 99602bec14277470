package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness/bench"
)

func newBench(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how long indexing and searching take",
		Long: `bench measures the reference service on a real PostgreSQL and sets every run beside the least that
PostgreSQL itself takes for it, by turns. Results can be compared with 'tenantstorm baseline compare'.`,
		Example: `  tenantstorm bench index --files 10000 --output before.json
  tenantstorm bench search --queries 100 --clients 1,10`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q; see 'tenantstorm bench --help'", shown(args[0]))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newBenchIndex(s), newBenchSearch(s))
	return cmd
}

// measureFlags are those of every command that leaves a result.
type measureFlags struct {
	postgres   string
	output     string
	json       bool
	noEvidence bool

	log      *bench.ServerLog // of a server that we started
	evidence *bench.Evidence  // of a result that failed
}

func (f *measureFlags) register(flags *pflag.FlagSet) {
	registerPostgres(flags, &f.postgres)
	flags.StringVar(&f.output, "output", "", "also write the result to this `file`, as JSON")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON; progress goes to stderr")
}

// registerEvidence adds the flag of commands whose results can fail.
func registerEvidence(flags *pflag.FlagSet, without *bool) {
	flags.BoolVar(without, "no-evidence", false, "do not look into what failed: slow statements, plans, profiles, in a folder beside the result")
}

func (f *measureFlags) check() error {
	if err := checkFile("--output", f.output); err != nil || f.output == "" || f.noEvidence {
		return err
	}
	return checkFolder("--output", evidenceFolder(f.output))
}

// checkFile sees whether a file could be written, without writing it. "" is no file, and fine.
func checkFile(flag, path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s %s: it is there, and not a file", flag, path)
	}
	if err := checkFolder(flag, filepath.Dir(path)); err != nil {
		return err
	}
	return nil
}

// measure runs what measures, with a meter, and tells and keeps the result.
func (f *measureFlags) measure(ctx context.Context, s streams, run func(*meter) (*bench.Result, error)) error {
	m := newMeter(s, f.json)
	m.start()
	r, err := run(m)
	m.close()
	switch {
	case ctx.Err() != nil && r == nil:
		return &exitError{code: exitInconclusive, err: alsoFailed(errors.New("interrupted: there is no result"), unlessInterrupted(err))}
	case errors.Is(err, bench.ErrAnswer):
		return &exitError{code: exitFinding, err: err}
	case err != nil:
		return err
	}
	return f.deliver(s, r)
}

// unlessInterrupted is err unless it only says that ctx was cancelled.
func unlessInterrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// inLab opens a server with so many connections and a lab on it for run, and takes everything down.
func (f *measureFlags) inLab(ctx context.Context, m *meter, connections int, run func(*bench.Lab) (*bench.Result, error)) (r *bench.Result, err error) {
	m.step(bench.Step{What: "opening the server"})
	log := &bench.ServerLog{}
	env, err := openServerWith(ctx, f.postgres, 1, connections, postgres.Settings{Log: log}, m.say)
	if err != nil {
		return nil, err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	if env.own {
		f.log = log
	}
	m.say("measuring on " + env.source)
	return run(env.lab(m))
}

// lab is a lab for the reference service on the environment's server.
func (e *environment) lab(m *meter) *bench.Lab {
	return &bench.Lab{
		Target: target.Codesearch(), DSN: e.server.DSN(), Prefix: e.claim.Prefix, Progress: m.step,
		Versions: map[string]string{
			"tenantstorm": toolVersion(), "go": runtime.Version(), "pgx": moduleVersion(pgxModule), "postgres": postgres.VersionString(e.server.Version()),
		},
	}
}

// deliver writes and prints a result, and turns its verdict into an exit code.
func (f *measureFlags) deliver(s streams, r *bench.Result) error {
	if f.output != "" {
		if err := writeResult(f.output, r); err != nil {
			return fmt.Errorf("--output %s: %w", f.output, err)
		}
	}
	var err error
	if f.json {
		err = printJSON(s.out, r)
	} else {
		err = printResult(s.out, r, f.output)
	}
	if err == nil {
		err = f.deliverEvidence(s)
	}
	if err != nil {
		return err
	}
	return benchExit(r.Verdict)
}

func writeResult(path string, r *bench.Result) error {
	data, err := r.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return writeWhole(path, data)
}

// benchExit is the exit code of a verdict.
func benchExit(verdict string) error {
	switch verdict {
	case bench.Pass:
		return nil
	case bench.Fail:
		return &exitError{code: exitFinding}
	}
	return &exitError{code: exitInconclusive}
}

// meter shows how far a measurement has come: a bar on a terminal, a line now and then elsewhere.
type meter struct {
	*screen
	steps chan bench.Step
	done  chan struct{} // closed when nothing more will be shown
}

// meterEvery is how often a meter shows itself where lines cannot be overwritten.
const meterEvery = 2 * time.Second

func newMeter(s streams, toStderr bool) *meter {
	return &meter{screen: newScreen(s, toStderr)}
}

func (m *meter) start() {
	every := meterEvery
	if m.live {
		every = liveEvery
	}
	m.steps, m.done = make(chan bench.Step), make(chan struct{})
	m.ticker.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		began, now := time.Now(), bench.Step{What: "starting"}
		for {
			select {
			case now = <-m.steps:
				if m.live {
					m.draw(now, time.Since(began))
				}
			case <-t.C:
				m.draw(now, time.Since(began))
			case <-m.done:
				return
			}
		}
	})
}

// step is told what is being done.
func (m *meter) step(s bench.Step) {
	select {
	case m.steps <- s:
	case <-m.done:
	}
}

func (m *meter) draw(s bench.Step, elapsed time.Duration) {
	line := fmt.Sprintf("%6s  %s%s", clock(elapsed), bar(s), s.What)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	if m.live {
		fmt.Fprint(m.w, line)
		m.shown = true
		return
	}
	fmt.Fprintln(m.w, line)
}

// barWidth is how wide a progress bar is, in characters.
const barWidth = 20

func bar(s bench.Step) string {
	if s.Of <= 0 {
		return ""
	}
	full := min(barWidth, barWidth*s.Done/s.Of)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]  "
}

// close ends the progress and takes back an unfinished line. It may be called more than once, from one goroutine.
func (m *meter) close() {
	if m.done != nil {
		close(m.done)
		m.ticker.Wait()
		m.done = nil
	}
	m.screen.close()
}
