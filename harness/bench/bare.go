package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness"
)

// Statement is what a search sends to PostgreSQL.
type Statement struct {
	SQL  string
	Args []any
}

// Statements is a System that can say which statements a search comes down to, and where. A service on pgxpool that
// calls [harness.Env.ConfigurePool], as it must, needs it not: what it sends is seen.
type Statements interface {
	SearchStatements(ctx context.Context, req harness.SearchRequest) (database *pgx.ConnConfig, sent []Statement, err error)
}

// errNoBare says that there is nothing to set a search beside.
var errNoBare = errors.New("the service was not seen to send a statement: it neither offers Statements nor uses the pools' configuration it is given")

// bare is each query of the mix as the statements it comes down to.
type bare struct {
	config *pgx.ConnConfig
	sent   [][]Statement // by query
}

// witness is a pgx tracer that notes every statement and where it went.
type witness struct {
	mu       sync.Mutex
	config   *pgx.ConnConfig
	seen     []Statement
	prepared map[string]string // by name
}

var (
	_ pgx.QueryTracer   = (*witness)(nil)
	_ pgx.PrepareTracer = (*witness)(nil)
)

// TraceQueryStart notes a statement.
func (w *witness) TraceQueryStart(ctx context.Context, conn *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	sql := q.SQL
	if text, ok := w.prepared[sql]; ok {
		sql = text
	}
	w.config = conn.Config()
	w.seen = append(w.seen, Statement{sql, slices.Clone(q.Args)})
	return ctx
}

// TraceQueryEnd does nothing.
func (w *witness) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TracePrepareStart notes what a prepared statement's name stands for.
func (w *witness) TracePrepareStart(ctx context.Context, _ *pgx.Conn, p pgx.TracePrepareStartData) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.prepared == nil {
		w.prepared = map[string]string{}
	}
	w.prepared[p.Name] = p.SQL
	return ctx
}

// TracePrepareEnd does nothing.
func (w *witness) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

// take returns what was noted since it was last asked.
func (w *witness) take() (*pgx.ConnConfig, []Statement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return w.config, seen
}

// observe asks a service of its own each query once, and sees what it sends.
func (l *Lab) observe(ctx context.Context, env harness.Env, project string, queries []Query) (*bare, error) {
	w := &witness{}
	env.ConfigurePool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = w }
	b := &bare{}
	err := l.with(ctx, env, func(sys harness.System) error {
		s, err := sys.Session(ctx)
		if err != nil {
			return fmt.Errorf("open a session: %w", err)
		}
		says, ok := sys.(Statements)
		// The first search may do more than the others: open connections, look up the project.
		if _, err := s.Search(ctx, queries[0].request(project)); err != nil {
			return fmt.Errorf("search: %w", err)
		}
		for _, q := range queries {
			var sent []Statement
			if ok {
				b.config, sent, err = says.SearchStatements(ctx, q.request(project))
			} else {
				w.take()
				_, err = s.Search(ctx, q.request(project))
				b.config, sent = w.take()
			}
			if err != nil {
				return fmt.Errorf("search %q: %w", q.Text, err)
			}
			if len(sent) == 0 || b.config == nil {
				return errNoBare
			}
			b.sent = append(b.sent, sent)
		}
		return nil
	})
	return b, err
}

// bareClients are connections that send the statements with nothing between.
type bareClients struct {
	bare  *bare
	conns []*pgx.Conn
}

func (b *bare) open(ctx context.Context, clients int) (_ *bareClients, err error) {
	c := &bareClients{bare: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(ctx))
		}
	}()
	for range clients {
		config := b.config.Copy()
		config.Tracer = nil
		config.RuntimeParams["application_name"] = harness.ControlApplication
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("connect beside the service: %w", err)
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *bareClients) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close(ctx))
	}
	return errors.Join(errs...)
}

// do sends query i's statements and reads all of what comes back.
func (c *bareClients) do(ctx context.Context, client, i int) error {
	for _, s := range c.bare.sent[i] {
		rows, err := c.conns[client].Query(ctx, s.SQL, s.Args...)
		if err != nil {
			return fmt.Errorf("bare statement: %w", err)
		}
		for rows.Next() {
			_ = rows.RawValues()
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("bare statement: %w", err)
		}
	}
	return nil
}
