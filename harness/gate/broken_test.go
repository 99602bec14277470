package gate_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/gate"
)

// TestBrokenNamesWhose: why a connection broke says for whom it was made, and no address.
func TestBrokenNamesWhose(t *testing.T) {
	g := gate.New(gate.Options{Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: &net.TCPAddr{Port: 5432}, Err: syscall.ECONNREFUSED}
	}})
	for _, ctx := range []context.Context{gate.WithOp(t.Context(), 3), t.Context()} {
		conn, err := g.Dial(ctx, "tcp", "127.0.0.1:5432")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte{0, 0, 0, 9, 0, 3, 0, 0, 0}); err != nil { // a startup
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of nobody", n)
		}
		_ = conn.Close()
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"a connection of #3: dial: connection refused", "a connection of the background: dial: connection refused"}
	if diff := cmp.Diff(want, g.Broken()); diff != "" {
		t.Errorf("broken (-want +got):\n%s", diff)
	}
}
