package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
)

// Lab is where benchmarks are run: a kind of service and a server.
type Lab struct {
	// Target is the service that is measured.
	Target harness.Target
	// DSN is the server's maintenance database, with the right to create databases.
	DSN string
	// Prefix begins the name of every database that is made. The caller has claimed it and drops what is left.
	Prefix string
	// Versions are those of what takes part, by name, for the result.
	Versions map[string]string
	// Progress, where it is not nil, is told what is being done. It must not block.
	Progress func(Step)

	// Of a diagnosis: what is done to every pool's configuration, and who looks at a room before it is cleared for good.
	configure func(*pgxpool.Config)
	look      func(ctx context.Context, room string) error
}

// Step is how far a benchmark has come.
type Step struct {
	What     string
	Done, Of int // steps; Of 0: not known
}

const (
	// closeLimit is how long a service may take to close.
	closeLimit = 30 * time.Second
	// defaultMaxProjects is MAX_PROJECTS where a benchmark does not vary it.
	defaultMaxProjects = 10
)

func (l *Lab) step(done, of int, format string, args ...any) {
	if l.Progress != nil {
		l.Progress(Step{What: fmt.Sprintf(format, args...), Done: done, Of: of})
	}
}

// env is where a service runs whose databases begin with Prefix and room.
func (l *Lab) env(room string, maxProjects, conns int) harness.Env {
	return harness.Env{
		DSN: l.DSN, Prefix: l.Prefix + room + "_", MaxProjects: maxProjects, ConnsPerProject: conns,
		ConfigurePool: l.configure, Logger: slog.New(slog.DiscardHandler),
	}
}

// open starts a service; the caller closes it with closeSystem.
func (l *Lab) open(ctx context.Context, env harness.Env) (harness.System, error) {
	sys, err := l.Target.New(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", l.Target.Name, err)
	}
	return sys, nil
}

// closeSystem ends a service, also after ctx has ended. One that does not end in time is left behind.
func closeSystem(ctx context.Context, sys harness.System) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- sys.Close(ctx) }()
	grace := time.NewTimer(closeLimit + time.Second)
	defer grace.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("close the service: %w", err)
		}
		return nil
	case <-grace.C:
		return errCloseHung
	}
}

var errCloseHung = errors.New("close the service: it did not end")

// with opens a service for f.
func (l *Lab) with(ctx context.Context, env harness.Env, f func(harness.System) error) (err error) {
	sys, err := l.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSystem(ctx, sys)) }()
	return f(sys)
}

// session opens a service and one session of it for f.
func (l *Lab) session(ctx context.Context, env harness.Env, f func(harness.Session) error) error {
	return l.with(ctx, env, func(sys harness.System) error {
		s, err := sys.Session(ctx)
		if err != nil {
			return fmt.Errorf("open a session: %w", err)
		}
		return f(s)
	})
}

// control runs f on a connection of the harness's own to a database; "" is the maintenance database.
func (l *Lab) control(ctx context.Context, database string, f func(*pgx.Conn) error) (err error) {
	conn, err := harness.ConnectControl(ctx, l.DSN, database)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, conn.Close(ctx))
	}()
	return f(conn)
}

// clear drops the databases of a room.
func (l *Lab) clear(ctx context.Context, room string) (err error) {
	c := harness.NewControl(l.DSN)
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	return c.DropDatabases(ctx, l.Prefix+room+"_")
}

// finish drops the databases of a room that is no longer needed, also after ctx has ended.
func (l *Lab) finish(ctx context.Context, room string) error {
	var looking error
	if l.look != nil && ctx.Err() == nil {
		looking = l.look(ctx, room)
	}
	return errors.Join(looking, l.clear(context.WithoutCancel(ctx), room))
}
