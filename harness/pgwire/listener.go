package pgwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrNotLoopback says that a listener was to be reachable from other machines.
var ErrNotLoopback = errors.New("pgwire: not a loopback address")

// streamed is how many bytes of a client's a listener moves at once.
const streamed = 64 << 10

// ListenOptions say where a [Listener] listens, and for which server.
type ListenOptions struct {
	// Address is host:port of a loopback interface, "127.0.0.1:0" for instance. What passes is in the clear,
	// and whoever connects acts in the gate's case: no other machine may.
	Address string
	// Network and Server are what the front dials for each client: "tcp" and host:port, or "unix" and the
	// path of a socket.
	Network, Server string
}

// Listener lets services of any language through a [Front]: it accepts connections over TCP, and each is a
// link of the front. Nothing is known of who connects but the connection; its link stands for it.
//
// A client's end is a socket: bytes may be on their way in the kernel, which nobody sees.
type Listener struct {
	front    *Front
	ctx      context.Context
	to       ListenOptions
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex
	clients map[net.Conn]*Link
	closed  bool
	err     error // why it stopped accepting
}

// Listen accepts clients for f until Close. The keeper's Opened is given ctx, which must outlast the listener:
// its end ends the dialling of servers.
func Listen(ctx context.Context, f *Front, o ListenOptions) (*Listener, error) {
	address, err := loopback(o.Address)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("pgwire: listen: %w", err)
	}
	l := &Listener{front: f, ctx: ctx, to: o, listener: listener, clients: map[net.Conn]*Link{}}
	l.serving.Go(l.accept)
	return l, nil
}

// loopback returns the address, with localhost not left to a resolver.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("pgwire: listen: %w", err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%w: %q; listen on 127.0.0.1 or [::1]", ErrNotLoopback, address)
	}
	return net.JoinHostPort(host, port), nil
}

// Addr returns the address that clients connect to.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops accepting, breaks off every client, and waits until the listener has let go of them. The front
// stays open. The error is why the listener stopped accepting before, if it did.
func (l *Listener) Close() error {
	_ = l.listener.Close()
	l.mu.Lock()
	l.closed = true
	for conn, link := range l.clients {
		link.breakOff(net.ErrClosed)
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.serving.Wait()
	return l.err
}

func (l *Listener) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.err = fmt.Errorf("pgwire: accept: %w", err)
			}
			return
		}
		link, err := l.front.open(l.ctx, l.to.Network, l.to.Server)
		if err != nil {
			_ = conn.Close() // the front is closed
			continue
		}
		l.mu.Lock()
		if l.closed {
			link.breakOff(net.ErrClosed)
			_ = conn.Close()
		}
		l.clients[conn] = link
		l.mu.Unlock()
		l.serving.Go(func() { l.serve(conn, link) })
	}
}

// serve moves what the client sends, and beside it what the server says, until the client is gone.
func (l *Listener) serve(conn net.Conn, link *Link) {
	var down sync.WaitGroup
	down.Go(func() { deliver(conn, link) })
	// What a broken link does not take is read nevertheless: closing before all is read would take away from
	// the client what the server said last.
	broken := false
	for buf := make([]byte, streamed); ; {
		n, err := conn.Read(buf)
		if n > 0 && !broken {
			_, failed := link.Write(buf[:n])
			broken = failed != nil
		}
		if err != nil {
			break
		}
	}
	_ = link.Close()
	down.Wait()
	_ = conn.Close()
	l.mu.Lock()
	delete(l.clients, conn)
	l.mu.Unlock()
}

// deliver moves what the server says. At its end the client hears of it.
func deliver(conn net.Conn, link *Link) {
	for buf := make([]byte, streamed); ; {
		n, err := link.Read(buf)
		if n > 0 {
			if _, failed := conn.Write(buf[:n]); failed != nil {
				_ = conn.Close() // then nothing more comes from it either
				return
			}
		}
		if err != nil {
			break
		}
	}
	if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		_ = conn.Close()
	}
}
