package model

import "fmt"

// Kind is an operation's verb.
type Kind uint8

// The kinds, in canonical order: of two equally long programs the one with the earlier kinds is the
// simpler one. The zero value is no operation.
const (
	KindUnset Kind = iota
	KindSearch
	KindSwitch
	KindIndex
	KindHold
	KindRelease
	KindStats
	KindDrop
	KindRestart
	KindCancel
	kindEnd
)

// String returns the verb as it stands in program text.
func (k Kind) String() string {
	if v := verbOf(k); v != nil {
		return v.name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Kinds returns every kind in canonical order.
func Kinds() []Kind {
	ks := make([]Kind, 0, kindEnd-1)
	for k := KindSearch; k < kindEnd; k++ {
		ks = append(ks, k)
	}
	return ks
}

// Active in place of a project's number means the session's active project.
const Active = -1

// IndexMode is how an index operation treats what is already stored.
type IndexMode uint8

// The modes of an index operation, in canonical order.
const (
	Incremental IndexMode = iota // unchanged files are kept, deleted ones leave
	Full                         // everything is replaced
	Forced                       // like Incremental, but unchanged files are written again
)

var indexModes = []string{"incremental", "full", "forced"}

func (m IndexMode) String() string { return indexModes[m] }

// QueryKind is what a search looks for.
type QueryKind uint8

// The kinds of query, in canonical order.
const (
	QueryOwn      QueryKind = iota // canaries of the project that is searched
	QueryShared                    // the word that every file of every project holds
	QueryForeign                   // canaries of another project: nothing may be found
	QueryRevision                  // canaries of the project at one revision
)

var queryKinds = []string{"own", "shared", "foreign", "rev"}

// Op is one operation of a program. Which fields count depends on Kind; the others are zero.
type Op struct {
	ID       int // explicit, positive, unique in its program: deleting an operation renumbers nothing
	Session  int
	Kind     Kind
	Project  int       // number of the project, or Active
	Revision int       // index: the revision written; search rev: the revision looked for
	Files    int       // index: files in the repository, 0 to MaxFiles
	Mode     IndexMode // index
	Query    QueryKind // search
	Foreign  int       // search foreign: whose canaries
	Path     int       // search: 1 + the number of the only file wanted; 0: all files
	Limit    int       // search: most matches wanted; 0: not given (DefaultLimit)
	Handle   int       // hold, release: the n of hN, positive
	Target   int       // cancel: the ID of the operation whose context is cancelled
}

// String returns the operation as a line of program text, without indentation.
func (o Op) String() string {
	s := fmt.Sprintf("#%d s%d %s", o.ID, o.Session, o.Kind)
	if v := verbOf(o.Kind); v != nil {
		if args := v.format(o); args != "" {
			s += " " + args
		}
	}
	return s
}

// TakesProject reports whether the operation's verb takes a project.
func (o Op) TakesProject() bool {
	switch o.Kind {
	case KindSearch, KindSwitch, KindIndex, KindHold, KindDrop:
		return true
	}
	return false
}

// Simpler returns simpler forms of the operation, the boldest first. Each keeps ID, session, kind and
// project; the shrinker changes those on its own.
func (o Op) Simpler() []Op {
	if v := verbOf(o.Kind); v != nil && v.simpler != nil {
		return v.simpler(o)
	}
	return nil
}

// Limits of a program's numbers. They bound what a hand-written program can ask of a machine.
const (
	MaxFiles        = 9   // files of a repository; every search must be able to return all of them
	MaxRevision     = 999 // revisions are three digits in a canary
	MaxProjects     = 100 // projects, and pools
	MaxSessions     = 64
	MaxHolds        = 32 // leases of a program: each keeps a connection
	MaxOps          = 1_000_000
	MaxSearchLimit  = 50 // most matches a service must be ready to return
	DefaultLimit    = 10 // what a search without a limit returns at the most
	maxID           = 1 << 30
	maxHandle       = 1 << 20
	projectSpelling = "p"
)

func formatProject(p int) string {
	if p == Active {
		return ""
	}
	return fmt.Sprintf("%s%d", projectSpelling, p)
}
