package instrument

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

// target is a package that is instrumented.
type target struct {
	path   string
	info   *types.Info
	naming naming
	alias  string // what its files call package point
	result *Result
}

// loader reads packages.
type loader struct {
	dir     string
	flags   []string
	overlay map[string][]byte

	mu      sync.Mutex
	sources map[string][]byte // as they were parsed
}

// loadMode is what a rewriting needs of its packages; of what they import, the compiler's summary will do.
const loadMode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
	packages.NeedModule | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo

func (l *loader) load(ctx context.Context, mode packages.LoadMode, patterns ...string) ([]*packages.Package, *token.FileSet, error) {
	fset := token.NewFileSet()
	l.sources = map[string][]byte{}
	pkgs, err := packages.Load(&packages.Config{
		Context: ctx, Dir: l.dir, BuildFlags: l.flags, Mode: mode, Fset: fset, Overlay: l.overlay,
		ParseFile: func(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
			l.mu.Lock()
			l.sources[name] = src
			l.mu.Unlock()
			return parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		},
	}, patterns...)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("instrument: load packages: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("instrument: load packages: %w", err)
	}
	slices.SortFunc(pkgs, func(a, b *packages.Package) int { return cmp.Compare(a.PkgPath, b.PkgPath) })
	return pkgs, fset, nil
}

// broken returns what is wrong with packages; nil if nothing is.
func broken(pkgs []*packages.Package) error {
	if notes := notesOf(pkgs); notes != nil {
		return &PackageError{notes}
	}
	return nil
}

// notesOf returns the errors of packages.
func notesOf(pkgs []*packages.Package) []Note {
	var notes []Note
	for _, p := range pkgs {
		for _, e := range p.Errors {
			n := Note{Package: p.PkgPath, Text: e.Msg}
			n.File, n.Line, n.Column = splitPosition(e.Pos)
			if !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	return notes
}

// splitPosition takes file:line:column apart.
func splitPosition(pos string) (file string, line, column int) {
	if pos == "" || pos == "-" {
		return "", 0, 0
	}
	rest, last, ok := cutLast(pos)
	if !ok {
		return pos, 0, 0
	}
	if before, middle, ok := cutLast(rest); ok {
		return before, middle, last
	}
	return rest, last, 0
}

func cutLast(s string) (before string, n int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	n, err := strconv.Atoi(s[i+1:])
	return s[:i], n, err == nil
}

// readOverlay returns the contents of the files that stand for others.
func readOverlay(replace map[string]string) (map[string][]byte, error) {
	contents := map[string][]byte{}
	for path, with := range replace {
		data, err := os.ReadFile(with)
		if err != nil {
			return nil, fmt.Errorf("instrument: read the overlay's %s: %w", path, err)
		}
		contents[path] = data
	}
	return contents, nil
}
