package instrument

import (
	"go/ast"
	"go/types"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/point"
)

// shape is where a call's point goes.
type shape int

const (
	viaReceiver    shape = iota // x.M(…): x
	viaArgument                 // f(x, …): x
	afterCall                   // x.M()
	startsArgument              // x.M(f): f is run by a new goroutine
)

// operation is what a call does to another goroutine's world.
type operation struct {
	kind  point.Kind
	shape shape
}

// syncMethods are those of package sync, by receiver and name.
var syncMethods = map[[2]string]operation{
	{"Mutex", "Lock"}:       {point.BeforeLock, viaReceiver},
	{"Mutex", "TryLock"}:    {point.BeforeLock, viaReceiver},
	{"Mutex", "Unlock"}:     {point.AfterUnlock, afterCall},
	{"RWMutex", "Lock"}:     {point.BeforeLock, viaReceiver},
	{"RWMutex", "TryLock"}:  {point.BeforeLock, viaReceiver},
	{"RWMutex", "RLock"}:    {point.BeforeRLock, viaReceiver},
	{"RWMutex", "TryRLock"}: {point.BeforeRLock, viaReceiver},
	{"RWMutex", "Unlock"}:   {point.AfterUnlock, afterCall},
	{"RWMutex", "RUnlock"}:  {point.AfterRUnlock, afterCall},
	{"Locker", "Lock"}:      {point.BeforeLock, viaReceiver},
	{"Locker", "Unlock"}:    {point.AfterUnlock, afterCall},
	{"WaitGroup", "Go"}:     {point.Go, startsArgument},
}

// syncTypes are types of package sync whose other methods are all of one kind.
var syncTypes = map[string]point.Kind{
	"Once":      point.Once,
	"WaitGroup": point.WaitGroup,
	"Cond":      point.Cond,
	"Map":       point.Map,
}

// classify says what calling a function or method does, going by what it is and not by how it is called. The
// receiver is the type of the expression that a method is selected from; nil for a function.
func classify(fn *types.Func, receiver types.Type) (operation, bool) {
	if fn == nil || fn.Pkg() == nil {
		return operation{}, false
	}
	name, on := fn.Name(), receiverName(fn)
	switch fn.Pkg().Path() {
	case "sync":
		if op, ok := syncMethods[[2]string{on, name}]; ok {
			return op, true
		}
		kind, ok := syncTypes[on]
		return operation{kind, viaReceiver}, ok
	case "sync/atomic":
		if on == "" {
			return operation{point.Atomic, viaArgument}, true
		}
		return operation{point.Atomic, viaReceiver}, true
	case "golang.org/x/sync/singleflight":
		return operation{point.Singleflight, viaReceiver}, on == "Group"
	case "golang.org/x/sync/errgroup":
		switch {
		case on != "Group":
		case name == "Go" || name == "TryGo":
			return operation{point.Go, startsArgument}, true
		case name == "Wait":
			return operation{point.WaitGroup, viaReceiver}, true
		}
		return operation{}, false
	}
	return classifyLocker(fn, receiver)
}

// classifyLocker takes an interface with the methods of sync.Locker for one, and likewise for readers' locks.
func classifyLocker(fn *types.Func, receiver types.Type) (operation, bool) {
	if receiver == nil || !types.IsInterface(receiver) {
		return operation{}, false
	}
	for _, pair := range [][2]string{{"Lock", "Unlock"}, {"RLock", "RUnlock"}} {
		if slices.Contains(pair[:], fn.Name()) && has(receiver, pair[0]) && has(receiver, pair[1]) {
			return syncMethods[[2]string{"RWMutex", fn.Name()}], true
		}
	}
	return operation{}, false
}

// has reports whether a type has a method that takes and gives nothing.
func has(t types.Type, method string) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, false, nil, method)
	fn, ok := obj.(*types.Func)
	return ok && takesAndGivesNothing(fn.Signature())
}

func takesAndGivesNothing(s *types.Signature) bool {
	return s.Params().Len() == 0 && s.Results().Len() == 0
}

// receiverName returns the name of the type that a method belongs to; "" of a function.
func receiverName(fn *types.Func) string {
	recv := fn.Signature().Recv()
	if recv == nil {
		return ""
	}
	t := types.Unalias(recv.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

// callee returns the function or method that a call calls, and the type of what a method is selected from.
func callee(info *types.Info, call *ast.CallExpr) (fn *types.Func, receiver types.Type, sel *ast.SelectorExpr) {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = ast.Unparen(x.X)
	case *ast.IndexListExpr:
		fun = ast.Unparen(x.X)
	}
	switch f := fun.(type) {
	case *ast.Ident:
		fn, _ = info.Uses[f].(*types.Func)
		return fn, nil, nil
	case *ast.SelectorExpr:
		fn, _ = info.Uses[f.Sel].(*types.Func)
		if s := info.Selections[f]; s != nil {
			return fn, s.Recv(), f
		}
		return fn, nil, f
	}
	return nil, nil, nil
}

// builtin returns the name of the predeclared function that a call calls; "" of any other call.
func builtin(info *types.Info, call *ast.CallExpr) string {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if b, ok := info.Uses[id].(*types.Builtin); ok {
			return b.Name()
		}
	}
	return ""
}
