package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// sevenOperations is a program as small as a finding, with an eviction in it.
const sevenOperations = `program v1
max_projects 2
projects 3
sessions 2

setup
  #1 s0 index p0 rev=1 files=2
  #2 s0 index p1 rev=1 files=2
  #3 s1 switch p1
  #4 s1 search shared
  #5 s0 index p2 rev=1 files=2
  #6 s1 search p0 own
  #7 s0 stats
`

const (
	warmKept   = 40 // backends kept between cases, as a worker does
	warmRepeat = 20 // cases of a round
)

// warm measures one small case on backends that are kept, and on new ones.
func (l *lab) warm(ctx context.Context) (s section, err error) {
	p, err := model.Parse(sevenOperations)
	if err != nil {
		return s, err
	}
	c := &smallCase{target: target.Codesearch(), program: p, control: harness.NewControl(l.server.DSN())}
	defer func() { err = errors.Join(err, down(ctx, c.control.Close)) }()
	kept := pgwire.NewWarm(nil, warmKept)
	defer func() { err = errors.Join(err, kept.Close()) }()
	coldEnv := l.env(l.claim.Prefix + "w_")
	warmEnv := coldEnv
	warmEnv.Dial = kept.Dial
	for _, env := range []harness.Env{coldEnv, warmEnv} { // so that databases and backends are there
		if err := c.run(ctx, env); err != nil {
			return s, err
		}
	}
	var cold, warm sample
	for range l.rounds {
		for _, m := range []struct {
			into *sample
			env  harness.Env
		}{{&cold, coldEnv}, {&warm, warmEnv}} {
			began := time.Now()
			for range warmRepeat {
				if err := c.run(ctx, m.env); err != nil {
					return s, err
				}
			}
			m.into.took(time.Since(began) / warmRepeat)
		}
	}
	s.title = fmt.Sprintf("A case of %d operations, on cold and on warm backends", p.Len())
	s.text = fmt.Sprintf("One whole sequential case in one process: reset, service, program, audit, verdict; each round is the mean of "+
		"%d. Cold backends are new ones for every connection; warm ones are kept from case to case, as a worker does.", warmRepeat)
	s.table.row("backends", "ms a case", "min – max", "÷ warm")
	s.table.row("cold", number(cold.median()), cold.span(), number(cold.over(warm).median()))
	s.table.row("warm", number(warm.median()), warm.span(), number(warm.over(warm).median()))
	return s, nil
}

// smallCase is a case that is run as a worker runs it.
type smallCase struct {
	target  harness.Target
	program model.Program
	control *harness.Control
}

func (c *smallCase) run(ctx context.Context, env harness.Env) error {
	if err := c.target.Reset(ctx, env); err != nil {
		return err
	}
	run, err := harness.Start(ctx, c.target, env, c.program)
	if err != nil {
		return err
	}
	err = run.Execute(ctx)
	if err == nil {
		err = audit.Service(ctx, run, c.control, audit.Options{})
	}
	if !run.Closed() {
		err = errors.Join(err, closeRun(ctx, run))
	}
	if err != nil {
		return err
	}
	if v := check.Judge(c.program, run.History); v.Status != check.Pass {
		return notPassed(c.program, v)
	}
	return nil
}
