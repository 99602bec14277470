package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

// serveEnv has a process be a service: it holds the connection string of its database.
const serveEnv = "GATE_TEST_SERVE"

// serve is a service of its own process, over HTTP. /count adds one to a row, in two statements and under no lock: that is
// its fault. /locked does so under a mutex. It ends with its standard input.
func serve() int {
	pool, err := pgxpool.New(context.Background(), os.Getenv(serveEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	count := func(ctx context.Context) error {
		var n int
		if err := pool.QueryRow(ctx, "SELECT n FROM tally WHERE id = 0").Scan(&n); err != nil {
			return err
		}
		_, err := pool.Exec(ctx, "UPDATE tally SET n = $1 WHERE id = 0", n+1)
		return err
	}
	turn := make(chan struct{}, 1)
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	http.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) { answer(w, count(r.Context())) })
	http.HandleFunc("/locked", func(w http.ResponseWriter, r *http.Request) {
		turn <- struct{}{}
		defer func() { <-turn }()
		answer(w, count(r.Context()))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, nil) }() //nolint:gosec // a test's service, on loopback
	_, _ = io.Copy(io.Discard, os.Stdin)
	pool.Close()
	return 0
}

// service is a process that serves behind the stage's gate.
type service struct {
	url    string
	client http.Client
	end    func()
}

func (s *stage) process(t *testing.T) *service {
	t.Helper()
	dsn, err := s.Listen(shared.dsn)
	if err != nil {
		t.Fatal(err)
	}
	address, end := child(t, serveEnv+"="+dsn)
	return &service{url: "http://" + address, client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, end: end}
}

func (p *service) call(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return errors.Join(err, resp.Body.Close())
}

// elsewhere races two calls of a service in another process, and returns what the row says afterwards.
func elsewhere(t *testing.T, path string, schedule []model.Intervention, strategy model.Strategy) (out gate.Outcome, told string) {
	t.Helper()
	s := newStage(t)
	defer s.end()
	control(t, "TRUNCATE tally; INSERT INTO tally VALUES (0, 0)")
	p := s.process(t)
	defer p.end()
	var errs [2]error
	out = s.plan(gate.Plan{Schedule: schedule, Strategy: gate.NewStrategy(strategy)},
		s.op(1, func(ctx context.Context) { errs[0] = p.call(ctx, path) }),
		s.op(2, func(ctx context.Context) { errs[1] = p.call(ctx, path) }))
	ended(t, out)
	if !s.Settled() {
		t.Error("it is not told that the service is in another process")
	}
	return out, fmt.Sprint(errs, asked(t, "SELECT n FROM tally"))
}

// TestProcess finds a lost update in another process, replays the schedule that was realised, and shows that the same
// service under a lock of its own has none, though one of its operations waits where nobody can see it.
func TestProcess(t *testing.T) {
	const right, lost = "[<nil> <nil>] 2", "[<nil> <nil>] 1"
	if out, told := elsewhere(t, "/count", nil, model.Strategy{}); told != right {
		t.Fatalf("one after the other: %s\n%v", told, out.Steps)
	}
	schedule := at(t, "preempt #1 at message 3 to #2") // the first connection is prepared for by two messages
	var found []model.Intervention
	for seed := range uint64(30) {
		out, told := elsewhere(t, "/count", nil, model.Strategy{Kind: model.RandomWalk, Seed: seed})
		if told == lost {
			found = out.Realised
			break
		}
	}
	if found == nil {
		t.Fatalf("not found; by hand, %v, it would be", schedule)
	}
	first, told := elsewhere(t, "/count", found, model.Strategy{})
	if told != lost {
		t.Fatalf("replayed: %s\n%v\n%v", told, found, first.Steps)
	}
	for range 5 {
		again, told := elsewhere(t, "/count", found, model.Strategy{})
		if diff := cmp.Diff(first.Steps, again.Steps); diff != "" || told != lost {
			t.Errorf("replayed again: %s\nsteps (-first +this):\n%s", told, diff)
		}
	}
	for seed := range uint64(2) {
		if out, told := elsewhere(t, "/locked", nil, model.Strategy{Kind: model.RandomWalk, Seed: seed}); told != right {
			t.Errorf("under a lock, seed %d: %s\n%v", seed, told, out.Steps)
		}
	}
}

func TestListenAsksForPlainText(t *testing.T) {
	s := staged(t)
	for dsn, want := range map[string]error{
		"postgres://me@db.test/x?sslmode=require": gate.ErrTLS,
		"postgres://me@db.test/x?sslmode=prefer":  nil,
	} {
		if _, err := s.Listen(dsn); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dsn, err, want)
		}
	}
}
