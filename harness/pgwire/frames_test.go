package pgwire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// script is a server connection that says what it was given, in pieces, and listens to nothing.
type script struct {
	net.Conn
	says  []byte
	piece int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.says) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.says)
	s.says = s.says[n:]
	return n, nil
}

func (*script) Write(p []byte) (int, error)      { return len(p), nil }
func (*script) Close() error                     { return nil }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// talk lets a client say things in pieces to a server that says things in pieces, and returns what the
// client heard.
func talk(tb testing.TB, w *Warm, says []byte, piece int) []byte {
	tb.Helper()
	c, err := w.Dial(context.Background(), "tcp", "x")
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	for len(says) > 0 {
		n := min(piece, len(says))
		if _, err := c.Write(says[:n]); err != nil {
			return nil
		}
		says = says[n:]
	}
	if c.(*conn).phase == opening || c.(*conn).phase == proving && !c.(*conn).eof {
		return nil // a Read would wait for the client to say more
	}
	var heard []byte
	for p := make([]byte, piece); ; {
		n, err := c.Read(p)
		heard = append(heard, p[:n]...)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				tb.Errorf("read: %v", err)
			}
			return heard
		}
	}
}

func encode[M interface{ Encode([]byte) ([]byte, error) }](messages ...M) []byte {
	var b []byte
	for _, m := range messages {
		b, _ = m.Encode(b)
	}
	return b
}

var (
	startupBytes = encode(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{"user": "me"}})
	greetingBytes = encode[pgproto3.BackendMessage](&pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"},
		&pgproto3.BackendKeyData{ProcessID: 4711, SecretKey: []byte("real")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
	answerBytes = encode[pgproto3.BackendMessage](&pgproto3.DataRow{Values: [][]byte{[]byte("value")}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'T'})
	resetBytes = encode[pgproto3.BackendMessage](&pgproto3.CommandComplete{CommandTag: []byte("ROLLBACK")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'}, &pgproto3.CommandComplete{CommandTag: []byte("DISCARD ALL")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'}, &pgproto3.CommandComplete{CommandTag: []byte("SET")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'}, &pgproto3.CommandComplete{CommandTag: []byte("RESET")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
)

func scripted(says []byte, piece int) *Warm {
	return NewWarm(func(context.Context, string, string) (net.Conn, error) {
		return &script{says: bytes.Clone(says), piece: piece}, nil
	}, 1)
}

// TestPieces cuts both directions at every length of piece. The client hears the same, with a secret of
// its own, and its backend is parked after the same last byte.
func TestPieces(t *testing.T) {
	t.Parallel()
	asks := bytes.Join([][]byte{startupBytes, query("SELECT 1")}, nil)
	server := bytes.Join([][]byte{greetingBytes, answerBytes}, nil)
	want := bytes.Replace(server, []byte("real"), []byte{0, 0, 0, 1}, 1)
	for piece := 1; piece <= len(server); piece++ {
		// What follows the startup in the same write keeps the backend from being reused, no more.
		if heard := talk(t, scripted(server, piece), asks, piece); !bytes.Equal(heard, want) {
			t.Fatalf("in pieces of %d:\n%q, want\n%q", piece, heard, want)
		}
	}
}

func TestReusedGreeting(t *testing.T) {
	t.Parallel()
	for piece := 1; piece <= len(greetingBytes); piece++ {
		w := scripted(bytes.Join([][]byte{greetingBytes, answerBytes, resetBytes}, nil), 1)
		c, err := w.Dial(context.Background(), "tcp", "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, says := range [][]byte{startupBytes, query("BEGIN")} {
			if _, err := c.Write(says); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(c, make([]byte, len(greetingBytes)+len(answerBytes))); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(terminate); err != nil {
			t.Fatal(err)
		}
		want := bytes.Replace(greetingBytes, []byte("real"), []byte{0, 0, 0, 2}, 1)
		if heard := talk(t, w, startupBytes, piece); !bytes.Equal(heard, want) || w.Reused() != 1 {
			t.Fatalf("in pieces of %d: reused %d, heard\n%q, want\n%q", piece, w.Reused(), heard, want)
		}
	}
}

func TestFlow(t *testing.T) {
	t.Parallel()
	stream := bytes.Join([][]byte{query("SELECT 1"), terminate, message('S', ""), message('d', "abcXYZ")}, nil)
	for piece := 1; piece <= len(stream); piece++ {
		var f flow
		var kinds []byte
		for i := 0; i < len(stream); i += piece {
			part := stream[i:min(i+piece, len(stream))]
			f.follow(part, func(kind byte, at int) {
				if at >= 0 && part[at] != kind {
					t.Errorf("in pieces of %d: %q is not at %d", piece, kind, at)
				}
				kinds = append(kinds, kind)
			})
		}
		if string(kinds) != "QXSd" || !f.whole() {
			t.Errorf("in pieces of %d: %q, whole %t", piece, kinds, f.whole())
		}
	}
	var f flow
	f.follow([]byte{'Q', 0, 0, 0, 3, 'Q', 0, 0, 0, 4}, func(byte, int) { t.Error("there is no message of three bytes") })
	if f.whole() {
		t.Error("what is no message is not whole")
	}
}

func TestStartupsThatAreTheSame(t *testing.T) {
	t.Parallel()
	of := func(s string) string { return sameStartup(append([]byte{0, 0, 0, 0, 0, 3, 0, 0}, s...)) }
	a := of("user\x00u\x00database\x00d\x00\x00")
	for s, same := range map[string]bool{
		"database\x00d\x00user\x00u\x00\x00":                true,
		"database\x00u\x00user\x00d\x00\x00":                false,
		"database\x00d\x00user\x00u\x00options\x00o\x00":    false,
		"user\x00u\x00\x00":                                 false,
		"user\x00u\x00database\x00d\x00database\x00e\x00":   false,
		"user\x00u\x00database\x00e\x00database\x00d\x00":   false,
		"user\x00u\x00database\x00d\x00application\x00\x00": false,
	} {
		if (of(s) == a) != same {
			t.Errorf("%q: the same is %t", s, !same)
		}
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]effect{
		"SELECT 1":                                  {},
		"UPDATE settings SET a = b.c":               {},
		"SET search_path = a.b":                     {},
		"SET SESSION work_mem = 1":                  {},
		"SET my.tenant = 1":                         {custom: true},
		`set local "my"."tenant" = 1`:               {custom: true},
		"BEGIN; SET  session\tmy.tenant TO 1":       {custom: true},
		"SELECT set_config('work_mem','1',true)":    {},
		"SELECT set_config( 'my.tenant' , $1, $2)":  {custom: true},
		"SELECT set_config($1, 'x', true)":          {custom: true},
		"DROP DATABASE x":                           {looks: true},
		"drop\n\tdatabase if exists x":              {looks: true},
		"CREATE DATABASE x TEMPLATE y":              {looks: true},
		"SELECT * FROM pg_catalog.pg_stat_activity": {looks: true},
		"ALTER DATABASE x SET a = 1":                {alters: true},
		"ALTER ROLE x NOLOGIN":                      {alters: true},
		"DROP USER x":                               {alters: true},
		"ALTER SYSTEM SET a = 1":                    {alters: true},
		"SELECT pg_reload_conf()":                   {alters: true},
		"REVOKE CONNECT ON DATABASE x FROM y":       {alters: true},
		"ALTER TABLE x ADD y int":                   {},
		"DROP TABLE x":                              {},
		"drop":                                      {},
		"":                                          {},
	} {
		if got := effectOf([]byte(sql)); got != want {
			t.Errorf("%s: %+v, want %+v", sql, got, want)
		}
	}
	if !names([]byte(`DROP DATABASE "a""b"`), `a"b`) || names([]byte("DROP DATABASE c"), "a") {
		t.Error("a database is named if and only if it is")
	}
}

// FuzzConversation lets a client and a server say anything in any pieces. Nothing panics or hangs, and
// as long as there is no backend key in it, the client hears the server's own words.
func FuzzConversation(f *testing.F) {
	f.Add(startupBytes, greetingBytes, uint8(3))
	f.Add(append(bytes.Clone(startupBytes), query("SELECT 1")...), append(bytes.Clone(greetingBytes), answerBytes...), uint8(1))
	f.Add(append(bytes.Clone(startupBytes), terminate...), greetingBytes, uint8(50))
	f.Add([]byte{0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 1}, []byte{}, uint8(7))
	f.Add([]byte{0, 0, 0, 8, 4, 210, 22, 47}, []byte("N"), uint8(8))
	f.Add([]byte{0x16, 3, 1}, []byte{0x16, 3, 1}, uint8(8))
	f.Add(startupBytes, []byte("Ecould not fork new process\n\x00"), uint8(9))
	f.Add(startupBytes, authentication(authSASL, mechanism+"\x00\x00"), uint8(9))
	f.Fuzz(func(t *testing.T, client, server []byte, piece uint8) {
		w := scripted(server, int(piece)+1)
		heard := talk(t, w, client, int(piece)+1)
		if heard != nil && !bytes.ContainsRune(server, 'K') && !bytes.Equal(heard, server) {
			t.Errorf("heard %q of %q", heard, server)
		}
		talk(t, w, client, int(piece)+1)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzProof lets a client say anything to be let in.
func FuzzProof(f *testing.F) {
	v, err := parseVerifier("SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message('p', mechanism+"\x00\x00\x00\x00\x09n,,n=,r=x"), message('p', "c=biws,r=x,p=AAAA"))
	f.Add(message('p', mechanism+"\x00\x00\x00\x00\x09y,,n=,r="), []byte("p"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		p := proof{verifier: v}
		if _, done, ok := p.step(one); done || !ok {
			return
		}
		if _, _, ok := p.step(two); ok {
			t.Error("let in without the password")
		}
	})
}
