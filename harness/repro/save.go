package repro

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of a folder. Only the first is read; the others are for people and for go test.
const (
	FileName     = "repro.txtar"
	BugName      = "BUG.md"
	TimelineName = "timeline.svg"
	TestName     = "repro_test.go"
	PageName     = "visualization.html" // where the violation is of an order
)

var fileNames = []string{FileName, BugName, TimelineName, TestName, PageName}

const extension = ".txtar" // of a repro that stands alone

// File is a file of a folder, beside the repro itself.
type File struct {
	Name string
	Data []byte
}

// Name returns what a folder for the repro is called: the fingerprint, its slashes as dashes.
func Name(r Repro) string {
	name := r.Fingerprint()
	if name == "" {
		name = partProgram
	}
	name = strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.':
			return c
		}
		return '-'
	}, name)
	return strings.TrimLeft(name, "._") // hidden folders, and those of a dot or an underscore, go test passes over
}

// WriteFile writes the repro alone to a file, in place of what was there: whole or not at all, also on a
// full disk.
func WriteFile(path string, r Repro) error {
	data, err := checked(r)
	if err == nil {
		err = write(filepath.Dir(path), path, data)
	}
	if err != nil {
		return fmt.Errorf("save repro: %w", err)
	}
	return nil
}

// checked is the repro as a file that can be read back.
func checked(r Repro) ([]byte, error) {
	data := Format(r)
	if _, err := Parse(data); err != nil {
		return nil, fmt.Errorf("it could not be read back: %w", err)
	}
	return data, nil
}

// others is how many folders of one name there may be that must not be replaced.
const others = 1000

// SaveFolder writes the repro, with files beside it, as a folder of this name into dir, which it makes if
// there is none. It returns the folder's path. A folder that SaveFolder wrote is replaced; where something
// else has the name, the new folder's has a number. Either the whole folder is there afterwards or nothing
// has changed, also on a full disk.
func SaveFolder(dir, name string, r Repro, beside []File) (string, error) {
	data, err := checked(r)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("save repro: %w", err)
	}
	path, err := writeFolder(dir, name, append([]File{{FileName, data}}, beside...))
	if err != nil {
		return "", fmt.Errorf("save repro: %w", err)
	}
	return path, nil
}

// writeFolder writes the files by way of a folder beside the one that is wanted.
func writeFolder(dir, name string, files []File) (path string, err error) {
	made, err := os.MkdirTemp(dir, ".repro-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(made))
		}
	}()
	for _, f := range files {
		if !slices.Contains(fileNames, f.Name) {
			return "", fmt.Errorf("%q is no file of a repro's folder", f.Name)
		}
		if err := write(made, filepath.Join(made, f.Name), f.Data); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return "", err
	}
	for i := range others {
		path = filepath.Join(dir, name)
		if i > 0 {
			path = fmt.Sprintf("%s-%d", path, i+1)
		}
		done, err := put(made, path)
		if done || err != nil {
			return path, errors.Join(err, syncDir(dir))
		}
	}
	return "", fmt.Errorf("%s: %w, and so are %d more", filepath.Join(dir, name), fs.ErrExist, others-1)
}

// put renames a folder that was made to the path that is wanted, unless somebody else's is there. What is
// replaced is moved away before: a rename cannot replace a folder that holds something.
func put(made, path string) (done bool, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return true, os.Rename(made, path)
	}
	if !Folder(path) {
		return false, nil
	}
	old := made + ".old"
	if err := os.Rename(path, old); err != nil {
		return false, err
	}
	if err := os.Rename(made, path); err != nil {
		return false, errors.Join(err, os.Rename(old, path))
	}
	return true, os.RemoveAll(old)
}

// Folder reports whether there is a repro's folder at a path, and nothing in it that SaveFolder would not
// have written.
func Folder(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	entries, err := os.ReadDir(path)
	ours := err == nil
	has := false
	for _, e := range entries {
		ours = ours && e.Type().IsRegular() && slices.Contains(fileNames, e.Name())
		has = has || e.Name() == FileName
	}
	return ours && has
}

// Visualization returns the path of the page that was written with the repro at a path, be it a folder, the
// file in it, or a file alone; "" where there is none.
func Visualization(path string) string {
	page := ""
	switch base, alone := strings.CutSuffix(path, extension); {
	case path == "":
	case filepath.Base(path) == FileName:
		page = filepath.Join(filepath.Dir(path), PageName)
	case alone:
		page = base + ".html" // as versions before folders wrote them
	default:
		page = filepath.Join(path, PageName)
	}
	if info, err := os.Stat(page); page == "" || err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return page
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
