package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
)

// patience is how long anything here may take that is expected to come. It orders nothing.
const patience = time.Minute

// running is the command in a process of its own.
type running struct {
	*exec.Cmd
	stdout bytes.Buffer
	stderr *bufio.Reader
	said   bytes.Buffer // what was read of stderr
}

// start runs the command with its own session's signals out of the way.
func start(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r := &running{Cmd: exec.CommandContext(ctx, self, args...)}
	r.Args[0] = "tenantstorm" // what TestMain goes by
	r.Env = append(os.Environ(), env...)
	r.Dir = t.TempDir()
	r.Stdout = &r.stdout
	pipe, err := r.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stderr = bufio.NewReader(io.TeeReader(pipe, &r.said))
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// until reads stderr up to a line that matches.
func (r *running) until(t *testing.T, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for {
		line, err := r.stderr.ReadString('\n')
		if want.MatchString(line) {
			return
		}
		if err != nil {
			t.Fatalf("%v before %s:\n%s", err, pattern, r.said.String())
		}
	}
}

// end waits for the process, having read the rest of stderr.
func (r *running) end(t *testing.T) *os.ProcessState {
	t.Helper()
	_, _ = io.Copy(io.Discard, r.stderr)
	var exit *exec.ExitError
	if err := r.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.ProcessState
}

// children returns the ids of the processes that this one has started.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var found []int
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …; the name may hold anything.
		_, rest, _ := strings.Cut(string(data[max(0, bytes.LastIndexByte(data, ')')):]), " ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, id)
		}
	}
	return found
}

// gone waits until none of the processes is there.
func gone(t *testing.T, pids []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, pid := range pids {
		for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) && !zombie(pid) {
			select {
			case <-ctx.Done():
				t.Fatalf("process %d is still there", pid)
			case <-tick.C:
			}
		}
	}
}

// zombie says that a process has ended and nobody has asked for its status: in a container there may be no init to.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return bytes.HasPrefix(data[bytes.LastIndexByte(data, ')')+1:], []byte(" Z"))
}

// left returns the names of the databases of runs, and how many others are connected.
func left(t *testing.T, server postgres.Server) (databases []string, clients int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), `SELECT datname FROM pg_database WHERE datname ~ '^ts[0-9a-f]{8}_' ORDER BY 1`)
	if err == nil {
		databases, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err == nil {
		err = conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&clients)
	}
	if err != nil {
		t.Fatal(err)
	}
	return databases, clients
}

// nothingLeft wants no database and, as soon as the server has noticed, no client of a run.
func nothingLeft(t *testing.T, server postgres.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		databases, clients := left(t, server)
		if len(databases) > 0 {
			t.Fatalf("left behind: %v", databases)
		}
		if clients == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d clients are still connected", clients)
		case <-tick.C:
		}
	}
}

func TestInterruptEndsCleanly(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			server := openServer(t)
			r := start(t, nil, "storm", "--budget", "10m", "--seed", "1", "--workers", "2", "--json", "--postgres", server.DSN())
			r.until(t, `\d+\.\ds  [1-9]\d* cases?  `) // a line of progress: cases have been run
			workers := children(t, r.Process.Pid)
			if len(workers) == 0 {
				t.Fatal("no workers")
			}
			if err := r.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			state := r.end(t)
			var report struct {
				Verdict     string
				Executions  int
				Interrupted bool
			}
			if err := json.Unmarshal(r.stdout.Bytes(), &report); err != nil {
				t.Fatalf("%v\n%s%s", err, r.stdout.String(), r.said.String())
			}
			if !report.Interrupted || report.Executions == 0 || report.Verdict == "fail" {
				t.Errorf("%+v", report)
			}
			want := map[string]int{"pass": 0, "inconclusive": 3}[report.Verdict]
			if code := state.ExitCode(); code != want {
				t.Errorf("exit code %d, verdict %s\n%s", code, report.Verdict, r.said.String())
			}
			if !strings.Contains(r.said.String(), "interrupted: ending cleanly") {
				t.Errorf("the interrupt was not acknowledged:\n%s", r.said.String())
			}
			for _, pid := range workers {
				if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
					t.Errorf("worker %d is still there", pid)
				}
			}
			nothingLeft(t, server)
		})
	}
}

// TestSecondInterruptEndsAtOnce has a worker that does not end, so that ending cleanly takes long enough
// to be interrupted.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	server := openServer(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, []string{stubbornEnv + "=1"}, "storm", "--budget", "10m", "--workers", "1", "--worker", self, "--json", "--postgres", server.DSN())
	r.until(t, "^storm on ")
	workers := children(t, r.Process.Pid)
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	r.until(t, "interrupted: ending cleanly")
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	state := r.end(t)
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v\n%s", state, r.said.String())
	}
	// The report may have been printed before everything was taken down; half a one must not.
	if r.stdout.Len() > 0 && !json.Valid(r.stdout.Bytes()) {
		t.Errorf("stdout: %s", r.stdout.String())
	}
	gone(t, workers)
	// What is left on the server is swept by the next run.
	next := start(t, nil, "storm", "--cases", "1", "--seed", "1", "--json", "--postgres", server.DSN())
	next.end(t)
	nothingLeft(t, server)
}
