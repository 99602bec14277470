package model

import (
	"fmt"
	"strconv"
)

// Canary names the project, revision and file that some bytes belong to. Repositories are full of
// them, so that any fragment of a few hundred bytes names its owner, whatever a service says about it.
type Canary struct{ Project, Revision, File int }

// The canary grammar: cnry_pPPP_rRRR_fFFF, fixed width, lower case, so that no canary is a substring
// of another and every prefix that ends at an underscore is a query.
const (
	canaryMark = "cnry_"
	canaryLen  = len("cnry_p000_r000_f000")
	// SharedWord stands in every file of every project.
	SharedWord = "sharedword"
)

// String returns the canary as it stands in a file.
func (c Canary) String() string {
	return fmt.Sprintf("%sp%03d_r%03d_f%03d", canaryMark, c.Project, c.Revision, c.File)
}

// FindCanaries returns the canaries in s, in order, each once.
func FindCanaries(s string) []Canary {
	var found []Canary
	seen := map[Canary]bool{}
	for i := 0; i+canaryLen <= len(s); i++ {
		c, ok := canaryAt(s[i : i+canaryLen])
		if !ok {
			continue
		}
		if !seen[c] {
			seen[c] = true
			found = append(found, c)
		}
		i += canaryLen - 1
	}
	return found
}

func canaryAt(s string) (Canary, bool) {
	if s[:len(canaryMark)] != canaryMark {
		return Canary{}, false
	}
	var c Canary
	for i, f := range []struct {
		letter byte
		into   *int
	}{{'p', &c.Project}, {'r', &c.Revision}, {'f', &c.File}} {
		at := len(canaryMark) + i*5
		if s[at] != f.letter || i > 0 && s[at-1] != '_' {
			return Canary{}, false
		}
		n, err := strconv.ParseUint(s[at+1:at+4], 10, 16)
		if err != nil {
			return Canary{}, false
		}
		*f.into = int(n)
	}
	return c, true
}

// QueryText returns the words a search operation looks for in project p (never Active).
func (o Op) QueryText(p int) string {
	switch o.Query {
	case QueryShared:
		return SharedWord
	case QueryForeign:
		return fmt.Sprintf("%sp%03d_", canaryMark, o.Foreign)
	case QueryRevision:
		return fmt.Sprintf("%sp%03d_r%03d_", canaryMark, p, o.Revision)
	}
	return fmt.Sprintf("%sp%03d_", canaryMark, p)
}

// FilePath returns the path of file number f in every repository. The number has a fixed width so
// that no path is part of another.
func FilePath(f int) string {
	return fmt.Sprintf("pkg%d/file_%03d%s", f%3, f, fileEndings[f%len(fileEndings)])
}

var fileEndings = []string{".go", ".py", ".ts", ".md"}

// PathText returns the path filter of a search operation; "" when it has none.
func (o Op) PathText() string {
	if o.Path == 0 {
		return ""
	}
	return FilePath(o.Path - 1)
}
