package systemtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
)

// contract is one thing that every service must do, and how to see whether it does.
type contract struct {
	name string
	// needs are the capabilities without which there is nothing to see.
	needs []string
	holds func(context.Context, *trial) error
}

// contracts in the order in which they are looked at: the later ones rely on the earlier.
func contracts() []contract {
	return slices.Concat(resetContracts(), sessionContracts(), contentContracts(), argumentContracts(), poolContracts(), leaseContracts(), lifeContracts())
}

// patience is how long a contract may take to be seen. It is there to end, with stacks, what would
// hang for good.
const patience = time.Minute

// settling is how long a service may take to do what it does in the background.
const settling = 5 * time.Second

// Run tests whether a target keeps every contract of package harness, on the PostgreSQL server of dsn,
// whose user must be allowed to create databases. They are dropped at the end.
//
// Afterwards drawn programs are run, fewer with -short. Run does not return before everything it began
// is over, unless the service hangs.
func Run(t *testing.T, target harness.Target, dsn string) {
	s := &suite{target: target, dsn: dsn, patience: patience, settling: settling, programs: 60}
	if testing.Short() {
		s.programs = 10
	}
	s.run(t)
}

// suite is one run of the suite.
type suite struct {
	target   harness.Target
	dsn      string
	patience time.Duration
	settling time.Duration
	programs int
	recycle  bool // Reset is known to work
}

func (s *suite) run(t *testing.T) {
	ctx := t.Context()
	claim, err := harness.ClaimPrefix(ctx, s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := claim.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	control := harness.NewControl(s.dsn)
	defer func() { _ = control.Close(context.WithoutCancel(ctx)) }()

	capabilities, err := s.capabilities(ctx, claim.Prefix+"caps_", control)
	if err != nil {
		t.Fatal(err)
	}
	hung := false
	for i, c := range contracts() {
		prefix := claim.Prefix + "c_"
		t.Run(c.name, func(t *testing.T) {
			if lacks := missing(c.needs, capabilities); lacks != "" {
				t.Logf("not looked at: the service lacks the capability %s", lacks)
				return
			}
			if hung {
				t.Fatal("not looked at: the service hung before")
			}
			err := s.see(ctx, c, prefix, control)
			hung = errors.Is(err, errHung)
			if err != nil {
				t.Error(err)
			}
			if i == 0 { // Reset's own: where it works, the others' databases are recycled, which is quicker
				s.recycle = err == nil
			}
		})
	}
	t.Run("is never accused", func(t *testing.T) {
		if hung {
			t.Fatal("not looked at: the service hung before")
		}
		if err := s.judge(ctx, claim.Prefix+"p_", control, capabilities); err != nil {
			t.Error(err)
		}
	})
}

// capabilities asks a service what it can do.
func (s *suite) capabilities(ctx context.Context, prefix string, control *harness.Control) (names []string, err error) {
	c := contract{holds: func(ctx context.Context, tr *trial) error {
		svc, err := tr.open(ctx, 1)
		if err != nil {
			return err
		}
		names = harness.Capabilities(svc.System)
		return nil
	}}
	return names, s.see(ctx, c, prefix, control)
}

func missing(needs, have []string) string {
	for _, n := range needs {
		if !slices.Contains(have, n) {
			return n
		}
	}
	return ""
}

// errHung is in the error of a contract that did not come to an end.
var errHung = errors.New("the service does not come back")

// see looks whether a contract holds, on databases that are empty, and leaves them so. The error says how it does not.
func (s *suite) see(ctx context.Context, c contract, prefix string, control *harness.Control) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	tr := &trial{target: s.target, control: control, settling: s.settling, env: harness.Env{
		DSN: s.dsn, Prefix: prefix, ConnsPerProject: connsPerProject, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("the service panicked: %v\n%s", v, harness.Stacks())
			}
		}()
		err := c.holds(ctx, tr)
		if e := tr.close(ctx); err == nil { // closing what has gone wrong may well go wrong
			err = e
		}
		done <- err
	}()
	select {
	case err := <-done:
		ctx := context.WithoutCancel(ctx)
		if s.recycle && err == nil {
			return tr.reset(ctx)
		}
		return errors.Join(err, control.DropDatabases(ctx, prefix))
	case <-ctx.Done():
	}
	timer := time.NewTimer(s.patience / 10)
	defer timer.Stop()
	select {
	case err := <-done: // it heeds its context, but it took too long
		return fmt.Errorf("%w within %v; when its context ended: %w", errHung, s.patience, err)
	case <-timer.C:
		return fmt.Errorf("%w within %v, nor when its context has ended\n%s", errHung, s.patience, harness.Stacks())
	}
}

// connsPerProject is what each project's pool may have, unless a contract is about that.
const connsPerProject = 8

// trial is where one contract is looked at.
type trial struct {
	target  harness.Target
	env     harness.Env
	control *harness.Control
	opened  []*service
	// settling is how long the service may take to do what it does in the background.
	settling time.Duration
}

// open opens a service with room for so many pools. It is closed with the trial, if not before.
func (tr *trial) open(ctx context.Context, maxProjects int) (*service, error) {
	env := tr.env
	env.MaxProjects = maxProjects
	sys, err := tr.target.New(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("New: %w", err)
	}
	if sys == nil {
		return nil, errors.New("New: no service and no error")
	}
	svc := &service{System: sys}
	tr.opened = append(tr.opened, svc)
	return svc, nil
}

// start opens a service with room for so many pools, and a session of it.
func (tr *trial) start(ctx context.Context, maxProjects int) (*service, *client, error) {
	svc, err := tr.open(ctx, maxProjects)
	if err != nil {
		return nil, nil, err
	}
	c, err := svc.session(ctx)
	return svc, c, err
}

func (tr *trial) close(ctx context.Context) error {
	var errs []error
	for _, svc := range tr.opened {
		errs = append(errs, svc.close(ctx))
	}
	return errors.Join(errs...)
}

// reset empties the trial's databases, the target's way or the harness's.
func (tr *trial) reset(ctx context.Context) error {
	if tr.target.Reset == nil {
		return tr.control.DropDatabases(ctx, tr.env.Prefix)
	}
	if err := tr.target.Reset(ctx, tr.env); err != nil {
		return fmt.Errorf("Reset: %w", err)
	}
	return nil
}

// service is a service with its errors in sentences.
type service struct {
	harness.System
	closed bool
}

func (s *service) session(ctx context.Context) (*client, error) {
	c, err := s.System.Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("Session: %w", err)
	}
	return &client{c}, nil
}

// close closes the service once.
func (s *service) close(ctx context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.System.Close(ctx); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	return nil
}

// wants says that an error is not the one that is right.
func wants(what string, err, want error) error {
	switch {
	case errors.Is(err, want):
		return nil
	case err == nil:
		return fmt.Errorf("%s: no error; want one that is harness.%s", what, sentinels[want])
	}
	return fmt.Errorf("%s: %w; want an error that is harness.%s: it may wrap it", what, err, sentinels[want])
}

// sentinels are the names of the errors in package harness.
var sentinels = map[error]string{
	harness.ErrNoActiveProject: "ErrNoActiveProject", harness.ErrUnknownProject: "ErrUnknownProject", harness.ErrInUse: "ErrInUse",
	harness.ErrBadName: "ErrBadName", harness.ErrBadLimit: "ErrBadLimit", harness.ErrEmptyQuery: "ErrEmptyQuery", harness.ErrClosed: "ErrClosed",
}

// first returns the first error there is.
func first(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// quote names projects in a sentence.
func quote(names []string) string { return strings.Join(names, " ") }
