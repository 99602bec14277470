package instrument

import (
	"fmt"
	"go/ast"
	"strconv"
)

// naming gives functions the names that the runtime gives them, within one package.
type naming struct {
	inits, globals int
	names          map[ast.Node]string // of *ast.FuncDecl and *ast.FuncLit
}

// file names the functions of a file. Files come in the order of the build.
func (n *naming) file(f *ast.File) {
	literals := map[string]int{}
	ast.PreorderStack(f, nil, func(node ast.Node, stack []ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			n.names[node] = n.declared(node)
		case *ast.FuncLit:
			n.names[node] = n.literal(n.enclosing(stack), literals)
		}
		return true
	})
}

func (n *naming) declared(d *ast.FuncDecl) string {
	name := d.Name.Name
	if d.Recv == nil || len(d.Recv.List) == 0 {
		if name == "init" {
			name = "init." + strconv.Itoa(n.inits)
			n.inits++
		}
		return name
	}
	t := ast.Unparen(d.Recv.List[0].Type)
	star, pointer := t.(*ast.StarExpr)
	if pointer {
		t = ast.Unparen(star.X)
	}
	switch x := t.(type) {
	case *ast.IndexExpr:
		t = x.X
	case *ast.IndexListExpr:
		t = x.X
	}
	on := "_"
	if id, ok := t.(*ast.Ident); ok {
		on = id.Name
	}
	if pointer {
		return fmt.Sprintf("(*%s).%s", on, name)
	}
	return on + "." + name
}

// literal names a function literal: F.func1, and in that one F.func1.1.
func (n *naming) literal(outer ast.Node, counts map[string]int) string {
	if outer == nil {
		n.globals++
		return fmt.Sprintf("glob..func%d", n.globals)
	}
	name := n.names[outer]
	counts[name]++
	if _, nested := outer.(*ast.FuncLit); nested {
		return fmt.Sprintf("%s.%d", name, counts[name])
	}
	return fmt.Sprintf("%s.func%d", name, counts[name])
}

// enclosing returns the innermost function of a stack of nodes; nil outside of any.
func (n *naming) enclosing(stack []ast.Node) ast.Node {
	for i := len(stack) - 1; i >= 0; i-- {
		switch stack[i].(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return stack[i]
		}
	}
	return nil
}
