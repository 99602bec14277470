package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFrame is the most bytes of JSON that a frame may hold.
const maxFrame = 64 << 20

// ErrFrame is what every [FrameError] is.
var ErrFrame = errors.New("not a frame of the worker protocol")

// FrameError says why bytes are not a frame. After one, nothing that follows on the same descriptor can
// be read.
type FrameError struct {
	Reason string
	Err    error // the cause; may be nil
}

func (e *FrameError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: %s: %v", ErrFrame, e.Reason, e.Err)
	}
	return fmt.Sprintf("%v: %s", ErrFrame, e.Reason)
}

// Unwrap makes errors.Is see ErrFrame and the cause.
func (e *FrameError) Unwrap() []error { return []error{ErrFrame, e.Err} }

// writeFrame writes a message with one Write. Where the message cannot be a frame the error is a
// *FrameError and nothing is written.
func writeFrame(w io.Writer, m message) error {
	if m.parts() != 1 {
		return &FrameError{Reason: fmt.Sprintf("%d messages at once", m.parts())}
	}
	var frame bytes.Buffer
	frame.Write(make([]byte, 4))
	if err := json.NewEncoder(&frame).Encode(m); err != nil {
		return &FrameError{Reason: "no JSON", Err: err}
	}
	size := frame.Len() - 4
	if size > maxFrame {
		return &FrameError{Reason: fmt.Sprintf("%d bytes where %d are allowed", size, maxFrame)}
	}
	binary.BigEndian.PutUint32(frame.Bytes(), uint32(size))
	_, err := w.Write(frame.Bytes())
	return err
}

// readFrame reads a message. At the end of r it returns io.EOF, within a frame io.ErrUnexpectedEOF, and
// a *FrameError for bytes that are no frame.
func readFrame(r io.Reader) (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return message{}, &FrameError{Reason: fmt.Sprintf("%d bytes where %d are allowed", size, maxFrame)}
	}
	// The buffer grows with what arrives: a length alone, perhaps a wrong one, costs no memory.
	var body bytes.Buffer
	if n, err := io.CopyN(&body, r, int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			return message{}, fmt.Errorf("%d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
		}
		return message{}, err
	}
	var m message
	if err := json.Unmarshal(body.Bytes(), &m); err != nil {
		return message{}, &FrameError{Reason: "bad JSON", Err: err}
	}
	if n := m.parts(); n != 1 {
		return message{}, &FrameError{Reason: fmt.Sprintf("%d messages at once", n)}
	}
	return m, nil
}
