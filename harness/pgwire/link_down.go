package pgwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// errBabble says that what the server says is not the protocol's.
var errBabble = fmt.Errorf("%w from the server", errUnexpected)

// pump dials the server, sends the link's first message, and reads what the server says for as long as
// the link lives. It reads only while something is owed, while a COPY goes on, or while the client waits
// although nothing is owed (for a notification): so what the server says out of turn is seen when the
// client next speaks, at the same place in every execution.
func (l *Link) pump(first []byte) {
	ctx := l.ctx
	if l.cancel {
		ctx = context.WithoutCancel(ctx) // pgx may not wait for it
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	l.mu.Lock()
	if l.abort = abort; l.eof {
		abort()
	}
	l.mu.Unlock()
	server, err := l.connect(ctx, first)
	l.mu.Lock()
	l.sending = false
	if err != nil {
		l.failed(err)
		l.over()
		l.mu.Unlock()
		return
	}
	l.server = server
	if l.eof {
		_ = server.Close() // broken off while it was being dialled
	}
	l.proceed()
	buf := make([]byte, 16<<10)
	for l.read(buf) {
	}
	l.over()
	l.mu.Unlock()
	_ = server.Close()
}

// connect dials the server and sends it the link's first message.
func (l *Link) connect(ctx context.Context, first []byte) (net.Conn, error) {
	server, err := l.front.dial(ctx, l.network, l.address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if _, err := server.Write(first); err != nil {
		_ = server.Close()
		return nil, fmt.Errorf("send startup: %w", err)
	}
	return server, nil
}

// read waits until there is something to read for, reads once, and reports whether the link lives on. It
// is called with the mutex held.
func (l *Link) read(buf []byte) bool {
	for !l.eof {
		if l.ended && !l.told {
			l.tell()
		}
		if l.wantsRead() {
			break
		}
		l.changed.Wait()
	}
	if l.eof {
		return false
	}
	if !l.owes.settled() {
		l.setBusy()
	}
	server := l.server
	l.reading = true
	l.mu.Unlock()
	n, err := server.Read(buf)
	l.mu.Lock()
	l.reading = false
	if n > 0 && !l.eof {
		l.heard(buf[:n])
	}
	if err == nil {
		return true
	}
	switch {
	case l.eof:
	case l.told, errors.Is(err, io.EOF) && l.refused():
		l.atEnd()
	case l.unsent != nil:
		l.failed(l.unsent)
	case l.owes.down.lost:
		l.failed(errBabble)
	default:
		l.failed(fmt.Errorf("read from server: %w", err))
	}
	return false
}

// refused reports that a server that closes now has done so in good order: it has turned the client away,
// or has taken a CancelRequest.
func (l *Link) refused() bool {
	return l.cancel || !l.greeted && l.owes.last == 'E' && l.owes.down.whole()
}

func (l *Link) wantsRead() bool {
	if l.told {
		return true
	}
	if l.held {
		return false
	}
	if len(l.in) > unread && !l.closed {
		// The client takes its time: that is its own doing, and nothing moves by itself.
		l.setIdle()
		return false
	}
	return !l.owes.settled() || l.owes.copying || l.cancel ||
		l.waiting > 0 && len(l.in) == 0 && l.greeted && !l.sending && len(l.queue) == 0 && !l.ended
}

// heard takes what the server has said.
func (l *Link) heard(p []byte) {
	if l.told && l.closed {
		return // nobody is left to read it
	}
	owed := !l.owes.settled()
	if owed {
		l.setBusy()
	}
	l.reply = append(l.reply, p...)
	if l.greeted {
		l.owes.heard(p)
	} else if !l.cancel {
		l.greet(p)
	}
	if l.greeted && l.owes.down.lost {
		l.failed(errBabble)
		return
	}
	settled := l.owes.settled()
	switch {
	case l.hold && (settled || len(l.reply) > unread):
		if !l.held && l.busy {
			l.held = true
			l.front.keeper.Held(l)
		}
	case l.hold:
	case settled || !owed || !l.greeted || len(l.reply) > wholeReply:
		l.handOver()
		if settled && !l.ended && !l.sending {
			l.setIdle()
		}
	}
	l.changed.Broadcast()
}

// greet follows the greeting up to the server's being ready, and learns the backend's key.
func (l *Link) greet(p []byte) {
	l.hello = append(l.hello, p...)
	l.owes.heard(p)
	if l.greeted = len(l.owes.dues) == 0; !l.greeted {
		return
	}
	for rest := l.hello; len(rest) > 0; {
		n, err := frame(rest)
		if err != nil || n == 0 || n > len(rest) {
			break
		}
		if k, ok := readKey(rest[:n]); ok {
			l.key, l.pid = k, k.pid
			l.front.learn(k, l)
			break
		}
		rest = rest[n:]
	}
	l.hello = nil
}

// handOver gives the client what there is of a reply.
func (l *Link) handOver() {
	switch {
	case l.closed:
	case len(l.in) == 0:
		l.in = l.reply
	default:
		l.in = append(l.in, l.reply...)
	}
	l.reply = nil
	l.changed.Broadcast()
}

// atEnd notes that the server has closed in good order.
func (l *Link) atEnd() {
	l.eof = true
	l.withdraw()
	l.handOver()
	l.setIdle()
}

// failed breaks the link: the client reads to the end of what there is, and the server is left alone.
func (l *Link) failed(err error) {
	if l.eof {
		return
	}
	if !l.closed {
		l.front.keeper.Failed(l, err)
	}
	l.eof = true
	l.withdraw()
	l.handOver()
	if l.abort != nil {
		l.abort()
	}
	if l.server != nil {
		_ = l.server.Close()
	}
	l.setIdle()
	if l.server == nil && !l.sending {
		l.over()
	}
}

// over forgets the link once nothing of it is left to happen.
func (l *Link) over() {
	l.eof = true
	l.setIdle()
	l.front.over(l)
}
