package point

import "reflect"

// Via is a point in the middle of an expression: it hands on the value that the operation then works on.
func Via[T any](at *Site, v T) T {
	if r := current.Load(); r != nil {
		r.reach(at)
	}
	return v
}

// Before is a point before a deferred call.
func Before(at *Site, do func()) {
	if r := current.Load(); r != nil {
		r.reach(at)
	}
	do()
}

// After is a point after a call, deferred or not.
func After(at *Site, do func()) {
	do()
	if r := current.Load(); r != nil {
		r.reach(at)
	}
}

// Close closes a channel between two points: whoever waited for it can go on before the closer does.
func Close[T any](before, after *Site, ch chan<- T) {
	if r := current.Load(); r != nil {
		r.reach(before)
	}
	close(ch)
	if r := current.Load(); r != nil {
		r.reach(after)
	}
}

// Started is a point before a goroutine is started, and hands on what it will run. A goroutine belongs to the
// thread that started it; one that is started on nobody's behalf becomes a background thread of its own.
func Started[F any](at *Site, f F) F {
	if r := current.Load(); r != nil {
		r.reach(at)
		return adopt(r, at, f)
	}
	return f
}

// adopt has f run in a background thread, unless the calling goroutine has a thread that it will inherit.
func adopt[F any](r *run, at *Site, f F) F {
	if r.thread() != nil {
		return f
	}
	do := reflect.ValueOf(f)
	if do.IsNil() {
		return f // the go statement says what is wrong with that
	}
	label := r.background(at)
	switch f := any(&f).(type) {
	case *func():
		run := *f
		*f = func() { setLabel(label); run() }
	default:
		wrapped := reflect.MakeFunc(do.Type(), func(args []reflect.Value) []reflect.Value {
			setLabel(label)
			if do.Type().IsVariadic() {
				return do.CallSlice(args)
			}
			return do.Call(args)
		})
		reflect.ValueOf(f).Elem().Set(wrapped)
	}
	return f
}
