package instrument

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// The same is made once; whatever has a say in it makes another.
func TestMadeOnce(t *testing.T) {
	dir := module(t, "example.com/once", map[string]string{"p/p.go": locks, "q/q.go": "package q\n"})
	o := Options{Dir: dir, Patterns: []string{"./..."}, CacheDir: filepath.Join(t.TempDir(), "made", "as needed")}
	first := write(t, o)
	if again := write(t, o); !reflect.DeepEqual(first, again) {
		t.Errorf("asked for again:\n%+v\nwas\n%+v", again, first)
	}
	seen := map[string]bool{first.OverlayFile: true}
	other := func(what string, o Options) Result {
		t.Helper()
		r := write(t, o)
		if seen[r.OverlayFile] {
			t.Errorf("%s: nothing was made anew", what)
		}
		seen[r.OverlayFile] = true
		return r
	}
	if err := os.WriteFile(filepath.Join(dir, "p", "p.go"), []byte(locks+"\nfunc Unlock() { Mu.Unlock() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := other("a source", o); len(r.Sites) != 2 {
		t.Errorf("points: %v", r.Sites)
	}
	tagged := o
	tagged.Tags = []string{"x"}
	other("a tag", tagged)
	narrow := o
	narrow.Patterns = []string{"./p"}
	other("a pattern", narrow)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod(t, "example.com/once", "1.26.1")), 0o644); err != nil {
		t.Fatal(err)
	}
	other("go.mod", o)
}

// An overlay to start from is instrumented, and kept whole: its files may go.
func TestOverlayIsIncluded(t *testing.T) {
	dir := module(t, "example.com/overlaid", map[string]string{
		"p/p.go":  locks,
		"main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/overlaid/p\"\n)\n\nfunc main() { p.Lock(); fmt.Println(p.Mu.TryLock(), word()) }\n",
		"word.go": "package main\n\nfunc word() string { return \"original\" }\n",
	})
	patch := tree(t, map[string]string{
		"p.go":    strings.Replace(locks, "Mu.Lock()", "Mu.Lock(); Mu.Unlock()", 1),
		"word.go": "package main\n\nfunc word() string { return said }\n",
		"new.go":  "package main\n\nconst said = \"patched\"\n",
	})
	overlay := map[string]string{
		filepath.Join(dir, "p/p.go"):  filepath.Join(patch, "p.go"),
		filepath.Join(dir, "word.go"): filepath.Join(patch, "word.go"),
		filepath.Join(dir, "new.go"):  filepath.Join(patch, "new.go"),
	}
	r := write(t, Options{Dir: dir, Patterns: []string{"./p"}, Overlay: overlay})
	if len(r.Sites) != 2 || len(r.Files) != 1 {
		t.Errorf("points %v in %v", r.Sites, r.Files)
	}
	if err := os.RemoveAll(patch); err != nil {
		t.Fatal(err)
	}
	if got, want := goCommand(t, r, "run", "."), "true patched\n"; got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
}

// Several at a time, for one cache, all get the same.
func TestMadeAtATime(t *testing.T) {
	dir := module(t, "example.com/many", map[string]string{"p/p.go": locks})
	o := Options{Dir: dir, Patterns: []string{"./..."}, CacheDir: t.TempDir()}
	results := make([]Result, 4)
	errs := make([]error, len(results))
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], errs[i] = Write(t.Context(), o) })
	}
	wg.Wait()
	for i, r := range results {
		if errs[i] != nil || !reflect.DeepEqual(r, results[0]) {
			t.Errorf("%d: %+v, %v", i, r, errs[i])
		}
	}
	left, err := filepath.Glob(filepath.Join(o.CacheDir, tempPrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCancelled(t *testing.T) {
	dir := module(t, "example.com/cancelled", map[string]string{"p/p.go": locks})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Write(ctx, Options{Dir: dir, Patterns: []string{"./..."}, CacheDir: t.TempDir()}); !errors.Is(err, cause) {
		t.Errorf("%v, want %v", err, cause)
	}
}

// What was asked for last stays, and so does what somebody may still be building with.
func TestPrune(t *testing.T) {
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	age := func(name string, by time.Duration) {
		t.Helper()
		dir := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Join(dir, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, now.Add(-by), now.Add(-by)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range kept {
		age(resultPrefix+string(rune('a'+i)), time.Duration(i)*time.Minute)
	}
	age(resultPrefix+"old", 2*keptAlways)
	age(modulePrefix+"old", 2*keptAlways) // the only one of its kind
	age(tempPrefix+"old", 2*keptAlways)
	age(tempPrefix+"new", time.Minute)
	age("foreign", 3*keptAlways)
	s.prune(now)
	for name, want := range map[string]bool{
		resultPrefix + "a": true, resultPrefix + "t": true, resultPrefix + "old": false, modulePrefix + "old": true,
		tempPrefix + "old": false, tempPrefix + "new": true, "foreign": true,
	} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}
