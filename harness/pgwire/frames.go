package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Codes that stand in place of a protocol version in the first message of a connection.
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// tlsRecord is the first byte of a TLS handshake that no request came before.
const tlsRecord = 0x16

// maxStartup is the longest first message PostgreSQL itself accepts.
const maxStartup = 10000

// maxMessage is the longest message PostgreSQL itself sends or accepts.
const maxMessage = 1 << 30

// headSize is the size of a message's type and length.
const headSize = 5

var errUnexpected = errors.New("pgwire: unexpected message")

// terminate is the Terminate message.
var terminate = []byte{'X', 0, 0, 0, 4}

// message is a message of the given type.
func message(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	return append(b, body...)
}

// query is a simple Query message.
func query(sql string) []byte { return message('Q', sql+"\x00") }

// parameter returns a parameter of a startup message; "" where it has none.
func parameter(startup []byte, name string) string {
	if len(startup) < 8 {
		return ""
	}
	fields := bytes.Split(startup[8:], []byte{0})
	for i := 0; i+1 < len(fields); i += 2 {
		if string(fields[i]) == name {
			return string(fields[i+1])
		}
	}
	return ""
}

// sameStartup returns a startup message with its parameters in the order of their names: some clients, pgx
// among them, send them in another order each time. Of two with the same name the later still wins.
func sameStartup(startup []byte) string {
	fields := strings.Split(string(startup[8:]), "\x00")
	var pairs [][2]string
	for i := 0; i+1 < len(fields); i += 2 {
		pairs = append(pairs, [2]string{fields[i], fields[i+1]})
	}
	slices.SortStableFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var b strings.Builder
	b.Write(startup[4:8])
	for _, pair := range pairs {
		b.WriteString(pair[0] + "\x00" + pair[1] + "\x00")
	}
	return b.String()
}

// frame returns the length of the message at the start of b, its type included; 0 while b is too short
// to tell.
func frame(b []byte) (int, error) {
	if len(b) < headSize {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 || n > maxMessage {
		return 0, fmt.Errorf("%w: of %d bytes", errUnexpected, n)
	}
	return int(n) + 1, nil
}

// flow follows one direction of a connection from message to message, whatever pieces it comes in. It
// keeps nothing but the head of a message that has only half come.
type flow struct {
	head [headSize]byte
	have int  // bytes of head
	left int  // bytes of the message's body still to come
	lost bool // these were no messages
}

// follow takes the next bytes. It calls seen for each message whose head ends in b, with the place of
// its first byte; that is negative where the head began in earlier bytes.
func (f *flow) follow(b []byte, seen func(kind byte, at int)) {
	for i := 0; i < len(b) && !f.lost; {
		if f.left > 0 {
			n := min(f.left, len(b)-i)
			f.left -= n
			i += n
			continue
		}
		n := copy(f.head[f.have:], b[i:])
		f.have += n
		i += n
		if f.have < headSize {
			return
		}
		size, err := frame(f.head[:])
		if err != nil {
			f.lost = true
			return
		}
		f.have, f.left = 0, size-headSize
		seen(f.head[0], i-headSize)
	}
}

// whole reports that everything so far was messages, and that the last of them has come to its end.
func (f *flow) whole() bool { return f.have == 0 && f.left == 0 && !f.lost }

// exchange is what both sides of a connection have said since its greeting, as far as it matters to the
// question whether the server has anything left to say.
type exchange struct {
	up, down flow
	owed     int  // how many times the server is still to say that it is ready
	unsynced bool // the client sent messages that no Sync has followed yet
	status   byte // the transaction status the server named last; 0 means not known
}

// sent takes what the client sends, and shows each statement's text. It returns where a Terminate begins,
// or -1; 0 where its head began in earlier bytes.
func (e *exchange) sent(p []byte, statement func(text []byte)) (bye int) {
	bye = -1
	e.up.follow(p, func(kind byte, at int) {
		switch kind {
		case 'X':
			if bye < 0 {
				bye = max(at, 0)
			}
		case 'S', 'F':
			e.owed++
			e.unsynced = false
		case 'Q', 'P':
			body := p[at+headSize:]
			statement(body[:min(len(body), e.up.left)])
			if e.unsynced = kind == 'P'; kind == 'Q' {
				e.owed++
			}
		case 'p', 'd', 'c', 'f': // a password, or data that COPY owes an answer for
		default:
			e.unsynced = true
		}
	})
	return bye
}

// received takes what the server says.
func (e *exchange) received(p []byte) {
	e.down.follow(p, func(kind byte, at int) {
		if kind != 'Z' {
			return
		}
		e.owed--
		e.status = 0
		if at += headSize; at < len(p) {
			e.status = p[at]
		}
	})
}

// over reports that every answer has been read to its end, and that the server is waiting for the next
// message. Where that is in doubt, during a COPY for instance, it says no.
func (e *exchange) over() bool {
	return e.owed == 0 && !e.unsynced && e.up.whole() && e.down.whole()
}
