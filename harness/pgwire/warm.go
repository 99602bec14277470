package pgwire

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ParkedApplication is the application_name of a backend that no client has, so that whoever counts
// backends can leave it out.
const ParkedApplication = "tenantstorm-control"

// DialFunc opens a connection, as net.Dialer's DialContext does.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Warm is a dial function that keeps backends. A client's startup is answered from what the server
// said to the first client with the same startup message; on Terminate the backend is reset with
// ROLLBACK and DISCARD ALL and kept for the next. In between, bytes pass through untouched, on the real
// connection. Each client gets a secret of its own in its backend key, so a cancel that comes late
// cannot hit whoever has the backend next; the process id is the real one.
//
// A backend is kept only if its client ended with Terminate and had read every answer, if no request to
// cancel something on it is under way, and if it answers the reset exactly as expected. Such a request is over when
// its connection has come to its end: PostgreSQL has signalled the backend by then, and a signal is
// taken before anything that is sent afterwards, and ignored by a backend that waits for its client. It is given to a client
// with the same startup message only. Where the server asked the first for its password, Warm asks the
// next ones, and judges them by what pg_authid says; only for a role that may read it (a superuser), and
// only with SCRAM, are such backends kept. With TLS nothing can be seen, and nothing is kept.
//
// A statement that gives a custom setting a value ("SET my.tenant") makes its backend unfit to be kept,
// because the setting would then exist; one that alters a database, a role or the system ends the kept
// backends it may concern, because their settings were read before. Statements hidden in functions are
// not seen. Loaded libraries and their settings, and the seed of random(), stay on a kept backend.
//
// Safe for concurrent use.
type Warm struct {
	dial DialFunc
	most int

	mu     sync.Mutex
	parked []*backend // the longest parked first
	keys   map[key]*backend
	minted uint32
	epoch  uint64 // counts what makes backends opened before it outdated
	closed bool

	kept atomic.Int64 // how many times a backend was reused
}

// resetTime is how long a backend may take to be reset, or to end, before it is given up.
const resetTime = time.Second

// NewWarm returns a dial function that keeps up to most backends when nobody has them. A nil dial means
// net.Dialer's.
func NewWarm(dial DialFunc, most int) *Warm {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &Warm{dial: dial, most: most, keys: map[key]*backend{}}
}

// Dial returns a connection for one client. The server is dialled when the client has said who it is,
// in its first Write; ctx must last until then, and bounds it.
func (w *Warm) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return newConn(ctx, w, network, address), nil
}

// DialLingering is Dial for a client that, after it has terminated, reads until the server's end: a backend
// that is not kept has then let go of everything it held.
func (w *Warm) DialLingering(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := newConn(ctx, w, network, address)
	c.lingers = true
	return c, nil
}

// Reused returns how many clients got a backend that was kept.
func (w *Warm) Reused() int64 { return w.kept.Load() }

// Parked returns how many backends are kept now.
func (w *Warm) Parked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.parked)
}

// Close ends every kept backend, and none is kept any more. Clients keep theirs until they close them.
func (w *Warm) Close() error {
	w.mu.Lock()
	parked := w.parked
	w.parked, w.closed = nil, true
	w.mu.Unlock()
	end(parked...)
	return nil
}

// take returns a kept backend for ident, ready for a client, or nil. One that has died meanwhile, with
// its database for instance, is passed over. All together have as long as one reset.
func (w *Warm) take(ctx context.Context, ident string) *backend {
	until := time.Now().Add(resetTime)
	for {
		b := w.unpark(ident)
		if b == nil {
			return nil
		}
		stop := context.AfterFunc(ctx, func() { _ = b.conn.Close() })
		err := b.wake(until)
		if stop() && err == nil {
			w.kept.Add(1)
			return b
		}
		_ = b.conn.Close()
	}
}

// unpark takes out the backend for ident that was parked last.
func (w *Warm) unpark(ident string) *backend {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.parked) - 1; i >= 0; i-- {
		if b := w.parked[i]; b.ident == ident {
			w.parked = slices.Delete(w.parked, i, i+1)
			return b
		}
	}
	return nil
}

// park resets a backend and keeps it; the one that was parked longest makes room. One that cannot be
// kept is ended.
func (w *Warm) park(b *backend, status byte) {
	if !w.keeps(b) || b.reset(time.Now().Add(resetTime), status) != nil {
		_, _ = b.conn.Write(terminate)
		_ = b.conn.Close()
		return
	}
	w.mu.Lock()
	out := b
	if w.keepable(b) {
		w.parked = append(w.parked, b)
		out = nil
		if len(w.parked) > w.most {
			out = w.parked[0]
			w.parked = slices.Delete(w.parked, 0, 1)
		}
	}
	w.mu.Unlock()
	if out != nil {
		end(out)
	}
}

func (w *Warm) keeps(b *backend) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keepable(b)
}

// keepable wants the mutex held.
func (w *Warm) keepable(b *backend) bool {
	return !w.closed && w.most > 0 && !b.unfit && b.cancels == 0 && b.epoch == w.epoch && b.startup != nil
}

// leave ends the kept backends that a batch of messages concerns: it may be about to drop their database,
// to wait until nobody is connected to it, or to alter what a startup would find.
func (w *Warm) leave(e effect, batch []byte) {
	w.mu.Lock()
	var out []*backend
	if e.alters {
		w.epoch++
	}
	w.parked = slices.DeleteFunc(w.parked, func(b *backend) bool {
		concerned := e.alters || e.looks && names(batch, b.database)
		if concerned {
			out = append(out, b)
		}
		return concerned
	})
	w.mu.Unlock()
	end(out...)
}

// now returns the present epoch.
func (w *Warm) now() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epoch
}

// mint gives a backend's client a key that no other client has or had.
func (w *Warm) mint(b *backend) key {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.minted++
	k := key{pid: b.key.pid, secret: string(binary.BigEndian.AppendUint32(nil, w.minted))}
	w.keys[k] = b
	return k
}

// forget makes a key unknown. From then on no cancel reaches the backend by it.
func (w *Warm) forget(k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.keys, k)
}

// target translates the key of a CancelRequest. A key of ours becomes the server's own, and its backend
// is not kept before acted; ok is false when its client is gone. A key that is none of ours is the
// server's, seen by a client through TLS, and stays as it is.
func (w *Warm) target(k key) (_ key, of *backend, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.keys[k]; b != nil {
		b.cancels++
		return b.key, b, true
	}
	if len(k.secret) == 4 {
		if n := binary.BigEndian.Uint32([]byte(k.secret)); n >= 1 && n <= w.minted {
			return key{}, nil, false
		}
	}
	return k, nil, true
}

// acted notes that the server has acted on a request to cancel what a backend does.
func (w *Warm) acted(on *backend) {
	w.mu.Lock()
	defer w.mu.Unlock()
	on.cancels--
}
