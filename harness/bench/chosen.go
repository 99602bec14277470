package bench

import (
	"io"
	"io/fs"
	"slices"
)

// chosen is a repository of which only the files that were taken in can be seen.
type chosen struct{ repo *Repository }

func (c chosen) sees(name string) bool {
	_, file := slices.BinarySearch(c.repo.paths, name)
	return file || c.repo.dirs[name]
}

// Open opens a file that can be seen, or a directory.
func (c chosen) Open(name string) (fs.File, error) {
	if fs.ValidPath(name) && !c.sees(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := c.repo.root.Open(name)
	if err != nil || !c.repo.dirs[name] {
		return f, err
	}
	return &chosenDir{File: f, in: c, name: name}, nil
}

// ReadDir lists directories and what can be seen.
func (c chosen) ReadDir(name string) ([]fs.DirEntry, error) {
	if fs.ValidPath(name) && !c.sees(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	entries, err := fs.ReadDir(c.repo.root, name)
	return slices.DeleteFunc(entries, func(d fs.DirEntry) bool {
		path := d.Name()
		if name != "." {
			path = name + "/" + path
		}
		return !c.sees(path)
	}), err
}

// chosenDir is an open directory.
type chosenDir struct {
	fs.File
	in   chosen
	name string
	read bool
	rest []fs.DirEntry
}

// ReadDir returns the next n entries, or all that are left where n is not positive.
func (d *chosenDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		entries, err := d.in.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.read, d.rest = true, entries
	}
	if n <= 0 || n > len(d.rest) {
		if n > 0 && len(d.rest) == 0 {
			return nil, io.EOF
		}
		n = len(d.rest)
	}
	next := d.rest[:n:n]
	d.rest = d.rest[n:]
	return next, nil
}
