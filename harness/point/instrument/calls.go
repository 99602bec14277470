package instrument

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"

	"github.com/tenantstorm/tenantstorm/harness/point"
)

// call puts a point at a call that is neither started as a goroutine nor deferred.
func (r *rewriter) call(call *ast.CallExpr) {
	if builtin(r.pkg.info, call) == "close" {
		r.closeCall(call)
		return
	}
	fn, receiver, sel := callee(r.pkg.info, call)
	r.iterates(call, fn)
	op, ok := classify(fn, receiver)
	if !ok {
		return
	}
	if sel != nil {
		r.done[sel] = true
	}
	if r.methodExpr(sel) {
		r.skip(call, fmt.Sprintf("no point at %s: it is called through a method expression", fn.Name()))
		return
	}
	if last := r.working(call); last != nil && op.kind == point.Atomic {
		// n.Store(n.Load() + 1): what is between the two is what goes wrong.
		r.via(last, op.kind, call, false)
		return
	}
	switch op.shape {
	case viaReceiver:
		r.via(sel.X, op.kind, call, r.byAddress(sel.X))
	case viaArgument:
		if !r.single(call.Args) {
			r.skip(call, fmt.Sprintf("no point at %s: its arguments are another call's results", fn.Name()))
			return
		}
		r.via(call.Args[0], op.kind, call, false)
	case afterCall:
		r.hand("After", op.kind, call)
	case startsArgument:
		if !r.single(call.Args) || r.inferred(call.Args[0]) {
			r.skip(call, fmt.Sprintf("no point at %s: its argument has no type of its own", fn.Name()))
			return
		}
		r.starts(call.Args[0], call)
	}
}

// working returns a call's last argument where to evaluate it takes another call or a receive, so that a point
// before the receiver would come too early, and where it has a type of its own; else nil.
func (r *rewriter) working(call *ast.CallExpr) ast.Expr {
	if len(call.Args) == 0 {
		return nil
	}
	last := call.Args[len(call.Args)-1]
	tv := r.pkg.info.Types[last]
	if _, tuple := tv.Type.(*types.Tuple); tuple || tv.Value != nil || untyped(tv.Type) {
		return nil
	}
	works, shifts := false, false
	ast.Inspect(last, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BinaryExpr:
			// A constant that is shifted takes its type from where it is used, and the checker has written that down.
			shifts = shifts || (n.Op == token.SHL || n.Op == token.SHR) && r.pkg.info.Types[n.X].Value != nil
		case *ast.CallExpr:
			works = works || !r.pkg.info.Types[n.Fun].IsType() && !r.pkg.info.Types[n.Fun].IsBuiltin()
		case *ast.UnaryExpr:
			works = works || n.Op == token.ARROW
		}
		return true
	})
	if !works || shifts {
		return nil
	}
	return last
}

// untyped reports whether a value takes its type from where it is used.
func untyped(t types.Type) bool {
	b, basic := t.(*types.Basic)
	return basic && b.Info()&types.IsUntyped != 0
}

// single reports whether the first of a call's arguments is one value with a type.
func (r *rewriter) single(args []ast.Expr) bool {
	tv := r.pkg.info.Types[args[0]]
	_, tuple := tv.Type.(*types.Tuple)
	return !tuple && !tv.IsNil()
}

// hand gives a call without arguments to a function of package point to make.
func (r *rewriter) hand(to string, kind point.Kind, call *ast.CallExpr) {
	r.edits.call(call.Fun.Pos(), call.Fun.End(), call.End(), fmt.Sprintf("%s.%s(%s, ", r.pkg.alias, to, r.site(kind, call)))
}

// starts puts a point before a goroutine is started to run what an expression gives.
func (r *rewriter) starts(f ast.Expr, at ast.Node) {
	r.edits.around(f.Pos(), f.End(), fmt.Sprintf("%s.Started(%s, ", r.pkg.alias, r.site(point.Go, at)), ")")
}

// closeCall replaces close(ch) by the call that has a point before and behind.
func (r *rewriter) closeCall(call *ast.CallExpr) {
	ch := call.Args[0]
	if _, param := types.Unalias(r.typeOf(ch)).(*types.TypeParam); param {
		r.skip(call, "no point at close: the channel's type is a type parameter")
		return
	}
	before, after := r.site(point.BeforeClose, call), r.site(point.AfterClose, call)
	r.edits.replace(call.Pos(), ch.Pos(), call.End(), fmt.Sprintf("%s.Close(%s, %s, ", r.pkg.alias, before, after))
}

// goStmt puts a point before a goroutine starts, and lets it know whose it is.
func (r *rewriter) goStmt(n *ast.GoStmt) {
	call := n.Call
	if name := builtin(r.pkg.info, call); name != "" {
		if name != "close" {
			r.done[call] = true
			r.skip(n, "no point at go: it starts the predeclared function "+name)
		}
		return
	}
	r.done[call] = true
	if _, _, sel := callee(r.pkg.info, call); sel != nil {
		r.done[sel] = true
	}
	if r.inferred(call.Fun) {
		r.skip(n, "no point at go: it starts a generic function whose type arguments are inferred")
		return
	}
	r.starts(call.Fun, n)
}

// inferred reports whether an expression is a generic function without all its type arguments.
func (r *rewriter) inferred(fun ast.Expr) bool {
	var id *ast.Ident
	switch f := ast.Unparen(fun).(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	case *ast.IndexExpr, *ast.IndexListExpr:
		// Some of the arguments may be given and others inferred; a value needs them all.
		_, generic := r.typeOf(fun).(*types.Signature)
		return !generic || r.partly(f)
	default:
		return false
	}
	_, generic := r.pkg.info.Instances[id]
	return generic
}

// partly reports whether an instantiation gives fewer type arguments than there are.
func (r *rewriter) partly(fun ast.Expr) bool {
	given, x := 1, ast.Expr(nil)
	switch f := fun.(type) {
	case *ast.IndexExpr:
		x = f.X
	case *ast.IndexListExpr:
		given, x = len(f.Indices), f.X
	}
	var id *ast.Ident
	switch f := ast.Unparen(x).(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	}
	if id == nil {
		return false
	}
	instance, ok := r.pkg.info.Instances[id]
	return ok && instance.TypeArgs.Len() != given
}

// deferStmt puts a point where a deferred call is made, not where it is deferred.
func (r *rewriter) deferStmt(n *ast.DeferStmt) {
	call := n.Call
	fn, receiver, sel := callee(r.pkg.info, call)
	op, ok := classify(fn, receiver)
	if !ok {
		return // close has its points when it is called, deferred or not
	}
	r.done[call] = true
	if sel != nil {
		r.done[sel] = true
	}
	switch {
	case r.methodExpr(sel) || !takesAndGivesNothing(fn.Signature()):
		r.skip(n, fmt.Sprintf("no point at %s: it is deferred with arguments or results", fn.Name()))
	case op.shape == afterCall:
		r.hand("After", op.kind, call)
	default:
		r.hand("Before", op.kind, call)
	}
}

// methodExpr reports whether a selector is a method expression, T.M, that takes its receiver as an argument.
func (r *rewriter) methodExpr(sel *ast.SelectorExpr) bool {
	if sel == nil {
		return false
	}
	s := r.pkg.info.Selections[sel]
	return s != nil && s.Kind() == types.MethodExpr
}

// byAddress reports whether a method is called on an operand's address.
func (r *rewriter) byAddress(x ast.Expr) bool {
	tv := r.pkg.info.Types[x]
	if !tv.Addressable() {
		return false
	}
	t := types.Unalias(tv.Type)
	if _, param := t.(*types.TypeParam); param {
		return false
	}
	switch t.Underlying().(type) {
	case *types.Pointer, *types.Interface:
		return false
	}
	return true
}

// value notes where a method that would have a point is used without being called here.
func (r *rewriter) value(sel *ast.SelectorExpr) {
	if r.done[sel] {
		return
	}
	fn, ok := r.pkg.info.Uses[sel.Sel].(*types.Func)
	if !ok {
		return
	}
	var receiver types.Type
	if s := r.pkg.info.Selections[sel]; s != nil {
		receiver = s.Recv()
	}
	if _, ok := classify(fn, receiver); ok {
		r.skip(sel, fmt.Sprintf("no point at %s: it is used as a value", fn.Name()))
	}
}
