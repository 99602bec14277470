package harness_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// fake is a service that does nothing but what its script says, and keeps every call.
type fake struct {
	plain  bool // has none of the optional capabilities
	script map[string]func(context.Context) error

	mu    sync.Mutex
	calls []string
	envs  []harness.Env
	opens int
}

// on scripts a call, such as "s0 search p1", in every service that the target opens.
func (f *fake) on(call string, do func(context.Context) error) *fake {
	if f.script == nil {
		f.script = map[string]func(context.Context) error{}
	}
	f.script[call] = do
	return f
}

// call notes a call and does what is scripted for it. Where nothing is, it succeeds, whatever its context.
func (f *fake) call(ctx context.Context, format string, v ...any) error {
	call := fmt.Sprintf(format, v...)
	f.mu.Lock()
	f.calls = append(f.calls, call)
	do := f.script[call]
	f.mu.Unlock()
	if do != nil {
		return do(ctx)
	}
	return nil
}

func (f *fake) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, "; ")
}

func (f *fake) target() harness.Target {
	return harness.Target{Name: "fake", New: func(ctx context.Context, env harness.Env) (harness.System, error) {
		f.opens++
		f.envs = append(f.envs, env)
		if err := f.call(ctx, "open"); err != nil {
			return nil, err
		}
		if f.plain {
			return &plainSystem{fake: f}, nil
		}
		return &fullSystem{plainSystem{fake: f}}, nil
	}}
}

// plainSystem has what every service has.
type plainSystem struct {
	fake     *fake
	sessions int
}

func (s *plainSystem) Session(ctx context.Context) (harness.Session, error) {
	name := fmt.Sprintf("s%d", s.sessions)
	s.sessions++
	return fakeSession{s.fake, name}, s.fake.call(ctx, "session %s", name)
}

func (s *plainSystem) Close(ctx context.Context) error { return s.fake.call(ctx, "close") }

// fullSystem has every capability.
type fullSystem struct{ plainSystem }

func (s *fullSystem) Stats(ctx context.Context) (model.Stats, error) {
	return model.Stats{CacheHits: 7}, s.fake.call(ctx, "stats")
}

func (s *fullSystem) Drop(ctx context.Context, project string) error {
	return s.fake.call(ctx, "drop %s", project)
}

func (s *fullSystem) Hold(ctx context.Context, project string) (harness.Lease, error) {
	if err := s.fake.call(ctx, "hold %s", project); err != nil {
		return nil, err
	}
	return fakeLease{s.fake, project}, nil
}

type fakeSession struct {
	fake *fake
	name string
}

func (s fakeSession) Switch(ctx context.Context, project string) error {
	return s.fake.call(ctx, "%s switch %s", s.name, project)
}

// Index names in its call whose files it was given.
func (s fakeSession) Index(ctx context.Context, req harness.IndexRequest) error {
	content, err := fs.ReadFile(req.Repo, model.FilePath(0))
	if err != nil {
		return err
	}
	c := model.FindCanaries(string(content))[0]
	return s.fake.call(ctx, "%s index %s with %s %s", s.name, req.Project, c, req.Mode)
}

func (s fakeSession) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	return found, s.fake.call(ctx, "%s search %s", s.name, strings.TrimSpace(req.Project+" "+req.Query))
}

type fakeLease struct {
	fake    *fake
	project string
}

func (l fakeLease) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	return found, l.fake.call(ctx, "lease %s search %s", l.project, req.Query)
}

func (l fakeLease) Release(ctx context.Context) error {
	return l.fake.call(ctx, "lease %s release", l.project)
}

var found = []model.Match{{Path: "a.go", StartLine: 1, EndLine: 1, Content: "found"}}

var errBoom = errors.New("boom")

// fails is a script: an error, whatever the context.
func fails(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// heeds is a script of a call that waits until its context ends.
func heeds(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// ignores is a script of a call that does not care for its context. It comes back when the test is over.
func ignores(over <-chan struct{}) func(context.Context) error {
	return func(context.Context) error {
		<-over
		return nil
	}
}

func parse(t *testing.T, text string) model.Program {
	t.Helper()
	p, err := model.Parse("program v1\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asleep is a process in which only who looks runs. What the runtime does by itself would count on a fake
// clock, where no time passes in which it could end.
func asleep() (runnable, running, outside uint64) { return 0, 1, 0 }

// begin opens the fake for a program.
func begin(t *testing.T, f *fake, text string) *harness.Run {
	t.Helper()
	run, err := harness.Start(t.Context(), f.target(), harness.Env{}, parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	run.Glance(asleep)
	return run
}

// execute runs a program to its end on the fake.
func execute(t *testing.T, f *fake, text string) *harness.Run {
	t.Helper()
	run := begin(t, f, text)
	if err := run.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	return run
}

// outcomes says how the operations ended, as in "ok error:closed".
func outcomes(run *harness.Run) string {
	var words []string
	for _, e := range run.History.Entries {
		words = append(words, outcome(e))
	}
	return strings.Join(words, " ")
}

func outcome(e history.Entry) string {
	if e.Response.Error != model.NoError {
		return e.Response.Status.String() + ":" + string(e.Response.Error)
	}
	return e.Response.Status.String()
}

func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
