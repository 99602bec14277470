package reprotest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

const program = `program v1
max_projects 2
projects 2
sessions 1

setup
  #1 s0 index p0 rev=1 files=1
  #2 s0 index p1 rev=1 files=1
`

// backwards is a service of somebody's own: the reference service, but it lists its pools the other way
// round.
const backwards = `package repro_test

import (
	"context"
	"slices"

	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

type system struct {
	harness.System
	harness.StatsReporter
}

func (s system) Stats(ctx context.Context) (model.Stats, error) {
	st, err := s.StatsReporter.Stats(ctx)
	slices.Reverse(st.Pools)
	return st, err
}

func own() harness.Target {
	t := target.Codesearch()
	open := t.New
	t.New = func(ctx context.Context, env harness.Env) (harness.System, error) {
		sys, err := open(ctx, env)
		if err != nil {
			return nil, err
		}
		return system{sys, sys.(harness.StatsReporter)}, nil
	}
	return t
}
`

// TestInAModuleOfItsOwn writes tests as a finding's folder holds them into a module that requires this one,
// and runs them: on the reference service, which does not show it, on a service of somebody's own, which
// does, and before that one was named.
func TestInAModuleOfItsOwn(t *testing.T) {
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copied := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	requires := bytes.Replace(copied("go.mod"), []byte("module github.com/tenantstorm/tenantstorm\n"), []byte("module users.test/service\n"), 1)
	write("go.mod", append(requires, "\nrequire github.com/tenantstorm/tenantstorm v0.0.0\n\nreplace github.com/tenantstorm/tenantstorm => "+module+"\n"...))
	write("go.sum", copied("go.sum"))

	p, err := model.Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	v := check.Violation{Invariant: "lru", Kind: "order", Verb: "stats", Position: 2, Sentence: "the order is wrong"}
	test := func(target string) []byte {
		return report.Test(repro.New(repro.Meta{Target: target}, p, v, history.History{}))
	}
	write("builtin/repro_test.go", test("codesearch"))
	write("unnamed/repro_test.go", test("own"))
	named := bytes.Replace(test("own"), []byte("\nvar service harness.Target\n"), []byte("\nvar service harness.Target = own()\n"), 1)
	write("own/repro_test.go", named)
	write("own/own_test.go", []byte(backwards))

	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("every test passed")
	}
	for _, want := range []string{
		`(?m)^ok  \tusers\.test/service/builtin\t`,
		`(?m)^FAIL\tusers\.test/service/own\t`, `lru/order/stats, in 1 of 1 executions: at the end, stats: expected p1 p0`,
		`(?m)^FAIL\tusers\.test/service/unnamed\t`, `name the harness\.Target that your worker serves`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "SKIP") {
		t.Errorf("skipped:\n%s", out)
	}
}
