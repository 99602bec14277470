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

// wholeReply is up to how many bytes a reply is handed to the client in one piece.
const wholeReply = 256 << 10

// unread is how many bytes a client may leave unread before no more are read for it.
const unread = 4 << 20

// ending is how a client's side of a link has ended.
type ending int

const (
	notEnding  ending = iota
	terminated        // by a Terminate
	abandoned         // without one
)

// Link is a client's connection through a [Front]: the client's end is a net.Conn, in memory; a goroutine
// of the link's own reads from the server.
type Link struct {
	front            *Front
	ctx              context.Context // of the dial
	network, address string

	mu      sync.Mutex
	changed sync.Cond

	// from the client
	up      []byte // bytes that are no whole message yet
	sorting bool   // a Write is at them
	sluice  bool   // it writes to the server what nobody waits to see
	passing int    // how many bytes of a CopyData message are still to pass through
	batch   *Batch // the messages of a batch that is not complete
	queue   []*Batch
	offered bool // the keeper has been shown the head of the queue
	sending bool // a batch is being written to the server
	opened  bool // the startup has been seen
	ending  ending
	ended   bool               // it is time for the server to hear of the ending
	told    bool               // it has heard: what is left is to read until it closes
	closed  bool               // the client has closed
	abort   context.CancelFunc // ends the dialling
	unsent  error              // why a batch could not be written to the server

	// from the server
	server  net.Conn // nil before the startup is sent
	greeted bool     // the server has said that it is ready
	cancel  bool     // the link serves a CancelRequest
	hello   []byte   // what it said until then
	owes    owing
	reply   []byte // what is not handed to the client yet
	in      []byte // what the client may read
	eof     bool   // after in there is nothing
	reading bool   // the pump is in a Read
	waiting int    // how many Reads of the client wait
	busy    bool   // as the keeper was told
	hold    bool   // replies wait for Deliver
	held    bool   // one does
	key     key
	pid     uint32

	deadline [2]time.Time // of reads and writes
	timers   [2]*time.Timer
}

func newLink(ctx context.Context, f *Front, network, address string) *Link {
	l := &Link{front: f, ctx: ctx, network: network, address: address}
	l.changed.L = &l.mu
	return l
}

// PID returns the process id of the server's end; 0 before it is known.
func (l *Link) PID() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pid
}

// Rows returns how many rows the server has sent so far.
func (l *Link) Rows() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owes.rows
}

// Hold makes the reply that the server owes wait for Deliver. It does nothing, and returns false, where it
// owes none.
func (l *Link) Hold() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.busy || l.owes.settled() && !l.held {
		return false
	}
	l.hold = true
	return true
}

// Deliver ends a Hold: what was held is handed to the client, and what is still to come will be.
func (l *Link) Deliver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = false
	if l.held {
		l.held = false
		l.handOver()
		if l.eof || l.owes.settled() && !l.ended && !l.sending {
			l.setIdle()
		} else {
			l.front.keeper.Busy(l)
		}
	}
	l.changed.Broadcast()
}

// Read returns what the server has said.
func (l *Link) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return 0, net.ErrClosed
		case passed(l.deadline[0]):
			return 0, os.ErrDeadlineExceeded
		case len(l.in) > 0:
			n := copy(p, l.in)
			if l.in = l.in[n:]; len(l.in) == 0 {
				l.in = nil
			}
			l.changed.Broadcast()
			return n, nil
		case l.eof:
			return 0, io.EOF
		}
		l.waiting++
		l.changed.Broadcast() // the pump may have nothing to read for but this
		l.changed.Wait()
		l.waiting--
	}
}

// Write takes what the client sends. It waits for nothing, but for COPY data to be taken by the server.
func (l *Link) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed || l.ending != notEnding:
			return 0, net.ErrClosed
		case passed(l.deadline[1]):
			return 0, os.ErrDeadlineExceeded
		case l.eof:
			return 0, syscall.EPIPE
		}
		if !l.sorting {
			break
		}
		l.changed.Wait() // for another Write, which may be in the middle of a message
	}
	l.sorting = true
	l.up = append(l.up, p...)
	err := l.sort()
	l.sorting = false
	l.changed.Broadcast()
	if err == nil {
		return len(p), nil
	}
	if errors.Is(err, errUnexpected) {
		l.failed(err)
	}
	back := min(len(p), len(l.up)) // these were not taken
	l.up = l.up[:len(l.up)-back]
	return len(p) - back, err
}

// Close ends the client's side. The server hears of it after everything that was sent before.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, t := range l.timers {
		if t != nil {
			t.Stop()
		}
	}
	l.in = nil
	if l.ending == notEnding {
		l.flush()
		l.ending = abandoned
	}
	if l.server == nil && !l.sending {
		// The server has not heard of this client, and never will.
		l.withdraw()
		l.over()
	}
	l.proceed()
	l.changed.Broadcast()
	return nil
}

// leaving reports whether the server hears, or has heard, that the client is gone, with nothing in between
// that somebody would have to let pass.
func (l *Link) leaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending == terminated && l.ended
}

// breakOff ends the link at once, on both sides.
func (l *Link) breakOff(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed(err)
}

// LocalAddr returns this end's address.
func (l *Link) LocalAddr() net.Addr { return l.addr(net.Conn.LocalAddr) }

// RemoteAddr returns the server's address. pgx dials it again to cancel.
func (l *Link) RemoteAddr() net.Addr { return l.addr(net.Conn.RemoteAddr) }

func (l *Link) addr(of func(net.Conn) net.Addr) net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return unknownAddr{l.network, l.address}
	}
	return of(l.server)
}

// SetDeadline sets both deadlines.
func (l *Link) SetDeadline(t time.Time) error { return l.setDeadlines(&t, &t) }

// SetReadDeadline sets the deadline of reads.
func (l *Link) SetReadDeadline(t time.Time) error { return l.setDeadlines(&t, nil) }

// SetWriteDeadline sets the deadline of writes.
func (l *Link) SetWriteDeadline(t time.Time) error { return l.setDeadlines(nil, &t) }

func (l *Link) setDeadlines(read, write *time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	for i, t := range []*time.Time{read, write} {
		if t != nil {
			l.setDeadline(i, *t)
		}
	}
	if write != nil && l.sluice {
		_ = l.server.SetWriteDeadline(*write)
	}
	l.changed.Broadcast()
	return nil
}

func (l *Link) setDeadline(i int, t time.Time) {
	l.deadline[i] = t
	if l.timers[i] != nil {
		l.timers[i].Stop()
		l.timers[i] = nil
	}
	if !t.IsZero() && !passed(t) {
		l.timers[i] = time.AfterFunc(time.Until(t), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.changed.Broadcast()
		})
	}
}
