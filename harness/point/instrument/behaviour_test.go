package instrument

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// service is a package with one of everything that a schedule may want to stop at.
const service = `package service

import (
	"sync"
	"sync/atomic"
)

type Service struct {
	mu    sync.Mutex
	n     atomic.Int32
	ready chan struct{}
	turn  chan int
	wg    sync.WaitGroup
}

func New() *Service {
	s := &Service{ready: make(chan struct{}), turn: make(chan int, 1)}
	s.wg.Add(1)
	go s.reap()
	return s
}

func (s *Service) reap() {
	defer s.wg.Done()
	<-s.ready
	s.n.Add(1)
}

func (s *Service) Do(next func() int) (got int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn <- next()
	select {
	case got = <-s.turn:
	default:
	}
	done := make(chan struct{})
	go func() { defer close(done); s.n.Add(1) }()
	<-done
	return got
}

func (s *Service) Close() int32 {
	close(s.ready)
	s.wg.Wait()
	return s.n.Load()
}

func Fail(ch chan int, how string) {
	switch how {
	case "close": close(ch); close(ch)
	case "send": close(ch); ch <- len(how)
	case "nil": (*Service)(nil).mu.Lock()
	case "deferred": defer close(ch); close(ch)
	case "started":
		done := make(chan struct{})
		go func(how string) { defer close(done); panic(how) }(how)
		<-done
	case "callback":
		var once sync.Once
		once.Do(func() { var m map[string]int; m[how]++ })
	}
}
`

// What a gate would be told while a program runs: where, in which order, and for whom.
func TestPointsOfAProgram(t *testing.T) {
	dir := module(t, "example.com/behaviour", map[string]string{
		"service/service.go": service,
		"main.go": `package main

import (
	"fmt"
	"sync"

	"example.com/behaviour/service"
	"github.com/tenantstorm/tenantstorm/harness/point"
)

func main() {
	var mu sync.Mutex
	remove := point.Install(func(thread any, at *point.Site) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(thread, "|", at.Func, at.Kind, at.Ordinal, at.Line)
	})
	s := service.New()
	leave := point.Enter("#1")
	fmt.Println("got", s.Do(func() int { fmt.Println("next"); return 7 }))
	leave()
	fmt.Println("counted", s.Close())
	remove()
	s = service.New()
	fmt.Println("got", s.Do(func() int { return 8 }), "counted", s.Close())
}
`})
	r := write(t, Options{Dir: dir, Patterns: []string{"./service"}})
	t.Setenv("GOMAXPROCS", "1")
	got := strings.Split(goCommand(t, r, "run", "."), "\n")
	want := strings.Split(`<nil> | New wait-group 1 18
<nil> | New go 1 19
#1 | (*Service).Do before-lock 1 30
next
#1 | (*Service).Do send 1 32
#1 | (*Service).Do select 1 33
#1 | (*Service).Do go 1 38
#1 | (*Service).Do receive 1 39
background 1 of service.go:19 | (*Service).reap receive 1 25
#1 | (*Service).Do.func1 atomic 1 38
#1 | (*Service).Do.func1 before-close 1 38
#1 | (*Service).Do.func1 after-close 1 38
#1 | (*Service).Do after-unlock 1 31
got 7
<nil> | (*Service).Close before-close 1 44
<nil> | (*Service).Close after-close 1 44
<nil> | (*Service).Close wait-group 1 45
background 1 of service.go:19 | (*Service).reap atomic 1 26
background 1 of service.go:19 | (*Service).reap wait-group 1 24
<nil> | (*Service).Close atomic 1 46
counted 2
got 8 counted 2
`, "\n")
	// When the reaper first runs is the Go scheduler's affair.
	const early = "background 1 of service.go:19 | (*Service).reap receive 1 25"
	if diff := cmp.Diff(without(want, early), without(got, early)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func without(lines []string, line string) []string {
	var rest []string
	for _, l := range lines {
		if l != line {
			rest = append(rest, l)
		}
	}
	return rest
}

// A panic names the functions, files and lines that it names without points.
func TestStacksAreTheOriginals(t *testing.T) {
	dir := module(t, "example.com/behaviour", map[string]string{
		"service/service.go": service,
		"main.go":            "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/behaviour/service\"\n)\n\nfunc main() { service.Fail(make(chan int), os.Args[1]) }\n",
	})
	plain := Result{Dir: dir}
	points := write(t, Options{Dir: dir, Patterns: []string{"./service"}})
	before, after := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "points")
	goCommand(t, plain, "build", "-o", before, ".")
	goCommand(t, points, "build", "-o", after, ".")
	for _, how := range []string{"close", "send", "nil", "deferred", "started", "callback"} {
		want, got := frames(t, before, how), frames(t, after, how)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -without points +with:\n%s", how, diff)
		}
		if !strings.Contains(got, filepath.Join(dir, "service/service.go:")) {
			t.Errorf("%s: no line of the service in %q", how, got)
		}
	}
}

var address = regexp.MustCompile(`\(\S*0x[^)]*\)|\(\.\.\.\)| \+0x[0-9a-f]+|goroutine \d+|\{[^}]*\}| pc=0x[0-9a-f]+`)

// frames runs a program that panics and returns what it says, without addresses, the runtime's own frames, and
// those of package point, which may stand between a service and the runtime.
func frames(t *testing.T, program, how string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, how).CombinedOutput()
	if err == nil {
		t.Fatalf("%s did not fail", how)
	}
	lines := strings.Split(address.ReplaceAllString(string(out), ""), "\n")
	var kept []string
	for i := 0; i < len(lines); i++ {
		frame := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t")
		if frame && (strings.HasPrefix(lines[i], pointPath) || !strings.Contains(lines[i], "service") && !strings.HasPrefix(lines[i], "main.")) {
			i++
			continue
		}
		kept = append(kept, lines[i])
	}
	return strings.Join(kept, "\n")
}
