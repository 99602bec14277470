package instrument

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// profile runs a module's tests and returns their coverage profile and what the go command says of it.
func profile(t *testing.T, r Result, args ...string) (blocks []string, said string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "profile")
	said = goCommand(t, r, "test", slices.Concat([]string{"-count=1", "-coverprofile=" + path}, args)...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks = strings.Split(string(data), "\n")
	slices.Sort(blocks)
	return blocks, said
}

// Coverage is counted in the same blocks, from the same line and column to the same, as often.
func TestCoverageIsTheOriginals(t *testing.T) {
	dir := module(t, "example.com/behaviour", map[string]string{
		"service/service.go": service,
		"service/service_test.go": `package service

import "testing"

func Test(t *testing.T) {
	s := New()
	if got := s.Do(func() int { return 1 }); got != 1 || s.Close() != 2 {
		t.Error(got)
	}
	defer func() { recover() }()
	Fail(make(chan int), "send")
}
`})
	want, _ := profile(t, Result{Dir: dir}, "./service")
	got, said := profile(t, write(t, Options{Dir: dir, Patterns: []string{"./service"}}), "./service")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-without points +with:\n%s", diff)
	}
	if !strings.Contains(said, "of statements") || len(got) < 10 {
		t.Errorf("%s\n%s", said, got)
	}
}

// The reference service passes its own tests with points, and is covered in the same blocks. Which of its error
// paths a run takes is chance, so how often is not compared.
func TestReferenceService(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a service's tests against a PostgreSQL")
	}
	const tests = "TestLRU|TestPool|TestLease|TestDrop|TestClose|TestSession|TestSearch"
	r := write(t, Options{Dir: root(t), Patterns: []string{"./fixtures/codesearch/..."}})
	if len(r.Refused) > 0 {
		t.Errorf("refused: %v", r.Refused)
	}
	want, _ := profile(t, Result{Dir: root(t)}, "-run", "^$", "./fixtures/codesearch")
	got, _ := profile(t, r, "-run", tests, "./fixtures/codesearch")
	if diff := cmp.Diff(places(want), places(got)); diff != "" {
		t.Errorf("-without points +with:\n%s", diff)
	}
	if slices.Equal(want, got) {
		t.Error("no test of the service ran")
	}
}

// places cuts the counts off a profile's blocks.
func places(blocks []string) []string {
	out := make([]string, len(blocks))
	for i, b := range blocks {
		out[i] = b[:max(strings.LastIndexByte(b, ' '), 0)]
	}
	return out
}
