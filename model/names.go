package model

import (
	"fmt"
	"strings"
)

// NameFamily is how the projects of a program are called. Families other than NamesPlain hold names
// that a careless mapping from name to database would take for one another.
type NameFamily uint8

// The families, in canonical order.
const (
	NamesPlain      NameFamily = iota // p0, p1, p2, …
	NamesCase                         // pairs that differ in case only
	NamesLong                         // the first 63 bytes alike, where PostgreSQL truncates
	NamesPrefix                       // each a prefix of the next
	NamesSeparators                   // alike but for separators and quotes
	nameFamilies
)

var nameSpelling = []string{"plain", "case", "long", "prefix", "separators"}

func (f NameFamily) String() string { return nameSpelling[f] }

// NameFamilies returns every family in canonical order.
func NameFamilies() []NameFamily {
	fs := make([]NameFamily, nameFamilies)
	for i := range fs {
		fs[i] = NameFamily(i)
	}
	return fs
}

var separators = []string{"a-b", "a_b", "a.b", "a b", "a/b", "a'b", `a"b`, "a--b", "a__b", "a%b", "a:b", "a;b", "a$b", "a\\b", "ä-b"}

// ProjectName returns the name of project i as the service sees it. Names of one program differ, in
// every family, for all i < MaxProjects.
func (p Program) ProjectName(i int) string { return p.Names.Name(i) }

// Name returns the family's name number i.
func (f NameFamily) Name(i int) string {
	plain := fmt.Sprintf("p%d", i)
	switch f {
	case NamesCase:
		name := fmt.Sprintf("project%d", i/2)
		if i%2 == 1 {
			return strings.ToUpper(name)
		}
		return name
	case NamesLong:
		return strings.Repeat("x", 63) + fmt.Sprint(i)
	case NamesPrefix:
		return strings.Repeat("p", i+1)[:min(i+1, 60)] + strings.Repeat("q", max(0, i-59))
	case NamesSeparators:
		if i < len(separators) {
			return separators[i]
		}
		return separators[i%len(separators)] + fmt.Sprint(i)
	}
	return plain
}
