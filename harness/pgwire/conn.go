package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"
)

// phase is how far a client's connection has come.
type phase int

const (
	opening  phase = iota // the client has not said who it is
	greeting              // the server's answer to the startup is being read
	passing               // bytes pass
	finished              // the client has terminated, or closed
)

// conn is a client's connection. Reading and writing may happen at once, as pgx does; so may a Close.
type conn struct {
	w                *Warm
	ctx              context.Context // of the dial: dialling ends with it
	network, address string

	mu       sync.Mutex
	phase    phase
	raw      bool   // TLS or a cancel: nothing is looked at
	out      []byte // the first message, until it is whole
	in       []byte // what the client is still to read before it reads from the server
	pending  []byte // what the server said in its greeting, until a message is whole
	backend  *backend
	key      key // the client's own
	deadline [2]time.Time
}

// Write sends to the server. Until the client has said who it is there is none.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	switch {
	case c.phase == finished:
		c.mu.Unlock()
		return 0, net.ErrClosed
	case c.phase == opening:
		defer c.mu.Unlock()
		c.out = append(c.out, p...)
		if err := c.open(); err != nil {
			return 0, err
		}
		return len(p), nil
	case !c.raw && bytes.HasSuffix(p, terminate) && c.phase == passing:
		return c.goodbye(p) // unlocks
	}
	b, raw := c.backend, c.raw
	c.mu.Unlock()
	if !raw {
		c.w.leave(p)
	}
	return b.conn.Write(p)
}

// goodbye keeps a Terminate back. What stands before it in the same write is sent.
func (c *conn) goodbye(p []byte) (int, error) {
	b, before := c.backend, p[:len(p)-len(terminate)]
	c.phase = finished
	c.mu.Unlock()
	if len(before) > 0 {
		// It would have been sent unread: such a backend is not worth keeping.
		_, err := b.conn.Write(p)
		_ = b.conn.Close()
		c.w.forget(c.key)
		return len(p), err
	}
	c.w.forget(c.key)
	c.w.park(b)
	return len(p), nil
}

// open acts on the first message once it is whole: it takes a kept backend, or dials.
func (c *conn) open() error {
	if len(c.out) < 8 {
		return nil
	}
	size := int(binary.BigEndian.Uint32(c.out))
	if size < 8 || size > maxStartup {
		return fmt.Errorf("%w: a startup message of %d bytes", errUnexpected, size)
	}
	if len(c.out) < size {
		return nil
	}
	switch code := binary.BigEndian.Uint32(c.out[4:]); code {
	case codeCancel:
		return c.cancel()
	case codeSSL, codeGSS:
		c.raw = true
	}
	ident := c.network + "\x00" + c.address + "\x00" + string(c.out)
	if !c.raw {
		if b := c.w.take(ident); b != nil {
			c.backend, c.phase = b, passing
			c.key = c.w.mint(c)
			c.in = rekey(b.startup, c.key)
			return c.applyDeadlines()
		}
	}
	if err := c.dial(); err != nil {
		return err
	}
	c.backend.ident, c.backend.database = ident, parameter(c.out, "database")
	c.phase = greeting
	if c.raw {
		c.phase = passing
	}
	_, err := c.backend.conn.Write(c.out)
	return err
}

func (c *conn) dial() error {
	server, err := c.w.dial(c.ctx, c.network, c.address)
	if err != nil {
		return err
	}
	c.backend = &backend{conn: server}
	return c.applyDeadlines()
}

// cancel passes a CancelRequest on to the backend that the client still has. One for a client that is
// gone is answered as PostgreSQL answers an unknown one: not at all.
func (c *conn) cancel() error {
	c.raw = true
	if len(c.out) < 16 {
		return fmt.Errorf("%w: a short cancel request", errUnexpected)
	}
	real, ok := c.w.real(key{binary.BigEndian.Uint32(c.out[8:]), binary.BigEndian.Uint32(c.out[12:])})
	if err := c.dial(); err != nil {
		return err
	}
	c.phase = passing
	if !ok {
		return c.backend.conn.Close() // the client reads the end of the connection
	}
	msg := append([]byte(nil), c.out[:8]...)
	msg = binary.BigEndian.AppendUint32(msg, real.pid)
	msg = binary.BigEndian.AppendUint32(msg, real.secret)
	_, err := c.backend.conn.Write(msg)
	return err
}

// Read returns what the server says.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if len(c.in) > 0 {
		n := copy(p, c.in)
		c.in = c.in[n:]
		c.mu.Unlock()
		return n, nil
	}
	b, now := c.backend, c.phase
	c.mu.Unlock()
	switch {
	case now == finished || b == nil:
		return 0, net.ErrClosed
	case now == greeting:
		return c.greet(p, b)
	}
	return b.conn.Read(p)
}

// greet reads the server's answer to the startup message by message, notes what another client will be
// told, and gives this one a key of its own.
func (c *conn) greet(p []byte, b *backend) (int, error) {
	for {
		n, err := b.conn.Read(p)
		c.mu.Lock()
		c.pending = append(c.pending, p[:n]...)
		if err == nil {
			err = c.sortGreeting(b)
		}
		n = copy(p, c.in)
		c.in = c.in[n:]
		c.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// sortGreeting moves whole messages from pending to in.
func (c *conn) sortGreeting(b *backend) error {
	for {
		n, err := frame(c.pending)
		if err != nil {
			return err
		}
		if n == 0 || len(c.pending) < n {
			return nil
		}
		msg := c.pending[:n]
		switch {
		case msg[0] == 'K' && n == 13:
			b.key = key{binary.BigEndian.Uint32(msg[5:]), binary.BigEndian.Uint32(msg[9:])}
			c.key = c.w.mint(c)
		case msg[0] == 'R' && n >= 9 && binary.BigEndian.Uint32(msg[5:]) == 0:
			b.startup = b.startup[:0] // from here on it is the same for everybody
		}
		b.startup = append(b.startup, msg...)
		c.in = append(c.in, rekey(msg, c.key)...)
		done := msg[0] == 'Z'
		c.pending = c.pending[n:]
		if done {
			c.phase = passing
			c.in = append(c.in, c.pending...)
			c.pending = nil
			return nil
		}
	}
}

// rekey returns messages with the backend key in them, if there is one, replaced.
func rekey(messages []byte, k key) []byte {
	out := bytes.Clone(messages)
	for at := 0; at < len(out); {
		n, err := frame(out[at:])
		if err != nil || n == 0 || at+n > len(out) {
			break
		}
		if out[at] == 'K' && n == 13 {
			binary.BigEndian.PutUint32(out[at+5:], k.pid)
			binary.BigEndian.PutUint32(out[at+9:], k.secret)
		}
		at += n
	}
	return out
}

// Close ends the client's connection. A backend whose client did not terminate ends with it.
func (c *conn) Close() error {
	c.mu.Lock()
	was, b := c.phase, c.backend
	c.phase = finished
	c.mu.Unlock()
	if was == finished || b == nil {
		return nil
	}
	c.w.forget(c.key)
	return b.conn.Close()
}

// LocalAddr returns this end's address.
func (c *conn) LocalAddr() net.Addr { return c.addr(net.Conn.LocalAddr) }

// RemoteAddr returns the server's address. pgx dials it again to cancel.
func (c *conn) RemoteAddr() net.Addr { return c.addr(net.Conn.RemoteAddr) }

func (c *conn) addr(of func(net.Conn) net.Addr) net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.backend == nil {
		return unknownAddr{c.network, c.address}
	}
	return of(c.backend.conn)
}

type unknownAddr struct{ network, address string }

func (a unknownAddr) Network() string { return a.network }
func (a unknownAddr) String() string  { return a.address }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

// SetReadDeadline sets the deadline of reads.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

// SetWriteDeadline sets the deadline of writes.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *conn) setDeadlines(read, write *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read != nil {
		c.deadline[0] = *read
	}
	if write != nil {
		c.deadline[1] = *write
	}
	if c.phase == finished {
		return net.ErrClosed
	}
	return c.applyDeadlines()
}

// applyDeadlines hands the deadlines on once there is a server to hand them to.
func (c *conn) applyDeadlines() error {
	if c.backend == nil {
		return nil
	}
	if err := c.backend.conn.SetReadDeadline(c.deadline[0]); err != nil {
		return err
	}
	return c.backend.conn.SetWriteDeadline(c.deadline[1])
}
