package point

import "fmt"

// Kind is what the code does at a site. The schedule may tell them apart, because more kinds of points make a
// larger space to search.
type Kind string

// The kinds of sites. A point comes before the operation, but where the name says after.
const (
	BeforeLock   Kind = "before-lock"
	BeforeRLock  Kind = "before-rlock"
	AfterUnlock  Kind = "after-unlock"
	AfterRUnlock Kind = "after-runlock"
	BeforeClose  Kind = "before-close"
	AfterClose   Kind = "after-close"
	Send         Kind = "send"
	Receive      Kind = "receive"
	Select       Kind = "select"
	Atomic       Kind = "atomic"
	Once         Kind = "once"
	WaitGroup    Kind = "wait-group"
	Cond         Kind = "cond"
	Map          Kind = "sync-map"
	Singleflight Kind = "singleflight"
	Go           Kind = "go"
)

// Site is a place in the sources. What names it to a schedule is the function, the kind and the ordinal, which
// survive edits elsewhere; file and line are for people.
type Site struct {
	Package string // import path
	Func    string // as the runtime writes it, without the package: (*poolSet).claimResident, acquire.func1
	Kind    Kind
	Ordinal int    // among the function's sites of this kind, from 1
	File    string // base name
	Line    int
}

// String returns the site as people read it.
func (s Site) String() string {
	return fmt.Sprintf("%s:%d (%s %d in %s)", s.File, s.Line, s.Kind, s.Ordinal, s.Func)
}
