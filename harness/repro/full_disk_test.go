//go:build unix

package repro_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/repro"
)

const fullDiskDir = "TENANTSTORM_TEST_FULL_DISK"

// TestSaveOnFullDisk lets a write fail half-way. A limit on the size of files does that without the
// rights that a small file system takes; it is the whole process's, so a process of its own gets it.
func TestSaveOnFullDisk(t *testing.T) {
	if dir := os.Getenv(fullDiskDir); dir != "" {
		saveLimited(t, dir)
		return
	}
	dir := t.TempDir()
	old := sample(t)
	path, err := repro.SaveFolder(dir, repro.Name(old), old, nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(path, repro.FileName))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSaveOnFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), fullDiskDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSaveOnFullDisk") {
		t.Fatalf("%v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(path, repro.FileName))
	if err != nil || string(after) != string(before) {
		t.Errorf("the file that was there has changed: %v\n%s", err, after)
	}
	if names := files(t, dir); len(names) != 1 || names[0] != filepath.Base(path) {
		t.Errorf("left behind: %v", names)
	}
}

func saveLimited(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	r := sample(t)
	r.Meta.Seed = "another"
	if path, err := repro.SaveFolder(dir, repro.Name(r), r, nil); !errors.Is(err, syscall.EFBIG) || path != "" {
		t.Errorf("path %q, error %v, want %v", path, err, syscall.EFBIG)
	}
	if err := repro.WriteFile(filepath.Join(dir, repro.Name(r), repro.FileName), r); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error %v, want %v", err, syscall.EFBIG)
	}
}
