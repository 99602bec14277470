package pgwire

import (
	"context"
	"net"
	"sync"
	"time"
)

// Keeper decides when what clients send reaches the server. Its methods are called with a lock of the
// link held: they must return at once, and must not call the link.
type Keeper interface {
	// Opened tells of a new connection, in the Dial that makes it.
	Opened(ctx context.Context, l *Link)
	// Offered tells that a batch is at the head of its link's queue. The batch is sent at once where
	// Offered returns true; otherwise when the keeper calls its Send.
	Offered(b *Batch) (now bool)
	// Withdrawn tells that an offered batch will never be sent: its link broke.
	Withdrawn(b *Batch)
	// Busy tells that the server has something to do for the link: before anything is sent to it. Each is
	// followed by an Idle or a Held of the same link.
	Busy(l *Link)
	// Idle tells that it has done it, and that the client can see that; or that the link is over.
	Idle(l *Link)
	// Held tells that it has done it, or has said as much as is kept, and that the client cannot see that
	// before [Link.Deliver]: the link's replies are held. It is followed by an Idle or a Busy.
	Held(l *Link)
	// Failed tells why a link broke, where neither side closed it in good order.
	Failed(l *Link, err error)
}

// Front is a dial function that lets a keeper see each batch of messages before it is sent: up to a Sync,
// Query, Flush or FunctionCall, or the end of a COPY. The client's side of a connection is in memory, so
// that no byte of it is ever on its way unseen.
//
// What passes is what the client and the server say, unchanged; a request for TLS or GSSAPI encryption is
// refused in the server's name, because encrypted messages could not be told apart. COPY data flows
// through without waiting for its end. A reply is handed to the client when it is whole, or grows large.
//
// Safe for concurrent use.
type Front struct {
	dial   DialFunc
	keeper Keeper

	mu     sync.Mutex
	links  map[*Link]struct{}
	keys   map[key]*Link
	had    map[uint32]bool // process ids of all backends that links had
	closed bool
	pumps  sync.WaitGroup
}

// NewFront returns a front whose connections to the server are made by dial.
func NewFront(dial DialFunc, keeper Keeper) *Front {
	return &Front{dial: dial, keeper: keeper, links: map[*Link]struct{}{}, keys: map[key]*Link{}, had: map[uint32]bool{}}
}

// Dial returns a connection for one client. The server is dialled when the client's startup is sent on;
// ctx must last until then.
func (f *Front) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.open(ctx, network, address)
}

func (f *Front) open(ctx context.Context, network, address string) (*Link, error) {
	l := newLink(ctx, f, network, address)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, net.ErrClosed
	}
	f.links[l] = struct{}{}
	f.mu.Unlock()
	f.keeper.Opened(ctx, l)
	return l, nil
}

// Links returns the links that are not over.
func (f *Front) Links() []*Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	links := make([]*Link, 0, len(f.links))
	for l := range f.links {
		links = append(links, l)
	}
	return links
}

// Had reports whether a link has, or had, the backend with this process id.
func (f *Front) Had(pid uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.had[pid]
}

// Close breaks every connection and waits until nothing of them is left. None is made any more. Those whose
// client has said goodbye may come to their own end, for as long as a backend may take to be reset.
func (f *Front) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, l := range f.Links() {
		if !l.leaving() {
			l.breakOff(net.ErrClosed)
		}
	}
	late := time.AfterFunc(resetTime, func() {
		for _, l := range f.Links() {
			l.breakOff(net.ErrClosed)
		}
	})
	defer late.Stop()
	f.pumps.Wait()
	return nil
}

// over forgets a link.
func (f *Front) over(l *Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.links, l)
	if f.keys[l.key] == l {
		delete(f.keys, l.key)
	}
}

func (f *Front) learn(k key, l *Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[k] = l
	f.had[k.pid] = true
}

// holder returns the link whose client was given a key, nil if there is none.
func (f *Front) holder(k key) *Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys[k]
}
