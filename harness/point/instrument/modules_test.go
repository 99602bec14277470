package instrument

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// downloaded makes a module that requires another one, which lies in a module cache of its own. It returns the
// directories of both.
func downloaded(t *testing.T) (dir, service string) {
	t.Helper()
	const path, version = "example.com/svc", "v1.0.0"
	files := map[string]string{
		"go.mod":      goMod(t, path, "1.26.0"),
		"svc.go":      "package svc\n\nimport \"sync\"\n\nvar mu sync.Mutex\n\nfunc Name() string {\n\tmu.Lock()\n\tdefer mu.Unlock()\n\treturn \"original\"\n}\n",
		"cmd/main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/svc\"\n)\n\nfunc main() { fmt.Println(svc.Name()) }\n",
	}
	proxy := tree(t, map[string]string{
		path + "/@v/list":                 version + "\n",
		path + "/@v/" + version + ".info": `{"Version":"` + version + `"}`,
		path + "/@v/" + version + ".mod":  files["go.mod"],
	})
	archive, err := os.Create(filepath.Join(proxy, path, "@v", version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	z := zip.NewWriter(archive)
	for name, content := range files {
		f, err := z.Create(path + "@" + version + "/" + name)
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	cache := tree(t, nil)
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", path)
	t.Setenv("GOFLAGS", "-modcacherw -buildvcs=false")
	dir = tree(t, map[string]string{
		"go.mod":  "module example.com/user\n\ngo 1.26.0\n\nrequire (\n\t" + path + " " + version + "\n\tgithub.com/tenantstorm/tenantstorm v0.0.0\n)\n\nreplace github.com/tenantstorm/tenantstorm => " + root(t) + "\n",
		"main.go": files["cmd/main.go"],
	})
	goCommand(t, Result{Dir: dir}, "mod", "download", path)
	return dir, filepath.Join(cache, path+"@"+version)
}

// patched is an overlay, as a seeded fault makes it, of the downloaded service.
func patched(t *testing.T, service string) map[string]string {
	t.Helper()
	original, err := os.ReadFile(filepath.Join(service, "svc.go"))
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, map[string]string{"patched.go": strings.ReplaceAll(string(original), "original", "patched")})
	return map[string]string{filepath.Join(service, "svc.go"): filepath.Join(dir, "patched.go")}
}

// A module of the module cache is replaced by a copy, and an overlay of it becomes one of the copy.
func TestModuleOfTheCache(t *testing.T) {
	dir, service := downloaded(t)
	cache := t.TempDir()
	for want, overlay := range map[string]map[string]string{"original\n": nil, "patched\n": patched(t, service)} {
		r := write(t, Options{Dir: dir, Patterns: []string{"example.com/svc"}, Overlay: overlay, CacheDir: cache})
		if len(r.Sites) != 2 || r.Sites[0].Package != "example.com/svc" {
			t.Errorf("points: %v", r.Sites)
		}
		if got := goCommand(t, r, "run", "."); got != want {
			t.Errorf("the program prints %q, want %q", got, want)
		}
		if list := goCommand(t, r, "list", "-f", "{{.Dir}}", "example.com/svc"); strings.TrimSpace(list) == service {
			t.Error("the build reads the module cache")
		}
	}
}

// The patched module need not be the instrumented one.
func TestOverlayOfTheCacheAlone(t *testing.T) {
	dir, service := downloaded(t)
	if err := os.WriteFile(filepath.Join(dir, "lock.go"), []byte("package main\n\nimport \"sync\"\n\nfunc init() { new(sync.Mutex).Lock() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := write(t, Options{Dir: dir, Patterns: []string{"."}, Overlay: patched(t, service)})
	if len(r.Sites) != 1 || r.Sites[0].Func != "init.0" {
		t.Errorf("points: %v", r.Sites)
	}
	if got := goCommand(t, r, "run", "."); got != "patched\n" {
		t.Errorf("the program prints %q, want the patched module's", got)
	}
}

// The module that is built may lie in the module cache itself, as tenantstorm's own does where it was downloaded.
func TestMainModuleOfTheCache(t *testing.T) {
	_, service := downloaded(t)
	r := write(t, Options{Dir: filepath.Join(service, "cmd"), Patterns: []string{".."}, Overlay: patched(t, service)})
	if len(r.Sites) != 2 {
		t.Errorf("points: %v", r.Sites)
	}
	if within(filepath.Dir(service), r.Dir) || filepath.Base(r.Dir) != "cmd" {
		t.Errorf("to be built in %s", r.Dir)
	}
	if got := goCommand(t, r, "run", "."); got != "patched\n" {
		t.Errorf("the program prints %q, want the patched module's", got)
	}
}

func TestWorkspace(t *testing.T) {
	dir, _ := downloaded(t)
	if err := os.WriteFile(filepath.Join(dir, "go.work"), []byte("go 1.26.0\n\nuse .\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Patterns: []string{"example.com/svc"}, CacheDir: t.TempDir()}
	if _, err := Write(t.Context(), o); !errors.Is(err, ErrWorkspace) {
		t.Errorf("%v, want ErrWorkspace", err)
	}
	t.Setenv("GOWORK", "off")
	if r := write(t, o); len(r.Sites) != 2 {
		t.Errorf("points without the workspace: %v", r.Sites)
	}
}
