package model_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tenantstorm/tenantstorm/model"
)

// TestNames: names of one program differ, and a service must accept them all.
func TestNames(t *testing.T) {
	for _, f := range model.NameFamilies() {
		seen := map[string]int{}
		for i := range model.MaxProjects {
			name := f.Name(i)
			if j, dup := seen[name]; dup {
				t.Errorf("%s: p%d and p%d are both %q", f, j, i, name)
			}
			seen[name] = i
			switch {
			case name == "" || len(name) > 100:
				t.Errorf("%s: p%d has a name of %d bytes", f, i, len(name))
			case !utf8.ValidString(name):
				t.Errorf("%s: p%d is not UTF-8: %q", f, i, name)
			case strings.ContainsFunc(name, unicode.IsControl):
				t.Errorf("%s: p%d has a control character: %q", f, i, name)
			case name != strings.TrimSpace(name):
				t.Errorf("%s: p%d has space around it: %q", f, i, name)
			}
			if p := (model.Program{Names: f}); p.ProjectName(i) != name {
				t.Errorf("%s: a program calls p%d %q", f, i, p.ProjectName(i))
			}
		}
	}
}

// TestNamesNearlyCollide: each family is there for one careless mapping, which must take some of its
// first names for one another. They must be the first ones: most programs have few projects.
func TestNamesNearlyCollide(t *testing.T) {
	truncate := func(s string) string { return s[:min(len(s), 63)] }
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return '_'
		}, s)
	}
	for _, c := range []struct {
		family   model.NameFamily
		careless func(string) string
	}{
		{model.NamesCase, strings.ToLower},
		{model.NamesLong, truncate},
		{model.NamesSeparators, letters},
	} {
		if a, b := c.family.Name(0), c.family.Name(1); c.careless(a) != c.careless(b) {
			t.Errorf("%s: %q and %q are not taken for one another", c.family, a, b)
		}
	}
	for i := range 59 {
		if a, b := model.NamesPrefix.Name(i), model.NamesPrefix.Name(i+1); !strings.HasPrefix(b, a) {
			t.Errorf("%q is not a prefix of %q", a, b)
		}
	}
}
