package instrument

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sources are those of this package: what it writes changes with them.
//
//go:embed *.go
var sources embed.FS

// environment is what the go command says of itself in a directory.
type environment struct {
	GOVERSION, GOOS, GOARCH, GOFLAGS, GOEXPERIMENT, CGO_ENABLED string
	GOMOD, GOWORK, GOMODCACHE                                   string
}

func (e environment) workspace() bool { return e.GOWORK != "" && e.GOWORK != "off" }

func goEnv(ctx context.Context, dir string) (environment, error) {
	out, err := goOutput(ctx, dir, "env", "-json",
		"GOVERSION", "GOOS", "GOARCH", "GOFLAGS", "GOEXPERIMENT", "CGO_ENABLED", "GOMOD", "GOWORK", "GOMODCACHE")
	var env environment
	if err == nil {
		err = json.Unmarshal(out, &env)
	}
	if err != nil {
		return env, fmt.Errorf("instrument: ask for the go command's settings: %w", err)
	}
	if env.GOMODCACHE, err = filepath.EvalSymlinks(env.GOMODCACHE); errors.Is(err, fs.ErrNotExist) {
		env.GOMODCACHE, err = "", nil // nothing has been downloaded
	}
	if err != nil {
		return env, fmt.Errorf("instrument: find the module cache: %w", err)
	}
	return env, nil
}

// cacheKey names what a result depends on: the go command, this package, the options, and the sources of every
// module that does not lie in the module cache. The others are named by go.mod and go.sum.
func cacheKey(ctx context.Context, env environment, o Options) (string, error) {
	h := sha256.New()
	part(h, "env", fmt.Append(nil, env))
	part(h, "dir", []byte(o.Dir))
	part(h, "options", []byte(strings.Join(o.Patterns, "\n")+"\n\n"+strings.Join(o.Tags, "\n")))
	if err := hashTree(ctx, h, sources); err != nil {
		return "", err
	}
	for _, path := range slices.Sorted(maps.Keys(o.Overlay)) {
		data, err := os.ReadFile(o.Overlay[path])
		if err != nil {
			return "", fmt.Errorf("instrument: read the overlay's %s: %w", path, err)
		}
		part(h, path, data)
	}
	roots, err := localModules(ctx, env, o.Dir)
	if err != nil {
		return "", err
	}
	for _, root := range roots {
		part(h, "module", []byte(root))
		if err := hashTree(ctx, h, os.DirFS(root)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12]), nil
}

// localModules returns the directories of the modules whose sources may change: those that are built, and those
// that replace others.
func localModules(ctx context.Context, env environment, dir string) ([]string, error) {
	var roots []string
	add := func(base, path string) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
		if !slices.Contains(roots, path) {
			roots = append(roots, path)
		}
	}
	if env.workspace() {
		base := filepath.Dir(env.GOWORK)
		var work struct {
			Use     []struct{ DiskPath string }
			Replace []replacement
		}
		if err := goJSON(ctx, dir, &work, "work", "edit", "-json"); err != nil {
			return nil, err
		}
		for _, u := range work.Use {
			add(base, u.DiskPath)
		}
		for _, r := range work.Replace {
			if r.New.Version == "" {
				add(base, r.New.Path)
			}
		}
	} else if env.GOMOD != "" && env.GOMOD != os.DevNull {
		add("", filepath.Dir(env.GOMOD))
	}
	for _, root := range slices.Clone(roots) {
		var mod struct{ Replace []replacement }
		if err := goJSON(ctx, root, &mod, "mod", "edit", "-json", filepath.Join(root, "go.mod")); err != nil {
			return nil, err
		}
		for _, r := range mod.Replace {
			if r.New.Version == "" {
				add(root, r.New.Path)
			}
		}
	}
	return roots, nil
}

type replacement struct {
	New struct{ Path, Version string }
}

func goJSON(ctx context.Context, dir string, into any, args ...string) error {
	out, err := goOutput(ctx, dir, args...)
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		return fmt.Errorf("instrument: find the modules: %w", err)
	}
	return nil
}

// hashTree adds every source of a tree that can be instrumented or tell what something is.
func hashTree(ctx context.Context, h io.Writer, tree fs.FS) error {
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case base == "go.mod" || base == "go.sum":
		case !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go"):
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err == nil {
			part(h, name, data)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("instrument: hash the sources: %w", err)
	}
	return nil
}

// part adds a named piece so that no two lists of pieces add up to the same bytes.
func part(h io.Writer, name string, data []byte) {
	fmt.Fprintf(h, "%d %s %d\n", len(name), name, len(data))
	h.Write(data) //nolint:errcheck // a hash's Write returns no error
}

// GoCommand returns a go command that dies with ctx, its compilers and linkers with it.
func GoCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = 5 * time.Second // for a pipe that something outside the group keeps open
	return cmd
}

// goOutput runs a go command and returns what it prints.
func goOutput(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := GoCommand(ctx, dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
