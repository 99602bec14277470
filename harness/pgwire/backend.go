package pgwire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// backend is a server connection and what is needed to hand it to another client.
type backend struct {
	conn     net.Conn
	ident    string // network, address and startup message: only a client with the same may have it
	user     string
	database string // the database's name, as the startup message gives it, or PostgreSQL takes it
	startup  []byte // what the server said from AuthenticationOk to ReadyForQuery
	sasl     []byte // how the server asked for a password; nil means it did not
	key      key    // the server's own
	epoch    uint64 // of Warm, when the server was dialled
	unfit    bool   // it has something that no reset takes away
	cancels  int    // requests to cancel it that the server may still be about to act on; Warm's mutex guards it
	verifier *verifier
}

// key identifies a backend to a CancelRequest.
type key struct {
	pid    uint32
	secret string // four bytes; more where the client speaks protocol 3.2
}

// readKey takes the key out of a BackendKeyData message.
func readKey(msg []byte) (key, bool) {
	if len(msg) < headSize+8 || msg[0] != 'K' {
		return key{}, false
	}
	return key{binary.BigEndian.Uint32(msg[headSize:]), string(msg[headSize+4:])}, true
}

// message is a BackendKeyData message.
func (k key) message() []byte {
	return message('K', string(binary.BigEndian.AppendUint32(nil, k.pid))+k.secret)
}

// maxAnswer bounds one message of the answer to a statement of ours.
const maxAnswer = 1 << 16

// answerSize is more than the answers to a reset are long.
const answerSize = 1 << 10

// run executes statements of ours, one after the other, on a backend that nobody has and that owes no
// answer. Every answer must bear the name of the statement it is for. The last row's first column is
// returned. An error means that the state of the backend is not known.
func (b *backend) run(until time.Time, statements ...string) (string, error) {
	if err := b.conn.SetDeadline(until); err != nil {
		return "", err
	}
	var messages []byte
	for _, sql := range statements {
		// A message each: DISCARD ALL may not stand in a transaction block, which several statements in
		// one message form.
		messages = append(messages, query(sql)...)
	}
	if _, err := b.conn.Write(messages); err != nil {
		return "", err
	}
	var column string
	from := bufio.NewReaderSize(b.conn, answerSize)
	for _, sql := range statements {
		if err := answer(from, sql, &column); err != nil {
			return "", err
		}
	}
	if from.Buffered() > 0 {
		return "", fmt.Errorf("%w: more than the answer", errUnexpected)
	}
	return column, b.conn.SetDeadline(time.Time{})
}

// answer reads the answer to one statement.
func answer(from io.Reader, sql string, column *string) error {
	var head [headSize]byte
	for named := false; ; {
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return err
		}
		n, err := frame(head[:])
		if err != nil {
			return err
		}
		if n > maxAnswer {
			return fmt.Errorf("%w: of %d bytes", errUnexpected, n)
		}
		body := make([]byte, n-headSize)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		switch head[0] {
		case 'C':
			tag := string(bytes.TrimRight(body, "\x00"))
			if sql == selectVerifier {
				tag, _, _ = strings.Cut(tag, " ") // SELECT 1
			}
			if named || !strings.HasPrefix(sql, tag) || tag == "" {
				return fmt.Errorf("%w: %q", errUnexpected, head[0])
			}
			named = true
		case 'Z':
			if !named || string(body) != "I" {
				return fmt.Errorf("%w: %q", errUnexpected, head[0])
			}
			return nil
		case 'S':
			// Taking a backend back changes its application_name; a change of anything else was made in
			// the server's configuration meanwhile.
			if sql == unparkStatement && !bytes.HasPrefix(body, []byte("application_name\x00")) {
				return fmt.Errorf("%w: a changed setting", errUnexpected)
			}
		case 'D':
			*column = firstColumn(body)
		case 'T', 'N', 'A': // a notification may have waited for a client that never read it
		default:
			return fmt.Errorf("%w: %q", errUnexpected, head[0])
		}
	}
}

// firstColumn returns the first column of a DataRow; "" for NULL.
func firstColumn(row []byte) string {
	if len(row) < 6 {
		return ""
	}
	n := int(int32(binary.BigEndian.Uint32(row[2:])))
	if n < 0 || n > len(row)-6 {
		return ""
	}
	return string(row[6 : 6+n])
}

const (
	parkStatement   = "SET application_name = '" + ParkedApplication + "'"
	unparkStatement = "RESET application_name"
)

// reset brings a backend back to where it was after its startup, and gives it the name of a parked one.
func (b *backend) reset(until time.Time, status byte) error {
	var statements []string
	if status != 'I' {
		statements = append(statements, "ROLLBACK")
	}
	statements = append(statements, "DISCARD ALL")
	if b.sasl != nil {
		statements = append(statements, selectVerifier)
	}
	verifier, err := b.run(until, append(statements, parkStatement)...)
	if err == nil && b.sasl != nil {
		_, err = parseVerifier(verifier) // a backend whose next client cannot be asked for its password is of no use
	}
	return err
}

// wake makes a parked backend ready for a client.
func (b *backend) wake(until time.Time) error {
	statements := []string{unparkStatement}
	if b.sasl != nil {
		statements = append(statements, selectVerifier)
	}
	column, err := b.run(until, statements...)
	if err == nil && b.sasl != nil {
		b.verifier, err = parseVerifier(column)
	}
	return err
}

// end closes backends in good order, and waits until they are gone, for as long as a reset may take:
// a database cannot be dropped before.
func end(backends ...*backend) {
	until := time.Now().Add(resetTime)
	for _, b := range backends {
		_ = b.conn.SetDeadline(until)
		_, _ = b.conn.Write(terminate)
	}
	for _, b := range backends {
		_, _ = io.Copy(io.Discard, b.conn)
		_ = b.conn.Close()
	}
}

// withKey returns what the server said to a startup, with another backend key in it.
func withKey(startup []byte, k key) []byte {
	out := make([]byte, 0, len(startup))
	for len(startup) > 0 {
		n, err := frame(startup)
		if err != nil || n == 0 || n > len(startup) {
			return append(out, startup...)
		}
		if startup[0] == 'K' {
			out = append(out, k.message()...)
		} else {
			out = append(out, startup[:n]...)
		}
		startup = startup[n:]
	}
	return slices.Clip(out)
}
