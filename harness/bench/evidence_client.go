package bench

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// StatementTime is how long one statement took, as the service's client saw it: with every row read.
type StatementTime struct {
	SQL   string        `json:"sql"`
	Times int           `json:"times"`
	Total time.Duration `json:"total_ns"`
	Max   time.Duration `json:"max_ns"`

	slowest Statement // with the arguments it was slowest with
	config  *pgx.ConnConfig
}

// stopwatch is a pgx tracer that times statements, and what pools are waited for.
type stopwatch struct {
	mu               sync.Mutex
	seen             map[string]*StatementTime // by text
	names            witness                   // of prepared statements
	acquire, connect Waited
}

var (
	_ pgx.QueryTracer       = (*stopwatch)(nil)
	_ pgx.CopyFromTracer    = (*stopwatch)(nil)
	_ pgx.BatchTracer       = (*stopwatch)(nil)
	_ pgx.PrepareTracer     = (*stopwatch)(nil)
	_ pgx.ConnectTracer     = (*stopwatch)(nil)
	_ pgxpool.AcquireTracer = (*stopwatch)(nil)
)

func (w *stopwatch) configure(c *pgxpool.Config) { c.ConnConfig.Tracer = w }

// Keys of what is under way, in contexts.
type (
	queryKey   struct{}
	batchKey   struct{}
	acquireKey struct{}
	connectKey struct{}
)

type underWay struct {
	began     time.Time
	statement Statement
}

func (w *stopwatch) took(conn *pgx.Conn, s Statement, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.seen[s.SQL]
	if !ok {
		t = &StatementTime{SQL: s.SQL}
		w.seen[s.SQL] = t
	}
	t.Times++
	t.Total += d
	if d >= t.Max {
		t.Max, t.slowest, t.config = d, Statement{s.SQL, slices.Clone(s.Args)}, conn.Config()
	}
}

// TraceQueryStart begins to time a statement.
func (w *stopwatch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, queryKey{}, &underWay{time.Now(), Statement{w.names.text(q.SQL), q.Args}})
}

// TraceQueryEnd ends it.
func (w *stopwatch) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	if u, ok := ctx.Value(queryKey{}).(*underWay); ok {
		w.took(conn, u.statement, time.Since(u.began))
	}
}

// TraceCopyFromStart begins to time a COPY.
func (w *stopwatch) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, c pgx.TraceCopyFromStartData) context.Context {
	sql := "COPY " + c.TableName.Sanitize() + " (" + strings.Join(c.ColumnNames, ", ") + ") FROM STDIN"
	return context.WithValue(ctx, queryKey{}, &underWay{time.Now(), Statement{SQL: sql}})
}

// TraceCopyFromEnd ends it.
func (w *stopwatch) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	if u, ok := ctx.Value(queryKey{}).(*underWay); ok {
		w.took(conn, u.statement, time.Since(u.began))
	}
}

// TraceBatchStart begins to time a batch's first statement.
func (w *stopwatch) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return context.WithValue(ctx, batchKey{}, &underWay{began: time.Now()})
}

// TraceBatchQuery ends a batch's statement and begins its next.
func (w *stopwatch) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, q pgx.TraceBatchQueryData) {
	if u, ok := ctx.Value(batchKey{}).(*underWay); ok {
		now := time.Now()
		w.took(conn, Statement{w.names.text(q.SQL), q.Args}, now.Sub(u.began))
		u.began = now
	}
}

// TraceBatchEnd does nothing.
func (w *stopwatch) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TracePrepareStart notes what a prepared statement's name stands for.
func (w *stopwatch) TracePrepareStart(ctx context.Context, conn *pgx.Conn, p pgx.TracePrepareStartData) context.Context {
	return w.names.TracePrepareStart(ctx, conn, p)
}

// TracePrepareEnd does nothing.
func (w *stopwatch) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

// TraceConnectStart begins to time a connection.
func (w *stopwatch) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return context.WithValue(ctx, connectKey{}, time.Now())
}

// TraceConnectEnd ends it.
func (w *stopwatch) TraceConnectEnd(ctx context.Context, _ pgx.TraceConnectEndData) {
	w.waited(ctx, connectKey{}, &w.connect)
}

// TraceAcquireStart begins to time how long a pool's connection is waited for.
func (w *stopwatch) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return context.WithValue(ctx, acquireKey{}, time.Now())
}

// TraceAcquireEnd ends it.
func (w *stopwatch) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	w.waited(ctx, acquireKey{}, &w.acquire)
}

func (w *stopwatch) waited(ctx context.Context, key any, into *Waited) {
	if began, ok := ctx.Value(key).(time.Time); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		into.add(time.Since(began))
	}
}

// worst are the statements that took longest in sum.
func (w *stopwatch) worst() []*StatementTime {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*StatementTime
	for _, t := range w.seen {
		copied := *t
		all = append(all, &copied)
	}
	slices.SortFunc(all, func(a, b *StatementTime) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.SQL, b.SQL)) })
	return all
}

// mostStatements are kept in evidence.
const mostStatements = 20

func (w *stopwatch) report() (statements []StatementTime, acquire, connect Waited) {
	for _, t := range w.worst() {
		if len(statements) < mostStatements {
			statements = append(statements, *t)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return statements, w.acquire, w.connect
}

// text is the statement that a name stands for, or what was given.
func (w *witness) text(sql string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text, ok := w.prepared[sql]; ok {
		return text
	}
	return sql
}
