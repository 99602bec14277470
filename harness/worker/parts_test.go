package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
)

func TestTail(t *testing.T) {
	long := strings.Repeat("a line of output\n", 10_000)
	stacks := strings.Repeat("goroutine\n", 10_000)
	for _, c := range []struct {
		name, in string
		text     string // the end of what is kept; "=" and all of it
		crash    string // the beginning
	}{
		{"nothing", "", "=", ""},
		{"short", "one\ntwo", "=one\ntwo", ""},
		{"long", long + "end", "a line of output\nend", ""},
		{"a panic", "log\npanic: boom\n\ngoroutine 1\n", "=log\npanic: boom\n\ngoroutine 1\n", "panic: boom\n\ngoroutine 1\n"},
		{"a word in a line", "I say panic: no\n\tpanic: inner\n", "inner\n", ""},
		{"a panic before long stacks", "x\npanic: boom\n" + stacks, "goroutine\n", "panic: boom\ngoroutine\n"},
		{"the last of two", "panic: logged\nfatal error: real\nstack\n", "stack\n", "fatal error: real\nstack\n"},
		{"at once", "SIGQUIT: quit\nPC", "PC", "SIGQUIT: quit\nPC"},
		{"after a flood", long + "panic: boom\n", "panic: boom\n", "panic: boom\n"},
	} {
		for _, size := range []int{1, 3, 7, 1 << 20} {
			t.Run(fmt.Sprint(c.name, size), func(t *testing.T) {
				tl := newTail()
				for piece := range slices.Chunk([]byte(c.in), size) {
					_, _ = tl.Write(piece)
				}
				text, crash := tl.text(0), tl.announced()
				if all, ok := strings.CutPrefix(c.text, "="); ok && text != all || !ok && !strings.HasSuffix(text, c.text) {
					t.Errorf("text %q", text)
				}
				if len(text) > tailSize+10 || len(crash) > tailSize {
					t.Errorf("%d and %d bytes kept", len(text), len(crash))
				}
				if !strings.HasPrefix(crash, c.crash) || c.crash == "" && crash != "" {
					t.Errorf("crash %.50q", crash)
				}
			})
		}
	}
	t.Run("half a secret", func(t *testing.T) {
		tl := newTail()
		_, _ = tl.Write([]byte("secret" + strings.Repeat("x", tailSize-3)))
		if got := tl.text(len("secret")); strings.Contains(got, "ret") {
			t.Errorf("%.20q", got)
		}
	})
}

func TestLines(t *testing.T) {
	l := &lines{}
	for i := range 3000 {
		fmt.Fprintf(l, "line ")
		fmt.Fprintf(l, "%d\n", i)
	}
	fmt.Fprint(l, strings.Repeat("x", 2*maxLogLine))
	got := l.take()
	if len(got) != maxLogLines || got[maxLogLines-2] != "line 2999" || len(got[maxLogLines-1]) != maxLogLine {
		t.Errorf("%d lines, the last but one %q", len(got), got[len(got)-2])
	}
	if got := l.take(); len(got) != 0 {
		t.Errorf("taken twice: %q", got)
	}
}

func TestScrub(t *testing.T) {
	for _, c := range []struct{ dsn, in, want string }{
		{"postgres://u:pw%40x@h/db", "pw@x pw%40x pw", "*** *** pw"},
		{"postgresql://u:a:b@h:5432/db?sslmode=disable", "[a:b] postgresql://u:a:b@h", "[***] postgresql://u:***@h"},
		{"postgres://u@h/db?password=q%20r&x=1", "q r, q%20r, q+r", "***, ***, ***"},
		{"postgres://h/db?sslpassword=zzz", "zzz", "***"},
		{"host=h password=hunter2 dbname=d", "hunter2 on h", "*** on h"},
		{`host=h password = 'it\'s me' user=u`, `it's me or it\'s me, u`, "*** or ***, u"},
		{`password=a\ b host=h`, `a b, a\ b`, "***, ***"},
		{"postgres://u@h/db", "postgres://u@h/db", "postgres://u@h/db"},
		{"host=h", "h", "h"},
		{"host=/dev/shm/x1 port=5432", "dial unix /dev/shm/x1/.s.PGSQL.5432", "dial unix ***/.s.PGSQL.5432"},
		{"", "nothing", "nothing"},
		{"password='unfinished", "unfinished", "***"},
	} {
		if got := newScrubber(c.dsn, nil).text(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.dsn, got, c.want)
		}
	}
	if got := newScrubber("", []string{"PGPASSWORD=open sesame", "HOME=/root"}).text("open sesame /root"); got != "*** /root" {
		t.Errorf("from the environment: %q", got)
	}
	r := Report{Broken: "pw1", Log: []string{"pw1"},
		Verdict: check.Verdict{Results: []check.Result{{Note: "pw1", Violations: []check.Violation{{Sentence: "pw1", Evidence: []string{"pw1"}}}}}},
		History: history.History{Stacks: "pw1", Rest: &history.Rest{CloseError: "pw1", Leaks: []history.Leak{{Detail: "pw1"}}}}}
	newScrubber("password=pw1", nil).report(&r)
	if s := fmt.Sprintf("%+v %+v", r, r.History.Rest); strings.Contains(s, "pw1") {
		t.Error(s)
	}
}

// A parent that does not keep to the protocol.
func TestServeErrors(t *testing.T) {
	version := &VersionError{}
	for _, c := range []struct {
		name string
		send []message
		raw  string
		is   error
		as   any
	}{
		{name: "closed at once"},
		{name: "closed after the handshake", send: messages()[:1]},
		{name: "no hello", send: messages()[2:3], is: ErrFrame},
		{name: "two hellos", send: []message{messages()[0], messages()[0]}, is: ErrFrame},
		{name: "another version", send: []message{{Hello: &Hello{Protocol: 7}}}, as: &version},
		{name: "garbage", raw: "what?!", is: ErrFrame},
		{name: "cut off", send: messages()[:1], raw: "\x00\x00\x00\x09{", is: io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, parent, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for _, m := range c.send {
					_ = writeFrame(parent, m)
				}
				_, _ = io.WriteString(parent, c.raw)
				_ = parent.Close()
			}()
			err = serve(t.Context(), in, io.Discard, "fake", func(h Hello, log io.Writer) runner { return &fake{hello: h, log: log} })
			if c.is == nil && c.as == nil && err != nil || c.is != nil && !errors.Is(err, c.is) || c.as != nil && !errors.As(err, c.as) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		in, parent, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = parent.Close() }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = serve(ctx, in, io.Discard, "fake", func(h Hello, log io.Writer) runner { return &fake{hello: h, log: log} })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
