package gate

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// Configure gives a pool's connections the gate's tracer, beside the one they have. It is what tells whose
// messages go over a connection that is used again, and makes a point of every acquisition and release.
func (g *Gate) Configure(c *pgxpool.Config) {
	t := tracer{g}
	if c.ConnConfig.Tracer != nil {
		c.ConnConfig.Tracer = multitracer.New(c.ConnConfig.Tracer, t)
		return
	}
	c.ConnConfig.Tracer = t
}

// tracer implements pgx's tracers.
type tracer struct{ g *Gate }

var (
	_ pgx.QueryTracer       = tracer{}
	_ pgx.BatchTracer       = tracer{}
	_ pgx.CopyFromTracer    = tracer{}
	_ pgx.PrepareTracer     = tracer{}
	_ pgxpool.AcquireTracer = tracer{}
	_ pgxpool.ReleaseTracer = tracer{}
)

// own makes a connection the context's operation's. A context that names none leaves it as it is.
func (t tracer) own(ctx context.Context, conn *pgx.Conn) {
	if op := opOf(ctx); op != 0 {
		t.belong(conn, op)
	}
}

func (t tracer) belong(conn *pgx.Conn, op int) {
	if l := linkOf(conn); l != nil {
		t.g.count(l)
		t.g.mu.Lock()
		t.g.owners[l] = op
		t.g.mu.Unlock()
	}
}

// linkOf returns a connection's link; nil where it was not dialled through the gate.
func linkOf(conn *pgx.Conn) *pgwire.Link {
	if conn == nil {
		return nil
	}
	l, _ := conn.PgConn().Conn().(*pgwire.Link)
	return l
}

// TraceAcquireStart stops before a connection is taken from a pool.
func (t tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	t.g.yield(opOf(ctx), model.AtAcquire, "")
	return ctx
}

// TraceAcquireEnd notes whose connection it now is, if only that it is nobody's we know.
func (t tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	t.belong(data.Conn, opOf(ctx))
}

// TraceRelease stops before a connection is given back.
func (t tracer) TraceRelease(_ *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	l := linkOf(data.Conn)
	if l == nil {
		return
	}
	t.g.mu.Lock()
	op := t.g.owners[l]
	t.g.mu.Unlock()
	t.g.yield(op, model.AtRelease, "")
}

// TraceQueryStart notes whose statement a connection executes.
func (t tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	t.own(ctx, conn)
	return ctx
}

// TraceQueryEnd does nothing.
func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart notes whose batch a connection executes.
func (t tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.own(ctx, conn)
	return ctx
}

// TraceBatchQuery does nothing.
func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd does nothing.
func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceCopyFromStart notes whose COPY a connection executes.
func (t tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	t.own(ctx, conn)
	return ctx
}

// TraceCopyFromEnd does nothing.
func (tracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// TracePrepareStart notes whose statement a connection prepares.
func (t tracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	t.own(ctx, conn)
	return ctx
}

// TracePrepareEnd does nothing.
func (tracer) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}
