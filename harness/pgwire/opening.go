package pgwire

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// errEnd is the end of a connection that we ended in the server's name.
var errEnd = io.EOF

// open acts on the first message once it is whole: it takes a kept backend, or dials. It is called with
// the mutex held, and lets go of it while it does.
func (c *conn) open() error {
	if len(c.out) > 0 && c.out[0] == tlsRecord {
		c.raw = true
		return c.connect("")
	}
	if len(c.out) < 8 {
		return nil
	}
	size := int(binary.BigEndian.Uint32(c.out))
	if size < 8 || size > maxStartup {
		return fmt.Errorf("%w: a startup of %d bytes", errUnexpected, size)
	}
	if len(c.out) < size {
		return nil
	}
	switch code := binary.BigEndian.Uint32(c.out[4:]); code {
	case codeCancel:
		return c.cancel(size)
	case codeSSL, codeGSS:
		c.raw = true
		return c.connect("")
	}
	if len(c.out) > size {
		return c.connect("") // what a client sends before it is let in is for the server to judge
	}
	return c.connect(c.network + "\x00" + c.address + "\x00" + sameStartup(c.out))
}

// connect finds a backend for the client, a kept one if ident is not empty, and sends it what the client
// has said so far, unless it has heard that from the client before.
func (c *conn) connect(ident string) error {
	c.phase = dialling
	limit := c.deadline[1]
	c.mu.Unlock()
	b, err := c.find(limit, ident)
	c.mu.Lock()
	c.abort() // nothing is left for it to end
	switch {
	case c.phase == finished:
		if err == nil {
			_ = b.conn.Close()
		}
		return net.ErrClosed
	case err != nil:
		c.finish()
		if passed(limit) || passed(c.deadline[1]) {
			return fmt.Errorf("dial %s: %w: %w", c.network, os.ErrDeadlineExceeded, err)
		}
		return err
	}
	c.backend = b
	if err := c.applyDeadlines(); err != nil {
		return err
	}
	if b.startup != nil {
		return c.welcome()
	}
	c.phase = greeting
	if c.raw {
		c.phase = passing
	}
	if ident != "" {
		b.ident, b.user = ident, parameter(c.out, "user")
		b.database = cmp.Or(parameter(c.out, "database"), b.user)
	} else {
		b.unfit = true
	}
	_, err = b.conn.Write(c.out)
	c.out = nil
	return err
}

func (c *conn) find(limit time.Time, ident string) (*backend, error) {
	ctx := c.ctx
	if !limit.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, limit)
		defer cancel()
	}
	if ident != "" {
		if b := c.w.take(ctx, ident); b != nil {
			return b, nil
		}
	}
	epoch := c.w.now()
	server, err := c.w.dial(ctx, c.network, c.address)
	if err != nil {
		return nil, err
	}
	return &backend{conn: server, epoch: epoch}, nil
}

// welcome answers the client's startup in the name of a kept backend.
func (c *conn) welcome() error {
	c.out = nil
	if c.backend.sasl == nil {
		c.admit()
		return nil
	}
	c.phase, c.proof = proving, &proof{verifier: c.backend.verifier}
	c.in = append(c.in, c.backend.sasl...)
	return nil
}

// admit lets the client pass.
func (c *conn) admit() {
	c.phase, c.proof, c.talk.status = passing, nil, 'I'
	c.key = c.w.mint(c.backend)
	c.in = append(c.in, withKey(c.backend.startup, c.key)...)
}

// prove takes the client's part of an authentication.
func (c *conn) prove() error {
	n, err := frame(c.out)
	if err != nil || n > maxStartup {
		return errUnexpected
	}
	if n == 0 || len(c.out) < n {
		return nil
	}
	msg := c.out[:n]
	c.out = c.out[n:]
	answer, done, ok := c.proof.step(msg)
	switch {
	case !ok:
		c.in = append(c.in, refused(c.backend.user)...)
		c.eof = true
		return c.backend.conn.Close()
	case done:
		c.in = append(c.in, answer...)
		c.admit()
		return nil
	}
	c.in = append(c.in, answer...)
	return nil
}

// cancel passes a CancelRequest on to the backend that the client still has. One for a client that is
// gone is answered as PostgreSQL answers an unknown one: not at all.
func (c *conn) cancel(size int) error {
	if size < 16 {
		return fmt.Errorf("%w: a short cancel request", errUnexpected)
	}
	c.raw = true
	k, of, ok := c.w.target(key{binary.BigEndian.Uint32(c.out[8:]), string(c.out[12:size])})
	if !ok {
		c.phase, c.eof = proving, true
		c.out = nil
		return nil
	}
	c.cancels = of
	msg := binary.BigEndian.AppendUint32(nil, uint32(12+len(k.secret)))
	msg = append(msg, c.out[4:8]...)
	msg = binary.BigEndian.AppendUint32(msg, k.pid)
	c.out = append(msg, k.secret...)
	return c.connect("")
}

// greet takes n bytes of the server's answer to the startup, read into p. It notes what another client
// will be told, gives this one a key of its own, and returns in p what the client may read.
func (c *conn) greet(p []byte, n int, err error) (int, error) {
	c.pending = append(c.pending, p[:n]...)
	if e := c.sortGreeting(); e != nil || err != nil && !timeout(err) {
		// No messages, or no more of them: what there is passes as it came.
		c.raw, c.phase = true, passing
		c.in = append(c.in, c.pending...)
		c.pending = nil
	}
	n = copy(p, c.in)
	c.in = c.in[n:]
	if n > 0 {
		return n, nil // an error will come again
	}
	return 0, err
}

func timeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// sortGreeting moves whole messages from pending to in.
func (c *conn) sortGreeting() error {
	for {
		n, err := frame(c.pending)
		if err != nil {
			return err
		}
		if n == 0 || len(c.pending) < n {
			return nil
		}
		msg := c.pending[:n:n]
		c.pending = c.pending[n:]
		c.note(msg)
		if msg[0] == 'Z' {
			c.phase, c.talk.status = passing, 'I'
			c.talk.received(c.pending)
			c.in = append(c.in, c.pending...)
			c.pending = nil
			return nil
		}
	}
}

// note keeps one message of the greeting, and passes it on.
func (c *conn) note(msg []byte) {
	b := c.backend
	switch msg[0] {
	case 'R':
		code := uint32(0xffffffff)
		if len(msg) >= headSize+4 {
			code = binary.BigEndian.Uint32(msg[headSize:])
		}
		switch code {
		case authOK:
			b.startup = append(b.startup, msg...)
		case authSASL:
			b.sasl = msg
			b.unfit = b.unfit || len(b.startup) > 0 || string(msg[headSize+4:]) != mechanism+"\x00\x00"
		case authContinue, authFinal:
		default:
			b.unfit = true // another way to ask for a password, which we cannot imitate
		}
	case 'K':
		k, ok := readKey(msg)
		if !ok {
			b.unfit = true
			break
		}
		b.key = k
		c.key = c.w.mint(b)
		c.in = append(c.in, c.key.message()...)
		b.startup = append(b.startup, msg...)
		return
	case 'E':
		b.unfit = true
	default:
		b.startup = append(b.startup, msg...)
	}
	c.in = append(c.in, msg...)
}
