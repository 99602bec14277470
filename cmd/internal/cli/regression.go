package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// regression is a result that is worse than its baseline, and is to be looked into.
type regression struct {
	postgres string
	json     bool
	path     string // of the result
	result   *bench.Result
	because  []string
}

// examine runs the result's load once more and writes what it finds beside the result. Where it cannot, it says why: the
// verdict stands all the same.
func (g regression) examine(ctx context.Context, s streams) error {
	told := s.out
	if g.json {
		told = s.err
	}
	dir := evidenceFolder(g.path)
	m := newMeter(s, g.json)
	o, err := g.again()
	if err == nil {
		err = checkFolder("evidence", dir)
	}
	if err != nil {
		_, err = fmt.Fprintf(told, "no evidence was gathered: %v\n", err)
		return err
	}
	m.start()
	found, err := g.gather(ctx, m, o)
	m.close()
	switch {
	case ctx.Err() != nil:
		_, err = fmt.Fprintln(told, "interrupted: there is no evidence")
		return err
	case err != nil:
		_, err = fmt.Fprintf(told, "no evidence was gathered: %v\n", err)
		return err
	}
	if err := writeEvidence(dir, found); err != nil {
		return err
	}
	return printEvidence(s, g.json, dir, found)
}

// Why a load cannot be run again from its result.
var (
	errElsewhere = errors.New("the result is of another machine; run the benchmark there, or here first")
	errGiven     = errors.New("the result is of a repository that was given; 'tenantstorm bench' with --repo-path and --bound looks into it")
)

// loadAgain is what is run, and what it needs.
type loadAgain struct {
	flags       repositoryFlags
	diagnose    bench.DiagnoseOptions
	connections int
}

// again reads from the result's settings what was run.
func (g regression) again() (o loadAgain, err error) {
	r := g.result
	if r.Machine != bench.ThisMachine() {
		return o, errElsewhere
	}
	o.connections = benchConnections
	set := func(name string) uint64 {
		n, failed := strconv.ParseUint(r.Settings[name], 10, 64)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("the result's setting %s is %q", name, r.Settings[name]))
		}
		return n
	}
	if !strings.HasPrefix(r.Settings["repository"], "generated") {
		return o, errGiven
	}
	o.flags = repositoryFlags{files: int(set("files")), seed: set("seed"), project: r.Settings["project"], runs: 1}
	switch r.Kind {
	case bench.KindIndex:
		o.diagnose.Index = &bench.IndexOptions{Project: o.flags.project}
	case bench.KindSearch:
		search := &bench.SearchOptions{Project: o.flags.project, Queries: int(set("queries")), Seed: set("query_seed")}
		for _, field := range strings.Fields(r.Settings["clients"]) {
			n, failed := strconv.Atoi(field)
			err = errors.Join(err, failed)
			search.Clients = append(search.Clients, n)
		}
		if rate, open := strings.CutPrefix(r.Settings["load"], "open, "); open {
			search.Rate, _ = strconv.ParseFloat(strings.TrimSuffix(rate, "/s"), 64)
		}
		o.diagnose.Search = search
		if len(search.Clients) == 0 || search.Queries < 1 {
			return o, errors.Join(err, errors.New("the result does not say what was searched"))
		}
		o.connections = searchConnections(search.Clients)
	default:
		err = fmt.Errorf("a %s is not run again", r.Kind)
	}
	return o, errors.Join(err, o.flags.check())
}

// regressionLimit is how long a regression is looked into.
const regressionLimit = 10 * time.Minute

func (g regression) gather(ctx context.Context, m *meter, o loadAgain) (found *bench.Evidence, err error) {
	ctx, cancel := context.WithTimeout(ctx, regressionLimit)
	defer cancel()
	repo, remove, err := o.flags.provide(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	f := measureFlags{postgres: g.postgres}
	_, err = f.inLab(ctx, m, o.connections, func(lab *bench.Lab) (*bench.Result, error) {
		d := o.diagnose
		d.Because, d.Log = g.because, f.log
		if d.Index != nil {
			d.Index.Repository = repo
		}
		if d.Search != nil {
			d.Search.Repository = repo
		}
		m.say("gathering evidence, as something became worse")
		var err error
		found, err = lab.Diagnose(ctx, d)
		return nil, err
	})
	return found, err
}
