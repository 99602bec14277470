package repro

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const extension = ".txtar"

// FileName returns the name of the file that Save writes: the fingerprint, its slashes as dashes.
func FileName(r Repro) string {
	name := r.Fingerprint()
	if name == "" {
		name = partProgram
	}
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.':
			return c
		}
		return '-'
	}, name) + extension
}

// Save writes the repro into dir, which it makes if there is none, and returns the file's path. A file
// of the same name is replaced. Either the whole file is there afterwards or nothing has changed, also
// on a full disk.
func Save(dir string, r Repro) (string, error) {
	path := filepath.Join(dir, FileName(r))
	data := Format(r)
	if _, err := Parse(data); err != nil {
		return "", fmt.Errorf("save repro: it could not be read back: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("save repro: %w", err)
	}
	if err := write(dir, path, data); err != nil {
		return "", fmt.Errorf("save repro: %w", err)
	}
	return path, nil
}

// Visualization returns the path of the page that SaveVisualization wrote for the repro at path; "" where
// there is none.
func Visualization(path string) string {
	page := visualizationPath(path)
	if info, err := os.Stat(page); page == "" || err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return page
}

// visualizationPath is the repro's own with another ending; "" for what Save has not named.
func visualizationPath(path string) string {
	base, ok := strings.CutSuffix(path, extension)
	if !ok {
		return ""
	}
	return base + ".html"
}

// SaveVisualization puts a page of HTML beside the repro at path, whole or not at all. Without a page it
// removes the one of an earlier repro of that name.
func SaveVisualization(path string, page []byte) error {
	beside := visualizationPath(path)
	switch {
	case beside == "":
		return fmt.Errorf("save visualization: %s is not the name of a repro", filepath.Base(path))
	case len(page) == 0:
		if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("save visualization: %w", err)
		}
		return nil
	}
	if err := write(filepath.Dir(path), beside, page); err != nil {
		return fmt.Errorf("save visualization: %w", err)
	}
	return nil
}

// write puts data at path by way of a file beside it.
func write(dir, path string, data []byte) (err error) {
	f, err := os.CreateTemp(dir, ".repro-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the rename last. The file is in place by then, so what the directory's file system
// cannot do is no reason to fail.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // a directory that may be written but not read
	}
	_ = d.Sync()
	return d.Close()
}
