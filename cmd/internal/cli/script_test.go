package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
)

// TestScripts runs the command as its users do. Scripts know
//
//	$DSN          a server of their own run; a password is in it
//	$OLD          a DSN of a server that says it is PostgreSQL 13
//	$MODULE       the source tree, from which seeded faults can be built
//	$FAULTY       a worker with the seeded fault get-no-touch
//	$SELF         the command, which is a worker without it
//
// and, beside the usual commands, those below.
func TestScripts(t *testing.T) {
	server := openServer(t)
	module, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	fault, err := seeded.Get("get-no-touch")
	if err != nil {
		t.Fatal(err)
	}
	faulty, err := seeded.Build(t.Context(), seeded.BuildOptions{Fault: &fault})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"SELF": self, "DSN": server.DSN(), "OLD": oldServer(t), "MODULE": module, "FAULTY": faulty}
	// The go command, which builds faults, needs its caches and settings.
	for _, name := range []string{"HOME", "GOFLAGS", "GOPROXY", "GOCACHE", "GOMODCACHE", "GOPATH", "XDG_CACHE_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			vars[name] = v
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			for name, value := range vars {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "json": jsonField, "same": same, "keep": keep,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func openServer(t *testing.T) postgres.Server {
	t.Helper()
	server, _, err := postgres.Open(t.Context(), "auto", postgres.Settings{MaxConnections: 400}, postgres.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return server
}

// exits runs a program and wants an exit code: exits CODE PROGRAM [ARG…].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// jsonField reads a file (or stdout) as one JSON value and wants a field of it to match a regular expression:
// json FILE PATH REGEXP, with a path such as findings.0.repro or findings.len.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH REGEXP")
	}
	got, err := lookUp(decode(ts, args[0]), args[1])
	ts.Check(err)
	matched, err := regexp.MatchString("^(?:"+args[2]+")$", got)
	ts.Check(err)
	if matched == neg {
		ts.Fatalf("%s is %s", args[1], got)
	}
}

func decode(ts *testscript.TestScript, file string) (v any) {
	if err := json.Unmarshal([]byte(ts.ReadFile(file)), &v); err != nil {
		ts.Fatalf("%s: %v", file, err)
	}
	return v
}

func lookUp(v any, path string) (string, error) {
	for _, part := range strings.Split(path, ".") {
		ok := false
		switch at := v.(type) {
		case map[string]any:
			v, ok = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if part == "len" {
				v, ok = len(at), true
			} else if err == nil && i < len(at) {
				v, ok = at[i], true
			}
		}
		if !ok {
			return "", fmt.Errorf("%s: there is no %s in %v", path, part, v)
		}
	}
	return fmt.Sprint(v), nil
}

// same wants two files of JSON to agree in some fields, lists in any order: same FILE FILE PATH….
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: same FILE FILE PATH…")
	}
	a, b := decode(ts, args[0]), decode(ts, args[1])
	for _, path := range args[2:] {
		x, y := fieldsOf(a, path), fieldsOf(b, path)
		if len(x) == 0 || !reflect.DeepEqual(x, y) {
			ts.Fatalf("%s: %v and %v", path, x, y)
		}
	}
}

// fieldsOf returns the values at a path, with * for every element of a list, sorted.
func fieldsOf(v any, path string) []string {
	part, rest, deeper := strings.Cut(path, ".")
	var values []string
	switch at := v.(type) {
	case map[string]any:
		if next, ok := at[part]; ok && deeper {
			values = fieldsOf(next, rest)
		} else if ok {
			values = []string{fmt.Sprint(next)}
		}
	case []any:
		for _, e := range at {
			values = append(values, fieldsOf(e, rest)...)
		}
	}
	slices.Sort(values)
	return values
}

// keep writes what the last command printed to a file: keep FILE.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile("stdout")), 0o644))
}
