package pgwire

import (
	"context"
	"net"
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
// connection. Each client gets a backend key of its own, so a cancel that comes late cannot hit whoever
// has the backend next.
//
// A client that ends in any other way than Terminate, or whose backend does not answer the reset as
// expected, takes its backend with it. With TLS nothing can be seen, and nothing is kept.
//
// Safe for concurrent use.
type Warm struct {
	dial DialFunc
	most int

	mu     sync.Mutex
	parked []*backend // the longest parked first
	keys   map[key]*conn
	minted uint32
	closed bool

	kept atomic.Int64 // how many times a backend was reused
}

// backend is a server connection and what is needed to hand it to another client.
type backend struct {
	conn     net.Conn
	ident    string // network, address and startup message: only a client with the same may have it
	database string // the database's name, as the startup message gives it
	startup  []byte // what the server said from AuthenticationOk to ReadyForQuery
	key      key    // the server's own
}

// key identifies a backend to a CancelRequest.
type key struct{ pid, secret uint32 }

// resetTime is how long a backend may take to be reset before it is given up.
const resetTime = time.Second

// NewWarm returns a dial function that keeps up to most backends when nobody has them. A nil dial means
// net.Dialer's.
func NewWarm(dial DialFunc, most int) *Warm {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &Warm{dial: dial, most: most, keys: map[key]*conn{}}
}

// Dial returns a connection for one client. The server is dialled when the client has said who it is.
func (w *Warm) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return &conn{w: w, ctx: ctx, network: network, address: address}, nil
}

// Reused returns how many clients got a backend that was kept.
func (w *Warm) Reused() int64 { return w.kept.Load() }

// Parked returns how many backends are kept now.
func (w *Warm) Parked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.parked)
}

// Close ends every kept backend. Clients keep theirs until they close them.
func (w *Warm) Close() error {
	w.mu.Lock()
	parked := w.parked
	w.parked, w.closed = nil, true
	w.mu.Unlock()
	for _, b := range parked {
		b.end()
	}
	return nil
}

// take returns a kept backend for ident, ready for a client, or nil. One that has died meanwhile, with
// its database for instance, is passed over.
func (w *Warm) take(ident string) *backend {
	for {
		b := w.unpark(func(b *backend) bool { return b.ident == ident })
		if b == nil {
			return nil
		}
		if b.exchange(query("RESET application_name")) == nil {
			w.kept.Add(1)
			return b
		}
		_ = b.conn.Close()
	}
}

// unpark takes out the backend that was parked last of those that match.
func (w *Warm) unpark(match func(*backend) bool) *backend {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.parked) - 1; i >= 0; i-- {
		if b := w.parked[i]; match(b) {
			w.parked = append(w.parked[:i], w.parked[i+1:]...)
			return b
		}
	}
	return nil
}

// park resets a backend and keeps it; the one that was parked longest makes room.
func (w *Warm) park(b *backend) {
	// DISCARD ALL may not stand in a transaction block, which several statements in one message form.
	msg := append(query("ROLLBACK"), query("DISCARD ALL")...)
	msg = append(msg, query("SET application_name = '"+ParkedApplication+"'")...)
	if b.exchange(msg) != nil {
		_ = b.conn.Close()
		return
	}
	w.mu.Lock()
	if w.closed || w.most < 1 {
		w.mu.Unlock()
		b.end()
		return
	}
	var oldest *backend
	if len(w.parked) >= w.most {
		oldest = w.parked[0]
		w.parked = w.parked[1:]
	}
	w.parked = append(w.parked, b)
	w.mu.Unlock()
	if oldest != nil {
		oldest.end()
	}
}

// leave ends the kept backends of databases that the message names: it may be about to drop one, or to
// wait until nobody is connected to it.
func (w *Warm) leave(message []byte) {
	for {
		b := w.unpark(func(b *backend) bool { return b.database != "" && mentions(message, b.database) })
		if b == nil {
			return
		}
		b.end()
	}
}

// mint gives a client a backend key that no other client has or had.
func (w *Warm) mint(c *conn) key {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.minted++
	k := key{pid: w.minted, secret: w.minted ^ 0x7453_6b65}
	w.keys[k] = c
	return k
}

func (w *Warm) forget(k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.keys, k)
}

// real translates a client's key into its backend's; false when that client is gone.
func (w *Warm) real(k key) (key, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.keys[k]
	if !ok {
		return key{}, false
	}
	return c.backend.key, true
}
