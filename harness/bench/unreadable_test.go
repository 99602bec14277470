package bench

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// refusing is a file system that one path of cannot be opened; permissions would not do, since root has them all.
type refusing struct {
	fs.FS
	path string
}

func (r refusing) Open(name string) (fs.File, error) {
	if name == r.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return r.FS.Open(name)
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	tree := fstest.MapFS{"a.go": {Data: []byte("package a")}, "sub/b.go": {Data: []byte("package b")}}
	for _, path := range []string{"a.go", "sub", "sub/b.go"} {
		_, err := readRepository(t.Context(), refusing{tree, path})
		if !errors.Is(err, ErrRepository) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readRepository(ctx, tree); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
