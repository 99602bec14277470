package pgwire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// phase is how far a client's connection has come.
type phase int

const (
	opening  phase = iota // the client has not said who it is
	dialling              // a backend is being looked for, in the client's Write
	proving               // the client is asked for its password, by us
	greeting              // the server's answer to the startup is being read
	passing               // bytes pass
	finished              // the client has terminated, or closed
)

// conn is a client's connection. Reading, writing, deadlines and a Close may come at once, as pgx's do: a
// slow Write makes it read in the background.
type conn struct {
	w                *Warm
	ctx              context.Context // ends the dialling
	abort            context.CancelFunc
	network, address string

	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, when a Read that waits for us should look again
	phase    phase
	lingers  bool // it reads to the server's end, after its own
	raw      bool // TLS, a cancel, or no messages at all: nothing is looked at
	reading  bool // a Read on the backend has not returned
	writing  bool // the same of a Write
	out      []byte
	in       []byte // what the client is still to read before it reads from the server
	eof      bool   // after in there is nothing
	pending  []byte // what the server said in its greeting, until a message is whole
	backend  *backend
	cancels  *backend // which this connection is there to cancel, until the server has acted on that
	key      key      // the client's own
	proof    *proof
	talk     exchange
	looks    bool // a statement of this client's looks for databases, and may be used again
	deadline [2]time.Time
}

func newConn(ctx context.Context, w *Warm, network, address string) *conn {
	c := &conn{w: w, network: network, address: address, changed: make(chan struct{})}
	c.ctx, c.abort = context.WithCancel(ctx)
	return c
}

// Write sends to the server. Until the client has said who it is there is none.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.eof {
		c.mu.Unlock()
		return 0, syscall.EPIPE
	}
	switch c.phase {
	case finished:
		c.mu.Unlock()
		return 0, net.ErrClosed
	case opening:
		c.out = append(c.out, p...)
		return c.wrote(p, c.open())
	case proving:
		c.out = append(c.out, p...)
		return c.wrote(p, c.prove())
	case dialling: // in another Write; two at once have no order
		c.mu.Unlock()
		return 0, errors.New("pgwire: two writes at once")
	}
	b := c.backend
	if c.raw {
		c.mu.Unlock()
		return b.conn.Write(p)
	}
	var all effect
	bye := c.talk.sent(p, func(text []byte) { all = all.and(effectOf(text)) })
	if bye >= 0 {
		return c.goodbye(p, bye) // unlocks
	}
	b.unfit = b.unfit || all.custom
	c.looks = c.looks || all.looks
	all.looks = c.looks
	c.talk.up.lost = c.talk.up.lost || c.writing // two at once have no order
	c.writing = true
	c.mu.Unlock()
	if all.looks || all.alters {
		c.w.leave(all, p)
	}
	n, err := b.conn.Write(p)
	c.mu.Lock()
	c.writing = false
	c.talk.up.lost = c.talk.up.lost || err != nil
	c.mu.Unlock()
	return n, err
}

// wrote unlocks and returns what Write returns for bytes that are ours.
func (c *conn) wrote(p []byte, err error) (int, error) {
	c.wake()
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// goodbye keeps a Terminate back where the backend can be kept: nothing stands before it in the same
// write, nothing is unread, and nobody is reading.
func (c *conn) goodbye(p []byte, bye int) (int, error) {
	b := c.backend
	quiet := c.phase == passing && bye == 0 && len(p) == len(terminate) && !c.reading && !c.writing && c.talk.over()
	if c.lingers && !(quiet && c.w.keeps(b)) {
		c.raw = true
		c.mu.Unlock()
		c.w.forget(c.key)
		return b.conn.Write(p)
	}
	c.finish()
	c.mu.Unlock()
	c.w.forget(c.key)
	if quiet {
		c.w.park(b, c.talk.status)
		return len(p), nil
	}
	n, err := b.conn.Write(p)
	_ = b.conn.Close()
	return n, err
}

// Read returns what the server says.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		c.mu.Lock()
		n := copy(p, c.in)
		c.in = c.in[n:]
		b, now, changed, deadline, raw := c.backend, c.phase, c.changed, c.deadline[0], c.raw
		over := n > 0 || now == finished || c.eof
		reads := !over && (now == greeting || now == passing)
		if reads {
			c.talk.down.lost = c.talk.down.lost || c.reading
			c.reading = true
		}
		c.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case now == finished:
			return 0, net.ErrClosed
		case over:
			return 0, errEnd
		case !reads:
			if err := await(changed, deadline); err != nil {
				return 0, err
			}
			continue
		}
		n, err := b.conn.Read(p)
		c.mu.Lock()
		c.reading = false
		switch {
		case c.phase == greeting:
			n, err = c.greet(p, n, err)
		case !raw:
			c.talk.received(p[:n])
		case c.cancels != nil && errors.Is(err, io.EOF):
			c.w.acted(c.cancels)
			c.cancels = nil
		}
		c.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// await waits until something has changed.
func await(changed <-chan struct{}, deadline time.Time) error {
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-late:
		return os.ErrDeadlineExceeded
	}
}

// wake lets a Read that waits look again. It wants the mutex held.
func (c *conn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// finish makes everything end that the client still does. It wants the mutex held.
func (c *conn) finish() {
	c.phase = finished
	c.abort()
	c.wake()
}

// Close ends the client's connection. A backend whose client did not terminate ends with it.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.phase == finished {
		c.mu.Unlock()
		return nil
	}
	b := c.backend
	c.finish()
	c.mu.Unlock()
	c.w.forget(c.key)
	if b == nil {
		return nil
	}
	return b.conn.Close()
}

// CloseWrite ends the client's side without a Terminate. What the server still says can be read, until it
// closes, which a backend does when it has let go of everything.
func (c *conn) CloseWrite() error {
	c.mu.Lock()
	b := c.backend
	if b == nil || c.phase == finished {
		c.mu.Unlock()
		return c.Close()
	}
	c.raw = true
	c.mu.Unlock()
	c.w.forget(c.key)
	if half, ok := b.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
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

// SetDeadline sets both deadlines. While the server is being dialled only one that has passed counts.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

// SetReadDeadline sets the deadline of reads.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

// SetWriteDeadline sets the deadline of writes.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *conn) setDeadlines(read, write *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == finished {
		return net.ErrClosed
	}
	if read != nil {
		c.deadline[0] = *read
		c.wake()
	}
	if write != nil {
		c.deadline[1] = *write
		if c.phase == dialling && passed(*write) {
			c.abort()
		}
	}
	return c.applyDeadlines()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

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
