package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
)

// messages are one of each kind.
func messages() []message {
	return []message{
		{Hello: &Hello{Protocol: Protocol, DSN: fakeDSN, Prefix: "x_", Log: true}},
		{Ready: &Ready{Protocol: Protocol, Target: "fake", GoVersion: "go1.26", PgxVersion: "v5", Pid: 1}},
		{Case: &Case{ID: 3, Program: "program v1\n", Fresh: true}},
		{Taken: &taken{ID: 3}},
		{Begin: &begin{ID: 3, Op: fakeSearch, Audit: true, Start: time.Millisecond}},
		{Report: &Report{ID: 3, Verdict: check.Verdict{Status: check.Pass}, History: history.History{Stacks: "…\x00"}, Log: []string{"a"}}},
	}
}

func frame(body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
}

func TestFrameRoundTrip(t *testing.T) {
	var all bytes.Buffer
	for _, m := range messages() {
		if err := writeFrame(&all, m); err != nil {
			t.Fatal(err)
		}
	}
	r := iotest.OneByteReader(&all)
	for _, want := range messages() {
		got, err := readFrame(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported()); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := readFrame(r); err != io.EOF { //nolint:errorlint // at the end it is io.EOF itself
		t.Error("at the end:", err)
	}
}

func TestBadFrames(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		is          error
	}{
		{"truncated length", "\x00\x00", io.ErrUnexpectedEOF},
		{"truncated body", frame(`{"taken":{"id":1}}`)[:9], io.ErrUnexpectedEOF},
		{"no body", "\x00\x00\x00\x05", io.ErrUnexpectedEOF},
		{"empty", "\x00\x00\x00\x00", ErrFrame},
		{"oversize", "\x04\x00\x00\x01", ErrFrame},
		{"text", "panic: this is not a frame", ErrFrame},
		{"bad JSON", frame(`{"taken":`), ErrFrame},
		{"another type", frame(`{"taken":[]}`), ErrFrame},
		{"not an object", frame(`7`), ErrFrame},
		{"null", frame(`null`), ErrFrame},
		{"nothing known", frame(`{"greetings":{}}`), ErrFrame},
		{"two at once", frame(`{"taken":{"id":1},"case":{"id":1}}`), ErrFrame},
		{"two documents", frame(`{"taken":{"id":1}} {}`), ErrFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			if m, err := readFrame(strings.NewReader(c.bytes)); !errors.Is(err, c.is) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	var out bytes.Buffer
	for _, m := range []message{{}, {Taken: &taken{}, Case: &Case{}}, {Case: &Case{Program: strings.Repeat("x", maxFrame)}}} {
		if err := writeFrame(&out, m); !errors.Is(err, ErrFrame) || out.Len() > 0 {
			t.Errorf("written in spite of it: %v, %d bytes", err, out.Len())
		}
	}
	// The largest length there may be costs no memory by itself.
	if n := testing.AllocsPerRun(1, func() { _, _ = readFrame(strings.NewReader("\x04\x00\x00\x00")) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzFrame: whatever comes is a message or an error, and a message survives being sent on.
func FuzzFrame(f *testing.F) {
	for _, m := range messages() {
		var b bytes.Buffer
		if err := writeFrame(&b, m); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("\x00\x00\x00\x04null"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readFrame(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := writeFrame(&first, m); err != nil {
			t.Fatal("write:", err)
		}
		again, err := readFrame(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatal("read again:", err)
		}
		if err := writeFrame(&second, again); err != nil {
			t.Fatal("write again:", err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("%s became %s", first.Bytes(), second.Bytes())
		}
	})
}
