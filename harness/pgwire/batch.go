package pgwire

import "bytes"

// BatchKind says what a batch is.
type BatchKind uint8

// The kinds of batch.
const (
	Messages BatchKind = iota // messages after the startup, up to one that asks for an answer
	Startup                   // the first message of a connection
	Cancel                    // a CancelRequest, on a connection of its own
)

// Batch is what a client sends before it waits. Its Send may be called once, from any goroutine.
type Batch struct {
	Link *Link
	Kind BatchKind
	// Target, of a CancelRequest, is the connection whose statement is to be cancelled; nil if that is not
	// known any more.
	Target *Link

	data   []byte
	last   byte // the kind of the last message
	steps  int  // messages that will be answered one by one
	simple bool // it is a simple Query
	copied bool // it ends a COPY
}

// Text returns the batch's first statement or, where it has none, what it executes; for people.
func (b *Batch) Text() string {
	switch b.Kind {
	case Startup:
		return "startup" // the database's name may be another in each execution
	case Cancel:
		return "cancel request"
	}
	for rest := b.data; len(rest) >= headSize; {
		n, err := frame(rest)
		if err != nil || n > len(rest) {
			break
		}
		body := rest[headSize:n]
		switch rest[0] {
		case 'Q':
			return cString(body)
		case 'P':
			_, after, _ := bytes.Cut(body, []byte{0})
			return cString(after)
		case 'B':
			_, after, _ := bytes.Cut(body, []byte{0})
			return "execute " + cString(after)
		case 'c':
			return "end of copy"
		case 'f':
			return "copy failed"
		case 'S':
			return "sync"
		}
		rest = rest[n:]
	}
	return "messages"
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// Send sends the batch on. It does not wait for the answer.
func (b *Batch) Send() { b.Link.send(b) }

// add appends a message, and reports whether it ends the batch. The end of a COPY that an Execute began does
// not: the server answers it with what follows, up to a Sync or a Flush.
func (b *Batch) add(msg []byte, extended bool) (ends bool) {
	if len(b.data) == 0 {
		b.simple = msg[0] == 'Q'
	}
	b.data = append(b.data, msg...)
	b.last = msg[0]
	switch msg[0] {
	case 'P', 'B', 'D', 'E', 'C':
		b.steps++
	case 'c', 'f':
		b.steps++
		b.copied = true
		return !extended
	case 'Q', 'S', 'H', 'F':
		return true
	}
	return false
}
