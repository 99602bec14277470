package gate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
)

// The process that runs the tests must come to rest, which one that waits for a server it has started does
// not: so the first process starts the server, and the tests run in a second one.
const (
	dsnEnv  = "GATE_TEST_DSN"
	burnEnv = "GATE_TEST_BURN"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(serveEnv) != "":
		os.Exit(serve())
	case os.Getenv(burnEnv) != "":
		burn()
	case os.Getenv(dsnEnv) != "":
		os.Exit(tests(m))
	}
	code, err := started()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// started starts a server and runs the tests in a process of their own.
func started() (code int, err error) {
	ctx := context.Background()
	server, _, err := postgres.Open(ctx, "local", postgres.Settings{}, postgres.Options{})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop(ctx)) }()
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), dsnEnv+"="+postgres.QuickDSN(server))
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

func tests(m *testing.M) int {
	runtime.GOMAXPROCS(1)
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// burn keeps one core busy until standard input ends.
func burn() {
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	fmt.Println("busy")
	for n := 0; ; n++ {
		select {
		case <-over:
			os.Exit(0)
		default:
		}
	}
}

// burning keeps a core busy until the test ends.
func burning(t *testing.T) {
	t.Helper()
	_, end := child(t, burnEnv+"=1")
	t.Cleanup(end)
}

// child starts this binary once more, with a variable that says what it is to be, and returns the first line that it says
// and what ends it: it goes by its standard input.
func child(t *testing.T, variable string) (says string, end func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), variable), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
		t.Fatal(err)
	}
	return strings.TrimSpace(line), end
}
