package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// The gate is the keeper of its front: it parks what clients send. These are called with the link's lock
// held, and take the gate's.

// Opened notes for which operation a connection is made.
func (g *Gate) Opened(ctx context.Context, l *pgwire.Link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owners[l] = opOf(ctx)
	g.order[l] = len(g.order)
	g.moves++
	if ctx.Value(processKey{}) != nil {
		g.outer[l] = true
		g.attribute(l)
	}
}

var pointOf = map[pgwire.BatchKind]model.PointKind{
	pgwire.Messages: model.AtMessage, pgwire.Startup: model.AtConnect, pgwire.Cancel: model.AtCancel,
}

// Offered counts a batch and, while the gate is shut, parks it.
func (g *Gate) Offered(b *pgwire.Batch) (now bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.Target != nil {
		g.owners[b.Link] = g.owners[b.Target]
	} else {
		g.attribute(b.Link)
	}
	op := g.owners[b.Link]
	at := g.next(op, pointOf[b.Kind])
	switch t := g.trafficOf(op); b.Kind {
	case pgwire.Messages:
		t.Messages++
	case pgwire.Startup:
		t.Connects++
	}
	if !g.on {
		return true
	}
	g.park(&unit{point: at, label: g.label(b.Text()), batch: b})
	return false
}

// Withdrawn forgets a batch that will never be sent.
func (g *Gate) Withdrawn(b *pgwire.Batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parked = slices.DeleteFunc(g.parked, func(u *unit) bool { return u.batch == b })
	g.changed.Broadcast()
}

// Busy counts a reply that is owed.
func (g *Gate) Busy(l *pgwire.Link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(l, executing)
}

// Idle notes that nothing is owed any more.
func (g *Gate) Idle(l *pgwire.Link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(l, idle)
}

// Held notes that a reply has come that waits for its turn.
func (g *Gate) Held(l *pgwire.Link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(l, held)
}

// Failed keeps why a link broke.
func (g *Gate) Failed(l *pgwire.Link, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = append(g.broken, fmt.Sprintf("a connection of %s: %s", opName(g.owners[l]), reason(err)))
}

// reason is an error's text without addresses: they differ between executions, and are places on a machine.
func reason(err error) string {
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network.Op + ": " + network.Err.Error()
	}
	return err.Error()
}
