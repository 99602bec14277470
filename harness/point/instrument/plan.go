package instrument

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// modFileName is what the go.mod that replaces modules by copies is called; its go.sum stands beside it.
const modFileName = "go.mod"

// plan is where packages are read from and built: in place, or in copies of modules that lie in the module cache,
// which the go command does not let be overlaid.
type plan struct {
	store    store
	env      environment
	dir      string
	patterns []string
	overlay  map[string]string
	copies   []string
	modFile  string // for as long as the plan is made; "": the module's own
	temp     string
}

// end removes what the plan needed while it was made.
func (p *plan) end() {
	if p.temp != "" {
		_ = os.RemoveAll(p.temp) // what is left will be removed another time
	}
}

// flags are those that loading needs.
func (p *plan) flags() []string {
	if p.modFile == "" {
		return nil
	}
	return []string{"-modfile=" + p.modFile}
}

// make copies the modules that have to be, and has what is named beneath them be named beneath the copies.
func (p *plan) make(ctx context.Context, tags []string) error {
	if err := p.copyMain(ctx); err != nil {
		return err
	}
	l := loader{dir: p.dir, flags: tagFlags(tags)}
	patterns := slices.Clone(p.patterns)
	for path := range p.overlay {
		if within(p.env.GOMODCACHE, path) {
			patterns = append(patterns, filepath.Dir(path))
		}
	}
	pkgs, _, err := l.load(ctx, packages.NeedName|packages.NeedFiles|packages.NeedModule, patterns...)
	if err != nil {
		return err
	}
	modules := map[string]*packages.Module{}
	for _, pkg := range pkgs {
		if m := pkg.Module; m != nil && m.Dir != "" && within(p.env.GOMODCACHE, m.Dir) {
			modules[m.Path] = m
		}
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		if err := p.replace(ctx, modules[path]); err != nil {
			return err
		}
	}
	return nil
}

// copyMain moves the plan to a copy of the module that is built, where it lies in the module cache itself.
func (p *plan) copyMain(ctx context.Context) error {
	if !within(p.env.GOMODCACHE, p.dir) || p.env.GOMOD == "" {
		return nil
	}
	root := filepath.Dir(p.env.GOMOD)
	dir, err := p.store.module(ctx, root, p.env.GOMOD)
	if err != nil {
		return err
	}
	p.move(root, dir)
	p.dir = moved(p.dir, root, dir)
	p.env.GOMOD = moved(p.env.GOMOD, root, dir)
	return nil
}

// replace has a copy stand for a module.
func (p *plan) replace(ctx context.Context, m *packages.Module) error {
	if p.env.workspace() {
		return fmt.Errorf("%w: %s", ErrWorkspace, m.Path)
	}
	dir, err := p.store.module(ctx, m.Dir, m.GoMod)
	if err != nil {
		return err
	}
	if err := p.openModFile(); err != nil {
		return err
	}
	old := m.Path
	if m.Version != "" {
		old += "@" + m.Version
	}
	if _, err := goOutput(ctx, p.dir, "mod", "edit", "-replace="+old+"="+dir, p.modFile); err != nil {
		return fmt.Errorf("instrument: replace %s by its copy: %w", m.Path, err)
	}
	p.move(m.Dir, dir)
	return nil
}

// move has what lies in one directory be looked for in another.
func (p *plan) move(from, to string) {
	p.copies = append(p.copies, to)
	overlay := map[string]string{}
	for path, with := range p.overlay {
		overlay[moved(path, from, to)] = with
	}
	p.overlay = overlay
	patterns := slices.Clone(p.patterns)
	for i, pattern := range patterns {
		patterns[i] = moved(pattern, from, to)
	}
	p.patterns = patterns
}

// openModFile makes a go.mod that may be changed.
func (p *plan) openModFile() error {
	if p.modFile != "" {
		return nil
	}
	var err error
	if p.temp, err = os.MkdirTemp(p.store.dir, tempPrefix); err == nil {
		p.modFile = filepath.Join(p.temp, modFileName)
		err = copyFile(p.env.GOMOD, p.modFile)
	}
	if err == nil {
		err = copyFile(sumOf(p.env.GOMOD), sumOf(p.modFile))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("instrument: copy go.mod: %w", err)
	}
	return nil
}

// writeModFile keeps the changed go.mod, and its go.sum, in a directory.
func (p *plan) writeModFile(dir string) error {
	if p.modFile == "" {
		return nil
	}
	kept := filepath.Join(dir, modFileName)
	err := copyFile(p.modFile, kept)
	if err == nil {
		err = copyFile(sumOf(p.modFile), sumOf(kept))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("instrument: keep go.mod: %w", err)
	}
	return nil
}

func sumOf(modFile string) string { return strings.TrimSuffix(modFile, ".mod") + ".sum" }

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// within reports whether a path is a directory or lies beneath it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(cmp.Or(dir, string(filepath.Separator)+"none"), path)
	return err == nil && filepath.IsAbs(path) && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// moved returns where a path lies when what is beneath from lies beneath to.
func moved(path, from, to string) string {
	if !within(from, path) {
		return path
	}
	rel, err := filepath.Rel(from, path)
	if err != nil {
		return path
	}
	return filepath.Join(to, rel)
}
