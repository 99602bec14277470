package systemtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/model"
)

// smallBounds keep most programs short, of few projects and pools: that is where services go wrong, and it is
// quick. Every sixth program is drawn within the default bounds.
var smallBounds = model.Bounds{MaxProjects: 3, Projects: 5, Sessions: 3, Operations: 15}

// judge runs drawn programs as a storm would. The error is the first accusation, with its program.
func (s *suite) judge(ctx context.Context, prefix string, control *harness.Control, capabilities []string) error {
	env := harness.Env{DSN: s.dsn, Prefix: prefix, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	defer func() { _ = control.DropDatabases(context.WithoutCancel(ctx), prefix) }()
	passed := map[string]int{}
	for i := range s.programs {
		bounds := smallBounds
		if i%6 == 5 {
			bounds = model.DefaultBounds()
		}
		p := model.Generate(model.NewSource(model.CaseSeed(1, i)), bounds)
		v, err := s.one(ctx, env, control, p)
		if err != nil {
			return fmt.Errorf("program %d could not be run: %w\n%s", i, err, p)
		}
		if f := v.First(); f != nil {
			return fmt.Errorf("program %d: the service is accused of %s: %s\n%s", i, f.Fingerprint(), f.Sentence, p)
		}
		for _, r := range v.Results {
			if r.Status == check.Pass {
				passed[r.Invariant]++
			}
		}
	}
	// Programs that look at nothing would accuse nobody either.
	for _, family := range check.Families {
		if (family == "lru" || family == "accounting") && missing([]string{"stats"}, capabilities) != "" {
			continue
		}
		if passed[family] == 0 {
			return fmt.Errorf("none of %d programs looked at %s", s.programs, family)
		}
	}
	return nil
}

// one runs one program on a fresh service and judges it.
func (s *suite) one(ctx context.Context, env harness.Env, control *harness.Control, p model.Program) (check.Verdict, error) {
	tr := &trial{target: s.target, control: control, env: env}
	if err := tr.reset(ctx); err != nil {
		return check.Verdict{}, err
	}
	run, err := harness.Start(ctx, s.target, env, p)
	if err != nil {
		return check.Verdict{}, err
	}
	err = run.Execute(ctx)
	if err == nil && run.Alive() {
		err = audit.Service(ctx, run, control, audit.Options{})
	}
	if !run.Closed() && !run.Stuck() {
		_, e := run.Close(ctx)
		if run.Alive() {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return check.Verdict{}, err
	}
	return check.Judge(p, run.History), nil
}
