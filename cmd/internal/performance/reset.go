package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// resetBar is what emptying the databases of a whole program may take.
const resetBar = 10 * time.Millisecond

// env is where a service of the lab runs.
func (l *lab) env(prefix string) harness.Env {
	return harness.Env{
		DSN: l.server.DSN(), Prefix: prefix, MaxProjects: model.DefaultBounds().MaxProjects, ConnsPerProject: 2,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// reset measures how long it takes to forget fifteen projects, and to fill them again.
func (l *lab) reset(ctx context.Context) (s section, err error) {
	projects := model.DefaultBounds().Projects
	t, env := target.Codesearch(), l.env(l.claim.Prefix+"r_")
	var reset, full, recycled sample
	control := harness.NewControl(env.DSN)
	defer func() { err = errors.Join(err, down(ctx, control.Close)) }()
	made, err := index(ctx, t, env, projects)
	if err != nil {
		return s, err
	}
	if err := t.Reset(ctx, env); err != nil { // connects, which later ones need not
		return s, err
	}
	for range l.rounds {
		took, err := index(ctx, t, env, projects)
		if err != nil {
			return s, err
		}
		recycled.took(took)
		began := time.Now()
		if err := t.Reset(ctx, env); err != nil {
			return s, err
		}
		reset.took(time.Since(began))
	}
	for range l.rounds {
		if _, err := index(ctx, t, env, 1); err != nil { // so that there is a database of each to drop
			return s, err
		}
		began := time.Now()
		if err := control.DropDatabases(ctx, env.Prefix); err != nil {
			return s, err
		}
		full.took(time.Since(began))
		if _, err := index(ctx, t, env, projects); err != nil {
			return s, err
		}
	}
	s.title = fmt.Sprintf("Emptying %d project databases", projects)
	s.text = "Target.Reset, over the connection that it keeps; against dropping the databases, which is what is done where a " +
		"target has no Reset. A reset project is emptied when the service next adopts its database, so filling all of them " +
		"again is given, too: on recycled databases, and once where they had to be created."
	s.table.row("what", "ms", "min – max")
	s.table.row("Target.Reset", number(reset.median()), reset.span())
	s.table.row("dropping the databases", number(full.median()), full.span())
	s.table.row("indexing every project again, databases recycled", number(recycled.median()), recycled.span())
	var once sample
	once.took(made)
	s.table.row("indexing every project, databases created", number(once.median()), "once")
	s.bar(fmt.Sprintf("Target.Reset below %v", resetBar), reset.median() < float64(resetBar)/float64(time.Millisecond))
	return s, nil
}

// index opens a service, indexes one file into each of the projects, and closes it. It returns how long
// the indexing took.
func index(ctx context.Context, t harness.Target, env harness.Env, projects int) (took time.Duration, err error) {
	sys, err := t.New(ctx, env)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, down(ctx, sys.Close)) }()
	client, err := sys.Session(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for p := range projects {
		if err := client.Index(ctx, harness.IndexRequest{Project: projectName(p), Repo: repogen.Repo(p, 1, 1)}); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
