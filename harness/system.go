package harness

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// Target is a kind of service that can be tested.
type Target struct {
	// Name is shown in output and kept in repros.
	Name string
	// New opens a service on the databases that env names. Each case gets a fresh one.
	New func(ctx context.Context, env Env) (System, error)
	// Reset empties every database of env.Prefix, so that the next case starts from nothing.
	// Nil: the harness drops all databases whose names begin with the prefix, which is slower.
	Reset func(ctx context.Context, env Env) error
	// RoundTrips, where it is not nil, bounds how many round trips to PostgreSQL an operation may take. It
	// unlocks the invariant latency/round-trips of gated runs.
	RoundTrips *history.RoundTrips
	// Calm, of a service in another process, see [Env.DSNForProcess], is how long it may be silent before it counts as
	// at rest: longer than it ever computes. Zero: 250 ms.
	Calm time.Duration
}

// Env is where a service runs.
type Env struct {
	// DSN is a connection string of the server's maintenance database, with the right to create
	// databases.
	DSN string
	// Prefix begins the name of every database that the service may create.
	Prefix string
	// MaxProjects is how many pools may be resident.
	MaxProjects int
	// ConnsPerProject is how many connections one project's pool must be able to have: enough for
	// every session and every lease of the program at once.
	ConnsPerProject int
	// Dial, where it is not nil, must be used for every connection to PostgreSQL.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ConfigurePool, where it is not nil, must be called with every pool's configuration.
	ConfigurePool func(*pgxpool.Config)
	// Listen, where it is not nil, returns the DSN for a service in another process; see [Env.DSNForProcess].
	Listen func(dsn string) (string, error)
	// Logger takes the service's log. It is never nil.
	Logger *slog.Logger
}

// DSNForProcess returns the connection string for a service in another process, in whatever language, which New
// starts: the DSN or, where the run is gated, that of a loopback listener that stands for the server until the case is over.
// Such a case is settled: the service counts as at rest when it has been silent for a while.
func (e Env) DSNForProcess() (string, error) {
	if e.Listen == nil {
		return e.DSN, nil
	}
	return e.Listen(e.DSN)
}

// PoolConfigurer returns what a pgxpool service must do to each pool's configuration: Dial and
// ConfigurePool in one.
func (e Env) PoolConfigurer() func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		if e.Dial != nil {
			c.ConnConfig.DialFunc = e.Dial
		}
		if e.ConfigurePool != nil {
			e.ConfigurePool(c)
		}
	}
}

// System is a service under test.
type System interface {
	// Session returns a new client of the service, with no project active.
	Session(ctx context.Context) (Session, error)
	// Close ends the service and everything it started.
	Close(ctx context.Context) error
}

// Session is one client of a service. The harness uses a session from one goroutine at a time.
type Session interface {
	// Switch makes a project the session's active one.
	Switch(ctx context.Context, project string) error
	// Index replaces what is stored of a project by the contents of a repository.
	Index(ctx context.Context, req IndexRequest) error
	// Search returns what a project holds.
	Search(ctx context.Context, req SearchRequest) ([]model.Match, error)
}

// IndexRequest is an index operation. Project "" means the session's active one.
type IndexRequest struct {
	Project string
	Repo    fs.FS
	Mode    model.IndexMode
}

// SearchRequest is a search. Project "" means the session's active one; Limit 0 the service's default.
type SearchRequest struct {
	Project string
	Query   string // found as a substring
	Path    string // where not "": only in files whose path holds this
	Limit   int
}

// StatsReporter is a System that can tell of its pools. It unlocks the lru and accounting invariants.
type StatsReporter interface {
	Stats(ctx context.Context) (model.Stats, error)
}

// Dropper is a System that can remove a project.
type Dropper interface {
	Drop(ctx context.Context, project string) error
}

// Holder is a System whose clients can keep a project's pool across operations.
type Holder interface {
	Hold(ctx context.Context, project string) (Lease, error)
}

// Lease keeps a project's pool usable until it is released, evicted or not.
type Lease interface {
	Search(ctx context.Context, req SearchRequest) ([]model.Match, error)
	// Release gives the lease back. A second release does nothing.
	Release(ctx context.Context) error
}

// Errors a service gives, to be returned (or wrapped) by a Session or a capability. Any other error,
// context errors apart, counts as unexplained.
var (
	ErrNoActiveProject = errors.New("no active project")
	ErrUnknownProject  = errors.New("unknown project")
	ErrInUse           = errors.New("project in use")
	ErrBadName         = errors.New("bad project name")
	ErrBadLimit        = errors.New("bad limit")
	ErrEmptyQuery      = errors.New("empty query")
	ErrClosed          = errors.New("service closed")
)

// Classify returns the kind of an error that a service gave.
func Classify(err error) model.ErrorKind {
	if err == nil {
		return model.NoError
	}
	for _, k := range []struct {
		is   error
		kind model.ErrorKind
	}{
		{ErrNoActiveProject, model.ErrNoActiveProject}, {ErrUnknownProject, model.ErrUnknownProject},
		{ErrInUse, model.ErrInUse}, {ErrBadName, model.ErrBadName}, {ErrBadLimit, model.ErrBadLimit},
		{ErrEmptyQuery, model.ErrEmptyQuery}, {ErrClosed, model.ErrClosed},
		{context.Canceled, model.ErrCancelled}, {context.DeadlineExceeded, model.ErrDeadline},
	} {
		if errors.Is(err, k.is) {
			return k.kind
		}
	}
	return model.ErrOther
}

// Capabilities returns the names of what sys can do beyond the three operations every service has.
func Capabilities(sys System) []string {
	var names []string
	if _, ok := sys.(StatsReporter); ok {
		names = append(names, "stats")
	}
	if _, ok := sys.(Dropper); ok {
		names = append(names, "drop")
	}
	if _, ok := sys.(Holder); ok {
		names = append(names, "hold")
	}
	return names
}
