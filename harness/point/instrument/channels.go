package instrument

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"

	"github.com/tenantstorm/tenantstorm/harness/point"
)

// send puts a point before a value is sent: behind the value's evaluation where that may take time and the value
// can be handed on with its type, before it otherwise.
func (r *rewriter) send(n *ast.SendStmt) {
	if r.takesTime(n.Value) && r.keepsType(n.Value) {
		r.via(n.Value, point.Send, n, false)
		return
	}
	r.via(n.Chan, point.Send, n, false)
}

// takesTime reports whether an expression calls or receives.
func (r *rewriter) takesTime(x ast.Expr) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			found = found || !r.pkg.info.Types[n.Fun].IsType()
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return found
}

// keepsType reports whether an expression has a type of its own, so that a generic function hands it on as it is.
func (r *rewriter) keepsType(x ast.Expr) bool {
	tv := r.pkg.info.Types[x]
	if tv.Value != nil || tv.IsNil() {
		return false
	}
	switch x := ast.Unparen(x).(type) {
	case *ast.UnaryExpr:
		return x.Op == token.AND || x.Op == token.ARROW
	case *ast.CallExpr, *ast.CompositeLit, *ast.TypeAssertExpr, *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr, *ast.SliceExpr:
		return true
	}
	return false
}

// selectStmt puts a point before a select: at the last of the channels that it evaluates on entry.
func (r *rewriter) selectStmt(n *ast.SelectStmt) {
	cases := 0
	var last ast.Stmt
	for _, s := range n.Body.List {
		if c := s.(*ast.CommClause); c.Comm != nil {
			cases, last = cases+1, c.Comm
			r.done[communication(c.Comm)] = true
		}
	}
	if cases > 1 {
		r.diverges(n, fmt.Sprintf("select among %d cases: the runtime draws one of those that are ready", cases))
	}
	if last == nil {
		return // it blocks for good, or has nothing but a default
	}
	switch c := communication(last).(type) {
	case *ast.SendStmt:
		r.via(c.Chan, point.Select, n, false)
	case *ast.UnaryExpr:
		r.via(c.X, point.Select, n, false)
	}
}

// communication returns the send statement or the receive expression of a case of a select.
func communication(s ast.Stmt) ast.Node {
	var x ast.Expr
	switch s := s.(type) {
	case *ast.SendStmt:
		return s
	case *ast.ExprStmt:
		x = s.X
	case *ast.AssignStmt:
		x = s.Rhs[0]
	}
	return ast.Unparen(x)
}

// rangeStmt puts a point before the first receive of a loop over a channel, and notes loops over maps.
func (r *rewriter) rangeStmt(n *ast.RangeStmt) {
	switch under(r.typeOf(n.X)).(type) {
	case *types.Chan:
		r.via(n.X, point.Receive, n, false)
		r.skip(n, "no point at the later receives of a loop over a channel")
	case *types.Map:
		if n.Key != nil {
			r.diverges(n, "loop over a map: the runtime draws the order")
		}
	}
}

// under returns what a type, or a type parameter's only possible type, is made of.
func under(t types.Type) types.Type {
	p, ok := types.Unalias(t).(*types.TypeParam)
	if !ok {
		return t.Underlying()
	}
	var core types.Type
	constraint, _ := p.Underlying().(*types.Interface)
	for i := range constraint.NumEmbeddeds() {
		switch e := types.Unalias(constraint.EmbeddedType(i)).(type) {
		case *types.Union:
			if e.Len() == 1 {
				core = e.Term(0).Type().Underlying()
			}
		default:
			if !types.IsInterface(e) {
				core = e.Underlying()
			}
		}
	}
	return core
}

// iterates notes the functions of package maps that hand out entries in an order of the runtime's.
func (r *rewriter) iterates(call *ast.CallExpr, fn *types.Func) {
	if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "maps" {
		return
	}
	switch fn.Name() {
	case "All", "Keys", "Values":
		r.diverges(call, "maps."+fn.Name()+": the runtime draws the order")
	}
}
