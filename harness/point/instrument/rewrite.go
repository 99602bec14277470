package instrument

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"strconv"

	"github.com/tenantstorm/tenantstorm/harness/point"
)

// rewriter puts points into one file.
type rewriter struct {
	pkg    *target
	file   *ast.File
	path   string
	edits  edits
	sites  []point.Site
	counts map[siteKey]int
	// stack are the nodes around the one that is looked at.
	stack []ast.Node
	// done are constructs that the statement around them has taken care of.
	done  map[ast.Node]bool
	table string // the variable that holds the sites
}

type siteKey struct {
	function string
	kind     point.Kind
}

// rewrite returns the file with points, or nil if there are none.
func (r *rewriter) rewrite(src []byte) []byte {
	r.counts, r.done = map[siteKey]int{}, map[ast.Node]bool{}
	ast.PreorderStack(r.file, nil, func(n ast.Node, stack []ast.Node) bool {
		r.stack = stack
		if d, ok := n.(*ast.FuncDecl); ok {
			if why := untouchable(d); why != "" {
				r.refuse(d, "function "+r.pkg.naming.names[d]+" is left as it is: "+why)
				return false
			}
		}
		r.node(n)
		return true
	})
	if len(r.sites) == 0 {
		return nil
	}
	r.edits.insert(r.file.Name.End(), fmt.Sprintf("; import %s %q", r.pkg.alias, pointPath))
	out := named(r.path, r.edits.apply(src))
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(out, r.siteTable()...)
}

// named has the compiler, vet and cover call a source by the path of the original: overlaid or not, they are given
// another file to read.
func named(path string, src []byte) []byte {
	src, marked := bytes.CutPrefix(src, []byte(byteOrderMark))
	head := "//line " + path + ":1:1\n"
	if marked {
		head = byteOrderMark + head
	}
	return append([]byte(head), src...)
}

// byteOrderMark may only be the very first thing in a file.
const byteOrderMark = "\uFEFF"

func (r *rewriter) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		r.goStmt(n)
	case *ast.DeferStmt:
		r.deferStmt(n)
	case *ast.SelectStmt:
		r.selectStmt(n)
	case *ast.SendStmt:
		if !r.done[n] {
			r.send(n)
		}
	case *ast.RangeStmt:
		r.rangeStmt(n)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW && !r.done[n] {
			r.via(n.X, point.Receive, n, false)
		}
	case *ast.CallExpr:
		if !r.done[n] {
			r.call(n)
		}
	case *ast.SelectorExpr:
		r.value(n)
	}
}

// via puts a point between the evaluation of an operand and its use, by address where the use is by address.
func (r *rewriter) via(x ast.Expr, kind point.Kind, at ast.Node, address bool) {
	and := ""
	if address {
		and = "&"
	}
	r.edits.around(x.Pos(), x.End(), fmt.Sprintf("%s.Via(%s, %s", r.pkg.alias, r.site(kind, at), and), ")")
}

// site registers a point and returns the expression that names it.
func (r *rewriter) site(kind point.Kind, at ast.Node) string {
	function := "glob."
	if f := r.pkg.naming.enclosing(r.stack); f != nil {
		function = r.pkg.naming.names[f]
	}
	key := siteKey{function, kind}
	r.counts[key]++
	r.sites = append(r.sites, point.Site{
		Package: r.pkg.path, Func: function, Kind: kind, Ordinal: r.counts[key],
		File: filepath.Base(r.path), Line: r.edits.file.PositionFor(at.Pos(), false).Line,
	})
	return fmt.Sprintf("&%s[%d]", r.table, len(r.sites)-1)
}

// siteTable is the declaration that the calls point into. The compiler lays it out: it costs no start-up.
func (r *rewriter) siteTable() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\nvar %s = [...]%s.Site{\n", r.table, r.pkg.alias)
	for _, s := range r.sites {
		fmt.Fprintf(&b, "\t{Package: %q, Func: %q, Kind: %q, Ordinal: %d, File: %q, Line: %d},\n",
			s.Package, s.Func, s.Kind, s.Ordinal, s.File, s.Line)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func (r *rewriter) note(at ast.Node, text string) Note {
	p := r.edits.file.PositionFor(at.Pos(), false)
	return Note{File: r.path, Line: p.Line, Column: p.Column, Package: r.pkg.path, Text: text}
}

func (r *rewriter) refuse(at ast.Node, text string) {
	r.pkg.result.Refused = append(r.pkg.result.Refused, r.note(at, text))
}

func (r *rewriter) skip(at ast.Node, text string) {
	r.pkg.result.Skipped = append(r.pkg.result.Skipped, r.note(at, text))
}

func (r *rewriter) diverges(at ast.Node, text string) {
	r.pkg.result.Divergent = append(r.pkg.result.Divergent, r.note(at, text))
}

// typeOf returns an expression's type.
func (r *rewriter) typeOf(x ast.Expr) types.Type { return r.pkg.info.TypeOf(x) }

func tableName(prefix string, file int) string { return prefix + "Sites" + strconv.Itoa(file) }
