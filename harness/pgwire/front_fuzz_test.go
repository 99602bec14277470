package pgwire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// scale counts, for the fuzzer, what a front tells its keeper.
type scale struct {
	tb     testing.TB
	mu     sync.Mutex
	busy   map[*Link]bool
	failed int
}

func (*scale) Opened(context.Context, *Link) {}
func (*scale) Offered(*Batch) bool           { return true }
func (s *scale) Withdrawn(b *Batch)          { s.tb.Errorf("withdrawn, and was not parked: %q", b.data) }
func (s *scale) Held(*Link)                  { s.tb.Error("held, and nobody asked for it") }

func (s *scale) Failed(*Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
}

func (s *scale) set(l *Link, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[l] == to {
		s.tb.Errorf("twice in a row busy is %t", to)
	}
	s.busy[l] = to
}

func (s *scale) Busy(l *Link) { s.set(l, true) }
func (s *scale) Idle(l *Link) { s.set(l, false) }

// stage is a server that says what it was given, in pieces, and notes what it hears.
type stage struct {
	script
	mu    sync.Mutex
	heard []byte
}

func (s *stage) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, p...)
	return len(p), nil
}

// FuzzFront lets a client and a server say anything, in any pieces. Nothing panics or hangs; whatever was busy
// ends; each side hears nothing but the other's own words, in order.
func FuzzFront(f *testing.F) {
	greeted := func(more ...[]byte) []byte { return append(bytes.Clone(greetingBytes), bytes.Join(more, nil)...) }
	started := func(more ...[]byte) []byte { return append(bytes.Clone(startupBytes), bytes.Join(more, nil)...) }
	f.Add(started(), greeted(), uint8(3), uint8(4))
	f.Add(started(query("SELECT 1")), greeted(answerBytes), uint8(1), uint8(7))
	f.Add(started(query("COPY"), message('d', "1"), message('c', "")), greeted(message('G', "\x00\x00\x00"), answerBytes), uint8(2), uint8(200))
	f.Add(started(message('P', "\x00\x00"), message('H', ""), message('S', ""), terminate), greeted(message('E', ""), message('Z', "I")), uint8(50), uint8(9))
	f.Add([]byte{0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 1}, []byte{}, uint8(7), uint8(1))
	f.Add(append([]byte{0, 0, 0, 8, 4, 210, 22, 47}, startupBytes...), greeted(), uint8(8), uint8(8))
	f.Add([]byte{0x16, 3, 1}, []byte{}, uint8(8), uint8(8))
	f.Add(started(message('p', "x")), []byte("Ecould not fork new process\n\x00"), uint8(9), uint8(2))
	f.Fuzz(func(t *testing.T, client, server []byte, up, down uint8) {
		end := &stage{script: script{says: bytes.Clone(server), piece: int(down) + 1}}
		k := &scale{tb: t, busy: map[*Link]bool{}}
		front := NewFront(func(context.Context, string, string) (net.Conn, error) { return end, nil }, k)
		conn, err := front.Dial(context.Background(), "tcp", "x")
		if err != nil {
			t.Fatal(err)
		}
		var heard []byte
		var listening sync.WaitGroup
		listening.Go(func() {
			var err error
			if heard, err = io.ReadAll(conn); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
		})
		for rest := client; len(rest) > 0; {
			n, err := conn.Write(rest[:min(len(rest), int(up)+1)])
			if rest = rest[n:]; err != nil {
				break
			}
		}
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		listening.Wait()
		if err := front.Close(); err != nil {
			t.Error(err)
		}
		for l, busy := range k.busy {
			if busy {
				t.Errorf("busy for ever: %+v", l.owes)
			}
		}
		if k.failed > 1 {
			t.Errorf("one link has failed %d times", k.failed)
		}
		if n := len(front.Links()); n > 0 {
			t.Errorf("%d links are left", n)
		}
		// What the front answers itself, a refusal of encryption, comes first.
		heard = bytes.TrimLeft(heard, string(refusal))
		if !bytes.HasPrefix(bytes.TrimLeft(server, string(refusal)), heard) {
			t.Errorf("the client heard %q of %q", heard, server)
		}
		// A Terminate, whatever its body, is passed on as one without.
		if !bytes.Contains(client, bytes.TrimSuffix(end.heard, terminate)) {
			t.Errorf("the server heard %q of %q", end.heard, client)
		}
	})
}

// FuzzBabble lets a server say the same bytes in pieces of two sizes: what is owed after them does not depend
// on where they are cut.
func FuzzBabble(f *testing.F) {
	f.Add([]byte("Q"), answerBytes, uint8(3))
	f.Add([]byte("PBEH"), bytes.Join([][]byte{message('1', ""), message('G', "x")}, nil), uint8(1))
	f.Add([]byte("PBES"), []byte{'Z', 0, 0, 0, 3}, uint8(2))
	f.Add([]byte("QcPHQS"), bytes.Join([][]byte{message('G', "xyz"), message('E', ""), message('Z', "I")}, nil), uint8(4))
	f.Fuzz(func(t *testing.T, kinds, says []byte, piece uint8) {
		var whole, cut owing
		for _, o := range []*owing{&whole, &cut} {
			b := &Batch{}
			for _, kind := range kinds {
				if b.add(message(kind, ""), false) {
					o.sent(b)
					b = &Batch{}
				}
			}
		}
		whole.heard(says)
		for rest := says; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			cut.heard(rest[:n])
			rest = rest[n:]
		}
		if whole.settled() != cut.settled() || whole.copying != cut.copying || whole.skipping != cut.skipping ||
			whole.rows != cut.rows || len(whole.dues) != len(cut.dues) {
			t.Errorf("%+v; in pieces %+v", whole, cut)
		}
	})
}
