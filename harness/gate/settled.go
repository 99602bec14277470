package gate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/model"
)

// A service in another process is scheduled by its messages alone. Two things that are known of one in this
// process have to be guessed there.
//
// Whether it is at rest: it is taken to be if nothing has come from it for a moment and the operation whose turn
// it is has ended, or has sent its next message. Where it has done neither, it thinks, or waits for something that
// another operation has to do first: then it takes a long while. An operation that thinks longer than that is overtaken, and a
// replay may differ: such a case is settled, not gated.
//
// For whom a connection works: for the operation that it worked for before, while that goes on; else for the one whose turn it is; where that has ended, for the first that
// goes on. A wrong guess gives a point another name, in every execution the same.

// defaultCalm is how long another process may be silent before it counts as at rest.
const defaultCalm = 250 * time.Millisecond

// afterAnswer is which part of that is enough where the operation whose turn it is has ended or has sent its next message.
const afterAnswer = 25

// ErrTLS says that a service's connections cannot be listened to because the server insists on TLS.
var ErrTLS = errors.New("gate: what is encrypted cannot be scheduled")

type processKey struct{}

// Listen returns a connection string for a service in another process: dsn, by way of a loopback listener
// before the gate, which every connection of the service has to come through. Whoever knows the string can
// connect until the gate is closed.
func (g *Gate) Listen(dsn string) (string, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", fmt.Errorf("gate: listen: %w", err)
	}
	inClear := func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil }
	if cfg.TLSConfig != nil && !slices.ContainsFunc(cfg.Fallbacks, inClear) {
		return "", fmt.Errorf("%w: the connection string asks for TLS; use sslmode=prefer or disable", ErrTLS)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		network, server := pgconn.NetworkAddress(cfg.Host, cfg.Port)
		ctx := context.WithValue(context.Background(), processKey{}, true)
		g.listener, err = pgwire.Listen(ctx, g.front, pgwire.ListenOptions{Address: "127.0.0.1:0", Network: network, Server: server})
		if err != nil {
			return "", err
		}
	}
	u := url.URL{
		Scheme: "postgres", User: url.User(cfg.User), Host: g.listener.Addr().String(),
		Path: "/" + cfg.Database, RawQuery: "sslmode=disable",
	}
	if cfg.Password != "" {
		u.User = url.UserPassword(cfg.User, cfg.Password)
	}
	return u.String(), nil
}

// Listening reports whether a service in another process may come through the gate.
func (g *Gate) Listening() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener != nil
}

// Settled reports whether a service in another process has come through the gate: where its operations were
// stopped is then known by its messages and its silence only.
func (g *Gate) Settled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.outer) > 0
}

// attribute says for whom a connection of another process works. It wants the mutex held.
func (g *Gate) attribute(l *pgwire.Link) {
	if !g.outer[l] || g.race == nil {
		return
	}
	going := g.race.going()
	if going[g.owners[l]] {
		return
	}
	g.owners[l] = 0
	if current := g.race.current; going[current] {
		g.owners[l] = current
		return
	}
	for op := range going {
		if g.owners[l] == 0 || op < g.owners[l] {
			g.owners[l] = op
		}
	}
}

// going returns the operations that have begun and not ended. It wants the gate's mutex held.
func (r *run) going() map[int]bool {
	going := map[int]bool{}
	for op := range r.left {
		going[op] = true
	}
	for _, u := range r.g.parked {
		if u.point.Kind == model.AtStart {
			delete(going, u.point.Op)
		}
	}
	for _, ops := range r.p.Sessions {
		for i, o := range ops {
			if i > 0 && r.left[ops[i-1].ID] {
				delete(going, o.ID) // the one before it has not ended
			}
		}
	}
	return going
}

// calm waits, where another process has come through the gate, until nothing has come from it for a while. It
// reports whether anything did.
func (s *settler) calm() (moved bool, err error) {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return false, nil
	}
	before, late := g.moves, false
	timer := time.AfterFunc(g.silence(), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.changed.Broadcast()
	})
	defer timer.Stop()
	for g.moves == before && !late {
		if err := s.ctx.Err(); err != nil {
			return false, err
		}
		g.changed.Wait()
	}
	if g.moves != before && time.Now().After(s.until) {
		return false, fmt.Errorf("%w: another process has been sending for %s", ErrRestless, s.limit)
	}
	return g.moves != before, nil
}

// silence is how long the other process has to be silent. It wants the mutex held.
func (g *Gate) silence() time.Duration {
	calm := g.quietFor
	if calm <= 0 {
		calm = defaultCalm
	}
	if g.race == nil || !g.race.left[g.race.current] {
		return calm / afterAnswer
	}
	for _, u := range g.parked {
		if u.point.Op == g.race.current {
			return calm / afterAnswer
		}
	}
	for l := range g.states {
		if g.owners[l] == g.race.current {
			return calm / afterAnswer // its statement waits for a lock
		}
	}
	return calm
}
