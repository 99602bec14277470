package instrument

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	kept         = 20        // results, and copies of modules, that were asked for last
	keptAlways   = time.Hour // whoever was given a result a moment ago may not have built with it yet
	resultPrefix = "result-"
	modulePrefix = "module-"
	tempPrefix   = "making-"
	resultFile   = "result.json"
)

// store is a folder of results, named by what they were made from, and of copies of modules. A folder's time of
// change is when it was last asked for.
type store struct{ dir string }

// stored is a result as it is written, with the copies that it cannot do without.
type stored struct {
	Result Result
	Copies []string
}

func openStore(dir string) (store, error) {
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return store{}, fmt.Errorf("instrument: find a place to keep results: %w", err)
		}
		dir = filepath.Join(user, "tenantstorm", "instrumented")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return store{}, fmt.Errorf("instrument: find a place to keep results: %w", err)
	}
	return store{dir}, nil
}

// asked notes that a folder was asked for; it reports whether it is there.
func (s store) asked(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// result returns what was made under a key, if it is there.
func (s store) result(key string) (Result, bool) {
	dir := filepath.Join(s.dir, resultPrefix+key)
	if !s.asked(dir) {
		return Result{}, false
	}
	data, err := os.ReadFile(filepath.Join(dir, resultFile))
	if err != nil {
		return Result{}, false
	}
	var r stored
	if json.Unmarshal(data, &r) != nil {
		return Result{}, false
	}
	for _, c := range r.Copies {
		if !s.asked(c) {
			return Result{}, false
		}
	}
	return r.Result, true
}

// putResult has emit write a result's files, and keeps them.
func (s store) putResult(key string, copies []string, emit func(temp, final string) (Result, error)) (Result, error) {
	var r Result
	_, err := s.put(resultPrefix+key, func(temp, final string) error {
		var err error
		if r, err = emit(temp, final); err != nil {
			return err
		}
		data, err := json.Marshal(stored{r, copies})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(temp, resultFile), data, 0o644)
	})
	return r, err
}

// module returns a copy of a module that lies in the module cache, where nothing ever changes.
func (s store) module(ctx context.Context, root, goMod string) (string, error) {
	sum := sha256.Sum256([]byte(root))
	name := fmt.Sprintf("%s%s-%x", modulePrefix, filepath.Base(root), sum[:6])
	if dir := filepath.Join(s.dir, name); s.asked(dir) {
		return dir, nil
	}
	dir, err := s.put(name, func(temp, _ string) error {
		if err := copyTree(ctx, root, temp); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(temp, "go.mod")); errors.Is(err, fs.ErrNotExist) {
			// A module of before modules: the go command has made one up, and keeps it elsewhere.
			return copyFile(goMod, filepath.Join(temp, "go.mod"))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("instrument: copy the module %s: %w", filepath.Base(root), err)
	}
	return dir, nil
}

// put has write fill a folder of its own, and gives that its name once it is whole. Where another process was
// faster its folder, which holds the same, stays.
func (s store) put(name string, write func(temp, final string) error) (dir string, err error) {
	final := filepath.Join(s.dir, name)
	temp, err := os.MkdirTemp(s.dir, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("instrument: make a place to write to: %w", err)
	}
	defer func() {
		if e := os.RemoveAll(temp); e != nil && err == nil {
			err = fmt.Errorf("instrument: remove what was made: %w", e)
		}
	}()
	if err := write(temp, final); err != nil {
		return "", err
	}
	if err := os.Rename(temp, final); err != nil && !s.asked(final) {
		return "", fmt.Errorf("instrument: keep what was made: %w", err)
	}
	s.prune(time.Now())
	return final, nil
}

// prune removes what nobody has asked for in a while, and what runs that were killed have left. What cannot be
// removed now will be another time.
func (s store) prune(now time.Time) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	type old struct {
		path string
		time time.Time
	}
	folders := map[string][]old{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		for _, prefix := range []string{resultPrefix, modulePrefix, tempPrefix} {
			if strings.HasPrefix(e.Name(), prefix) {
				folders[prefix] = append(folders[prefix], old{filepath.Join(s.dir, e.Name()), info.ModTime()})
			}
		}
	}
	for prefix, list := range folders {
		slices.SortFunc(list, func(a, b old) int { return cmp.Or(b.time.Compare(a.time), strings.Compare(a.path, b.path)) })
		for i, f := range list {
			if (i >= kept || prefix == tempPrefix) && now.Sub(f.time) >= keptAlways {
				_ = os.RemoveAll(f.path)
			}
		}
	}
}

// copyTree copies regular files, which may then be changed.
func copyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		target := moved(path, from, to)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
}
