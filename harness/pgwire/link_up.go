package pgwire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// refusal is the server's answer to a request for encryption that it does not grant.
const refusal = 'N'

// sort makes batches of what the client has sent. It wants the mutex held, and lets go of it while it
// writes COPY data.
func (l *Link) sort() error {
	for {
		if l.eof && len(l.up) > 0 {
			return syscall.EPIPE
		}
		if l.ending == terminated {
			l.up = nil // nobody hears what follows a Terminate
			return nil
		}
		if !l.opened {
			if whole, err := l.sortOpening(); !whole || err != nil {
				return err
			}
			continue
		}
		if l.passing > 0 {
			if len(l.up) == 0 {
				return nil
			}
			if err := l.passThrough(); err != nil {
				return err
			}
			continue
		}
		n, err := frame(l.up)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		kind := l.up[0]
		switch {
		case !l.greeted && kind != 'X', kind == 'p':
			l.passing = n // a password: the server asked for it
			continue
		case kind == 'd', kind == 'c', kind == 'f':
			l.flush()
			if err := l.awaitCopy(); err != nil {
				return err
			}
			if kind == 'd' {
				// Where the COPY has failed meanwhile, which the client has not heard yet, the server passes
				// over the data.
				l.passing = n
				continue
			}
		}
		if len(l.up) < n {
			return nil
		}
		msg := l.up[:n]
		if kind == 'X' {
			l.flush()
			l.ending = terminated
			l.proceed()
			continue
		}
		if l.batch == nil {
			l.batch = &Batch{Link: l}
		}
		if l.batch.add(msg, l.owes.copying && !l.owes.simple) {
			l.flush()
		}
		if l.up = l.up[n:]; len(l.up) == 0 {
			l.up = nil
		}
	}
}

// awaitCopy waits until the server has said whether it takes COPY data: some clients send it without
// waiting. It lets go of the mutex meanwhile.
func (l *Link) awaitCopy() error {
	for len(l.queue) > 0 || l.sending || !l.owes.copying && !l.owes.settled() {
		switch {
		case l.closed:
			return net.ErrClosed
		case l.eof:
			return syscall.EPIPE
		case passed(l.deadline[1]):
			return os.ErrDeadlineExceeded
		}
		l.changed.Wait()
	}
	return nil
}

// passThrough writes what there is of a message that nobody waits to see.
func (l *Link) passThrough() error {
	n := min(l.passing, len(l.up))
	piece := l.up[:n:n]
	server := l.server
	if server == nil {
		return fmt.Errorf("%w: %q before the server was heard", errUnexpected, piece[0])
	}
	was := l.busy
	l.setBusy()
	l.sluice = true
	if !l.deadline[1].IsZero() {
		_ = server.SetWriteDeadline(l.deadline[1])
	}
	l.mu.Unlock()
	n, err := server.Write(piece)
	l.mu.Lock()
	l.sluice = false
	if !l.deadline[1].IsZero() || err != nil {
		_ = server.SetWriteDeadline(time.Time{}) // batches are written when the keeper says so
	}
	l.up = l.up[n:]
	l.passing -= n
	if l.eof || !was && l.owes.settled() && !l.ended {
		l.setIdle()
	}
	if err != nil {
		return fmt.Errorf("write to server: %w", err) // what has become of it, the pump reads
	}
	return nil
}

// sortOpening takes the first message of a connection.
func (l *Link) sortOpening() (whole bool, err error) {
	if len(l.up) > 0 && l.up[0] == tlsRecord {
		return false, fmt.Errorf("%w: TLS, which the gate cannot look into: connect with sslmode=disable", errUnexpected)
	}
	if len(l.up) < 8 {
		return false, nil
	}
	size := int(binary.BigEndian.Uint32(l.up))
	if size < 8 || size > maxStartup {
		return false, fmt.Errorf("%w: a startup of %d bytes", errUnexpected, size)
	}
	if len(l.up) < size {
		return false, nil
	}
	b := &Batch{Link: l, Kind: Startup, data: l.up[:size:size]}
	l.up = l.up[size:]
	switch binary.BigEndian.Uint32(b.data[4:]) {
	case codeSSL, codeGSS:
		l.in = append(l.in, refusal)
		l.changed.Broadcast()
		return true, nil
	case codeCancel:
		b.Kind, l.cancel = Cancel, true
		if size >= 12 {
			b.Target = l.front.holder(key{binary.BigEndian.Uint32(b.data[8:]), string(b.data[12:])})
		}
	}
	l.opened = true
	l.enqueue(b)
	return true, nil
}

// flush ends the batch that is not complete, if there is one.
func (l *Link) flush() {
	if b := l.batch; b != nil {
		l.batch = nil
		l.enqueue(b)
	}
}

// enqueue puts a batch behind those that wait.
func (l *Link) enqueue(b *Batch) {
	if l.eof {
		return
	}
	l.queue = append(l.queue, b)
	l.proceed()
}

// proceed shows the keeper the head of the queue or, where all is sent, tells the server of the end.
func (l *Link) proceed() {
	for !l.sending && !l.offered && len(l.queue) > 0 && !l.eof {
		b := l.queue[0]
		if !l.front.keeper.Offered(b) {
			l.offered = true
			return
		}
		l.sendLocked(b)
	}
	if len(l.queue) == 0 && !l.sending && l.ending != notEnding && !l.ended && l.server != nil && !l.eof {
		l.endLocked()
	}
}

func (l *Link) send(b *Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || l.queue[0] != b {
		return // withdrawn meanwhile
	}
	l.offered = false
	l.sendLocked(b)
	l.proceed()
}

// sendLocked sends the head of the queue. A startup is sent by the pump, which begins with it; anything
// else here, with the mutex let go of for the time.
func (l *Link) sendLocked(b *Batch) {
	l.queue = l.queue[1:]
	l.setBusy()
	if b.Kind != Messages {
		l.sending = true
		l.owes.ready(false) // the greeting ends like any answer
		l.front.pumps.Go(func() { l.pump(b.data) })
		return
	}
	l.owes.sent(b)
	l.sending = true
	server := l.server
	l.mu.Unlock()
	_, err := server.Write(b.data)
	l.mu.Lock()
	l.sending = false
	switch {
	case l.eof:
		l.setIdle()
	case err != nil:
		// Why, the server may have said before it closed: the pump reads it, and then ends the link.
		l.unsent = fmt.Errorf("write to server: %w", err)
		l.owes.ready(false)
	case l.owes.settled() && !l.held:
		l.setIdle() // nothing will be answered, or all has been
	}
	l.changed.Broadcast()
}

// endLocked tells the server that the client is gone. The pump does, unless it is reading: then a kept
// backend is not to be had, and nothing that we do here waits.
func (l *Link) endLocked() {
	l.ended = true
	l.setBusy()
	if l.reading {
		l.tell()
	}
	l.changed.Broadcast()
}

// tell tells the server that the client is gone. It lets go of the mutex while it does.
func (l *Link) tell() {
	l.told = true
	server, how := l.server, l.ending
	l.mu.Unlock()
	tellEnd(server, how)
	l.mu.Lock()
}

func tellEnd(server io.WriteCloser, how ending) {
	if how == terminated {
		if _, err := server.Write(terminate); err == nil {
			return
		}
	} else if c, ok := server.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		return
	}
	_ = server.Close() // what waits for the server's end then ends, too
}

// withdraw takes back everything that was not sent.
func (l *Link) withdraw() {
	if l.offered {
		l.front.keeper.Withdrawn(l.queue[0])
	}
	l.queue, l.offered, l.batch = nil, false, nil
}

func (l *Link) setBusy() {
	if !l.busy || l.held {
		l.busy, l.held = true, false
		l.front.keeper.Busy(l)
	}
}

func (l *Link) setIdle() {
	if l.busy {
		l.busy, l.held = false, false
		l.front.keeper.Idle(l)
	}
}
