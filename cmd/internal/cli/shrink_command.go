package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

type shrinkFlags struct {
	environmentFlags
	budget     time.Duration
	executions int
	out        string
	inPlace    bool
	gate       bool
	json       bool
}

func newShrink(s streams) *cobra.Command {
	var f shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink FILE|FOLDER",
		Short: "Make a failing program smaller, or its failure certain",
		Long: `shrink takes a repro, or the text of a program that fails, written by hand or found by a long storm, and
looks for the smallest program that fails in the same way. It writes a folder as storm does, beside FILE
under its name and "-shrunk", and changes FILE only with --in-place. Interrupted, it keeps the best so far.

--gate takes a program that runs free, and so fails now and then, and searches for a schedule of the
operations that overlapped under which it fails every time. That is then shrunk. Where the fault lies between
two messages to PostgreSQL there is none.

Exit codes: 0 written, 2 usage or environment, 3 it did not show again, or no schedule shows it.`,
		Example: `  tenantstorm shrink soak/search-stale-search --budget 10m
  tenantstorm shrink bug.program --out findings/by-hand
  tenantstorm shrink findings/lru-two-pools-stats --gate
  tenantstorm shrink bug.txtar --in-place --executions 500`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args[0]) },
	}
	f.register(cmd.Flags(), false)
	cmd.Flags().DurationVar(&f.budget, "budget", time.Minute, "how long to shrink, and with --gate to search (0: no limit)")
	cmd.Flags().IntVar(&f.executions, "executions", 0, "how many executions to spend on each (0: no limit)")
	cmd.Flags().StringVar(&f.out, "out", "", "`folder` to write (default: FILE's own name and -shrunk)")
	cmd.Flags().BoolVar(&f.inPlace, "in-place", false, "write over FILE")
	cmd.Flags().BoolVar(&f.gate, "gate", false, "search for a schedule that shows what a free-running program shows now and then")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return cmd
}

// shrinkJSON is what shrink --json prints.
type shrinkJSON struct {
	Fingerprint   string     `json:"fingerprint"`
	Operations    [2]int     `json:"operations"`    // before and after
	Interventions [2]int     `json:"interventions"` // before and after
	Executions    int        `json:"executions"`    // spent on shrinking
	Minimal       bool       `json:"minimal"`
	Mode          string     `json:"mode"`
	Reproduced    int        `json:"reproduced"`
	Trials        int        `json:"trials"`
	Repro         string     `json:"repro"`
	Gate          *gatedJSON `json:"gate,omitempty"` // with --gate
}

// gatedJSON is what the search for a schedule came to.
type gatedJSON struct {
	Found      bool    `json:"found"`
	Windows    int     `json:"windows"` // sets of operations that were let race
	Executions int     `json:"executions"`
	Free       int     `json:"free"` // of these: as the program stands
	Seconds    float64 `json:"seconds"`
}

func (f *shrinkFlags) run(ctx context.Context, s streams, path string) (err error) {
	r, err := loadRepro(path)
	if err != nil {
		return err
	}
	if err := f.check(r, path); err != nil {
		return err
	}
	screen := newScreen(s, f.json)
	defer screen.close()
	p := r.Program
	env, err := f.open(ctx, connectionsPerWorker(p.Projects, p.MaxProjects, p.Sessions, p.Holds()), screen.say)
	if err != nil {
		return err
	}
	defer func() { err = alsoFailed(err, env.close(ctx)) }()
	screen.say(fmt.Sprintf("shrink %s on %s", path, env.source))
	screen.start()
	j := &shrinkJob{shrinkFlags: f, env: env, screen: screen, out: s.out, path: path, r: r}
	return j.do(ctx)
}

// check looks at everything that can be known to be wrong before anything is started.
func (f *shrinkFlags) check(r repro.Repro, path string) error {
	switch {
	case f.budget < 0:
		return fmt.Errorf("--budget %v: must not be below zero", f.budget)
	case f.executions < 0:
		return fmt.Errorf("--executions %d: must not be below zero", f.executions)
	case f.inPlace && f.out != "":
		return errors.New("--in-place writes over FILE: it cannot be combined with --out")
	case f.gate && r.Program.Mode != model.Free:
		return fmt.Errorf("--gate: the program's mode is %s, and so it replays as it is", r.Program.Mode)
	case f.gate && f.budget == 0 && f.executions == 0:
		return errors.New("--gate searches until it is told to stop: --budget or --executions must be above zero")
	case r.Meta.Target == ownTarget && f.workerPath == "":
		return fmt.Errorf("%s was found in a service given with --worker: name its binary again with --worker", path)
	}
	if f.seededFault == "" && f.workerPath == "" {
		f.seededFault = r.Meta.SeededFault
	}
	f.workers = 1
	if err := f.environmentFlags.check(); err != nil {
		return err
	}
	return f.destination(path)
}

// destination decides where to write, and sees that it can be.
func (f *shrinkFlags) destination(path string) error {
	if f.inPlace {
		if info, err := os.Stat(path); err == nil && info.IsDir() && !repro.Folder(path) {
			return fmt.Errorf("--in-place: %s holds more than a repro's files, which would be lost: use --out", path)
		}
		return checkFolder("--in-place", filepath.Dir(filepath.Clean(path)))
	}
	if f.out == "" {
		f.out = shrunkName(path)
	}
	info, err := os.Stat(f.out)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return checkFolder("--out", filepath.Dir(filepath.Clean(f.out)))
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if was, err := os.Stat(path); err == nil && os.SameFile(was, info) {
		return fmt.Errorf("--out %s: that is what is shrunk; --in-place writes over it", f.out)
	}
	if !repro.Folder(f.out) {
		return fmt.Errorf("--out %s: there is something else than a repro's folder; name another with --out", f.out)
	}
	return checkFolder("--out", filepath.Dir(filepath.Clean(f.out)))
}

// shrunkName is where a repro's smaller form is written by default.
func shrunkName(path string) string {
	path = filepath.Clean(path)
	if filepath.Base(path) == repro.FileName {
		path = filepath.Dir(path)
	} else if info, err := os.Stat(path); err != nil || !info.IsDir() {
		path = strings.TrimSuffix(path, filepath.Ext(path))
	}
	return path + "-shrunk"
}

// shrinkJob is one shrink under way.
type shrinkJob struct {
	*shrinkFlags
	env    *environment
	screen *screen
	out    io.Writer
	path   string
	r      repro.Repro
	gating *gatedJSON
}

func (j *shrinkJob) do(ctx context.Context) error {
	p, v := j.r.Program, j.r.Violation
	if j.r.Fingerprint() == "" {
		done, err := hunt.Replay(ctx, j.env.fleet, p, "", bisectTimes(p.Mode))
		if err != nil {
			return err
		}
		if done.Violation == nil {
			return &exitError{code: exitInconclusive, err: fmt.Errorf("%s shows no violation in %s", j.path, count(done.Times, "execution"))}
		}
		v = *done.Violation
	}
	if j.gate {
		began := time.Now()
		g, err := hunt.ToGate(ctx, p, v.Fingerprint(), hunt.GateOptions{
			Runner: j.env.fleet, Budget: j.budget, Executions: j.executions, Spans: j.r.Spans, Progress: j.screen.progress,
		})
		if err != nil {
			return err
		}
		j.gating = &gatedJSON{g.Found, g.Windows, g.Executions, g.Free, time.Since(began).Seconds()}
		if !g.Found {
			return j.noSchedule(v, g)
		}
		j.screen.say(fmt.Sprintf("a schedule of %s shows it, found in %s", count(g.Racing, "operation"), count(g.Executions, "execution")))
		p = g.Program
	}
	found, confirmed, err := hunt.Pursue(ctx, hunt.Options{
		Runner: j.env.fleet, ShrinkBudget: j.budget, ShrinkExecutions: j.executions, Progress: j.screen.progress,
	}, p, v)
	if err != nil {
		return err
	}
	if !confirmed {
		return &exitError{code: exitInconclusive, err: fmt.Errorf("%s did not show again on fresh databases: nothing is written", v.Fingerprint())}
	}
	j.screen.close()
	where, err := j.write(found)
	if err != nil {
		return err
	}
	return j.print(found, where)
}

// noSchedule tells that a failure stays one of now and then.
func (j *shrinkJob) noSchedule(v check.Violation, g hunt.Gating) error {
	j.screen.close()
	if j.json {
		was := j.r.Program
		same := shrinkJSON{Fingerprint: v.Fingerprint(), Operations: [2]int{was.Len(), was.Len()}, Mode: was.Mode.String(), Gate: j.gating}
		if err := printJSON(j.out, same); err != nil {
			return err
		}
	}
	return &exitError{code: exitInconclusive, err: fmt.Errorf("no schedule shows %s: %s, %s tried to race; it may lie between two messages",
		v.Fingerprint(), count(g.Executions, "execution"), count(g.Windows, "set")+" of operations")}
}

// write writes the smallest program that was found, and returns where.
func (j *shrinkJob) write(f hunt.Finding) (string, error) {
	meta := j.env.meta(j.targetName(), j.fault())
	meta.Seed, meta.Case = j.r.Meta.Seed, j.r.Meta.Case
	meta.Reproduced = fmt.Sprintf("%d of %d", f.Reproduced, f.Trials)
	r := repro.New(meta, f.Program, f.Violation, f.History)
	where := j.shrinkFlags.out
	if j.inPlace {
		info, err := os.Stat(j.path)
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return j.path, repro.WriteFile(j.path, r)
		}
		where = j.path
	}
	var page bytes.Buffer
	if _, err := check.Visualize(&page, f.Program, f.History, f.Violation); err != nil {
		return "", err
	}
	where = filepath.Clean(where)
	return report.Save(filepath.Dir(where), filepath.Base(where), r, f.History, page.Bytes())
}

func (j *shrinkJob) print(f hunt.Finding, where string) error {
	was := j.r.Program
	if j.json {
		return printJSON(j.out, shrinkJSON{
			Fingerprint: f.Fingerprint, Operations: [2]int{was.Len(), f.Operations}, Interventions: [2]int{len(was.Schedule), f.Interventions},
			Executions: f.Shrink, Minimal: f.Minimal, Mode: f.Program.Mode.String(), Reproduced: f.Reproduced, Trials: f.Trials, Repro: where, Gate: j.gating,
		})
	}
	var b strings.Builder
	size := "minimal"
	if !f.Minimal {
		size = "the shrinker did not come to an end"
	}
	fmt.Fprintf(&b, "SHRUNK from %s to %s: %s\n\n  %s\n\n", sized(was.Len(), len(was.Schedule)), sized(f.Operations, f.Interventions), f.Fingerprint, f.Violation.Sentence)
	b.WriteString(indented(f.Program.String()))
	fmt.Fprintf(&b, "\n  %s, %s to shrink; reproduced %d of %d on fresh databases\n  replay: %s\n",
		size, count(f.Shrink, "execution"), f.Reproduced, f.Trials, replayCommand(j.workerPath, where))
	_, err := io.WriteString(j.out, b.String())
	return err
}
