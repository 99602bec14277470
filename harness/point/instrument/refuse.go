package instrument

import (
	"go/ast"
	"go/token"
	"go/version"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// oldest is the version of the language that inserted calls are written in: they leave type arguments out.
const oldest = "go1.18"

// refusePackage says why a package is left as it is; "" if it is not.
func refusePackage(p *packages.Package) string {
	switch {
	case p.PkgPath == pointPath:
		return "it is what instrumented code calls"
	case p.Module == nil:
		return "it belongs to no module: the standard library, or files named one by one"
	case slices.ContainsFunc(p.GoFiles, func(f string) bool { return vendored(p, f) }):
		return "it is vendored"
	}
	return ""
}

func vendored(p *packages.Package, file string) bool {
	return strings.Contains(strings.TrimPrefix(file, p.Module.Dir), string([]rune{'/'})+"vendor/")
}

// refuseFile says why a file is left as it is, and where; "" if it is not.
func refuseFile(fset *token.FileSet, p *packages.Package, f *ast.File) (token.Position, string) {
	at := fset.PositionFor(f.Package, false)
	if ast.IsGenerated(f) {
		return at, "it is generated"
	}
	if v := p.TypesInfo.FileVersions[f]; v != "" && version.Compare(v, oldest) < 0 {
		return at, "it is written in " + v + "; inserted calls need " + oldest
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//line ") || strings.HasPrefix(c.Text, "/*line ") {
				return fset.PositionFor(c.Pos(), false), "it has a line directive of its own"
			}
		}
	}
	return token.Position{}, ""
}

// cImport is where a file imports C; the zero position if it does not.
func cImport(fset *token.FileSet, f *ast.File) token.Position {
	for _, i := range f.Imports {
		if i.Path.Value == `"C"` {
			return fset.PositionFor(i.Pos(), false)
		}
	}
	return token.Position{}
}

// untouchable says why a function is left as it is; "" if it is not.
func untouchable(d *ast.FuncDecl) string {
	if d.Doc == nil {
		return ""
	}
	for _, c := range d.Doc.List {
		directive, _, _ := strings.Cut(c.Text, " ")
		switch directive {
		case "//go:nosplit", "//go:systemstack", "//go:nowritebarrier", "//go:nowritebarrierrec":
			return "it says " + directive
		}
	}
	return ""
}
