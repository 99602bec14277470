package instrument

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is this module's directory.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree writes files to a directory of their own.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// module makes a module that requires this one, and what this one requires, by the same sums. A go.mod among the
// files is left alone.
func module(t testing.TB, path string, files map[string]string) string {
	t.Helper()
	sum, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"go.mod": goMod(t, path, "1.26.0"), "go.sum": string(sum)}
	for name, content := range files {
		all[name] = content
	}
	return tree(t, all)
}

// goMod returns a go.mod whose module requires this one.
func goMod(t testing.TB, path, version string) string {
	t.Helper()
	return "module " + path + "\n\ngo " + version + "\n\nrequire (\n" +
		"\tgithub.com/tenantstorm/tenantstorm v0.0.0\n\tgolang.org/x/sync v0.24.0\n)\n\n" +
		"replace github.com/tenantstorm/tenantstorm => " + root(t) + "\n"
}

// write instruments with a cache of the test's own, where the options name none.
func write(t testing.TB, o Options) Result {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	r, err := Write(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// goCommand runs a go command with a result's flags, and returns what it prints.
func goCommand(t testing.TB, r Result, command string, args ...string) string {
	t.Helper()
	args = slices.Concat([]string{command}, r.Flags, args)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = r.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
