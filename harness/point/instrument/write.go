package instrument

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// writer makes one result.
type writer struct {
	store   store
	env     environment
	options Options
	result  Result
	overlay map[string][]byte // the contents of the overlay to start from
	// rewritten are the sources with points, by the path of the original.
	rewritten map[string][]byte
}

func (w *writer) write(ctx context.Context, key string) (Result, error) {
	w.rewritten = map[string][]byte{}
	p := plan{store: w.store, env: w.env, dir: w.options.Dir, patterns: w.options.Patterns, overlay: w.options.Overlay}
	defer p.end()
	if err := p.make(ctx, w.options.Tags); err != nil {
		return Result{}, err
	}
	if err := w.packages(ctx, &p); err != nil {
		return Result{}, err
	}
	return w.store.putResult(key, p.copies, func(temp, final string) (Result, error) { return w.emit(temp, final, &p) })
}

// packages loads and rewrites what is to be instrumented.
func (w *writer) packages(ctx context.Context, p *plan) error {
	var err error
	if w.overlay, err = readOverlay(p.overlay); err != nil {
		return err
	}
	l := loader{dir: p.dir, flags: slices.Concat(p.flags(), tagFlags(w.options.Tags)), overlay: w.overlay}
	pkgs, fset, err := l.load(ctx, loadMode, slices.Concat(p.patterns, []string{pointPath})...)
	if err != nil {
		return err
	}
	pkgs, err = withPoint(pkgs, slices.Contains(p.patterns, pointPath))
	if err != nil {
		return err
	}
	if err := broken(pkgs); err != nil {
		return err
	}
	for _, pkg := range pkgs {
		if why := refusePackage(pkg); why != "" {
			w.result.Refused = append(w.result.Refused, Note{Package: pkg.PkgPath, Text: "the package is left as it is: " + why})
			continue
		}
		w.rewrite(pkg, fset, l.sources)
	}
	if len(w.rewritten) == 0 {
		return fmt.Errorf("%w in %s%s", ErrNoPackages, strings.Join(w.options.Patterns, " "), because(w.result.Refused))
	}
	return nil
}

func because(notes []Note) string {
	var b strings.Builder
	for _, n := range notes {
		b.WriteString("\n\t" + n.String())
	}
	return b.String()
}

// withPoint checks that package point is there and returns the others, with it where it was asked for.
func withPoint(pkgs []*packages.Package, wanted bool) ([]*packages.Package, error) {
	i := slices.IndexFunc(pkgs, func(p *packages.Package) bool { return p.PkgPath == pointPath })
	if i < 0 || len(pkgs[i].GoFiles) == 0 {
		why := ""
		if i >= 0 {
			why = because(notesOf(pkgs[i : i+1]))
		}
		return nil, fmt.Errorf("%w; go get github.com/tenantstorm/tenantstorm%s", ErrNoPoint, why)
	}
	if wanted {
		return pkgs, nil
	}
	return slices.Delete(pkgs, i, i+1), nil
}

// rewrite puts points into a package's files.
func (w *writer) rewrite(pkg *packages.Package, fset *token.FileSet, sources map[string][]byte) {
	t := &target{path: pkg.PkgPath, info: pkg.TypesInfo, result: &w.result, naming: naming{names: map[ast.Node]string{}}}
	t.alias = unused(pkg.Syntax)
	parsed := map[string]*ast.File{}
	for _, f := range pkg.Syntax {
		parsed[fset.PositionFor(f.Package, false).Filename] = f
		t.naming.file(f)
	}
	for i, path := range pkg.GoFiles {
		f := parsed[path]
		at, why := token.Position{Filename: path}, ""
		if f == nil {
			// cgo writes a file of its own for each that imports C.
			at, why = cPosition(path), "it imports C"
		} else {
			at, why = refuseFile(fset, pkg, f)
		}
		if why != "" {
			w.result.Refused = append(w.result.Refused, Note{
				File: path, Line: at.Line, Column: at.Column, Package: pkg.PkgPath, Text: "the file is left as it is: " + why,
			})
			continue
		}
		r := rewriter{pkg: t, file: f, path: path, edits: edits{file: fset.File(f.Package)}, table: tableName(t.alias, i)}
		if out := r.rewrite(sources[path]); out != nil {
			w.rewritten[path] = out
			w.result.Sites = append(w.result.Sites, r.sites...)
		}
	}
}

func cPosition(path string) token.Position {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
	if err != nil {
		return token.Position{Filename: path}
	}
	return cImport(fset, f)
}

// unused returns a name that no identifier of a package begins with.
func unused(files []*ast.File) string {
	taken := ""
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && strings.HasPrefix(id.Name, "tspoint") && len(id.Name) > len(taken) {
				taken = id.Name
			}
			return true
		})
	}
	if taken == "" {
		return "tspoint"
	}
	return taken + "_"
}

// emit writes the result's files to temp, as they will be in final.
func (w *writer) emit(temp, final string, p *plan) (Result, error) {
	r := w.result
	r.Dir, r.Files = p.dir, map[string]string{}
	// Files of the overlay to start from belong to the caller, who may remove them.
	contents := maps.Clone(w.overlay)
	maps.Copy(contents, w.rewritten)
	replace := map[string]string{}
	for i, path := range slices.Sorted(maps.Keys(contents)) {
		name := fmt.Sprintf("%03d_%s", i, filepath.Base(path))
		if err := os.WriteFile(filepath.Join(temp, name), contents[path], 0o644); err != nil {
			return Result{}, fmt.Errorf("instrument: write the overlay: %w", err)
		}
		replace[path] = filepath.Join(final, name)
		if w.rewritten[path] != nil {
			r.Files[path] = replace[path]
		}
	}
	if err := p.writeModFile(temp); err != nil {
		return Result{}, err
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(temp, "overlay.json"), list, 0o644)
	}
	if err != nil {
		return Result{}, fmt.Errorf("instrument: write the overlay: %w", err)
	}
	r.OverlayFile = filepath.Join(final, "overlay.json")
	r.Flags = append([]string{"-overlay=" + r.OverlayFile}, tagFlags(w.options.Tags)...)
	if p.modFile != "" {
		r.Flags = append(r.Flags, "-modfile="+filepath.Join(final, modFileName))
	}
	return r, nil
}

func tagFlags(tags []string) []string {
	if len(tags) == 0 {
		return nil
	}
	return []string{"-tags=" + strings.Join(tags, ",")}
}
