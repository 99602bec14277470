package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Codes that stand in place of a protocol version in the first message of a connection.
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// maxStartup is the longest first message PostgreSQL itself accepts.
const maxStartup = 10000

// maxAnswer bounds one message of the answer to a reset.
const maxAnswer = 1 << 20

var errUnexpected = errors.New("pgwire: unexpected answer")

// query is a simple Query message.
func query(sql string) []byte {
	b := []byte{'Q'}
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(sql)+1))
	return append(append(b, sql...), 0)
}

// terminate is the Terminate message.
var terminate = []byte{'X', 0, 0, 0, 4}

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

// frame returns the length of the message at the start of b, its type included; 0 while b is too short
// to tell.
func frame(b []byte) (int, error) {
	if len(b) < 5 {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 || n > 1<<30 {
		return 0, fmt.Errorf("%w: a message of %d bytes", errUnexpected, n)
	}
	return int(n) + 1, nil
}

// exchange sends messages to a backend that nobody has and reads until it is ready after the last of
// them. That one must change application_name, which the server reports: an answer that the client
// before did not wait for is then never taken for one of ours.
func (b *backend) exchange(messages []byte) error {
	if err := b.conn.SetDeadline(time.Now().Add(resetTime)); err != nil {
		return err
	}
	if _, err := b.conn.Write(messages); err != nil {
		return err
	}
	var head [5]byte
	for reported := false; ; {
		if _, err := io.ReadFull(b.conn, head[:]); err != nil {
			return err
		}
		n, err := frame(head[:])
		if err != nil || n > maxAnswer {
			return errUnexpected
		}
		body := make([]byte, n-5)
		if _, err := io.ReadFull(b.conn, body); err != nil {
			return err
		}
		switch head[0] {
		case 'S':
			reported = reported || bytes.HasPrefix(body, []byte("application_name\x00"))
		case 'Z':
			if len(body) != 1 || body[0] != 'I' && reported {
				return errUnexpected // in a transaction still
			}
			if reported {
				return b.conn.SetDeadline(time.Time{})
			}
		case 'C', 'N':
		default:
			return fmt.Errorf("%w: %q", errUnexpected, head[0])
		}
	}
}

// end closes a backend in good order.
func (b *backend) end() {
	_ = b.conn.SetDeadline(time.Now().Add(resetTime))
	_, _ = b.conn.Write(terminate)
	_ = b.conn.Close()
}

// mentions reports whether a message may drop a database or count its connections, and names it.
func mentions(message []byte, database string) bool {
	return bytes.Contains(message, []byte(database)) &&
		(bytes.Contains(message, []byte("DROP DATABASE")) || bytes.Contains(message, []byte("pg_stat_activity")))
}
