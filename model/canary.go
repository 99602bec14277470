package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	if min(c.Project, c.Revision, c.File) >= 0 && max(c.Project, c.Revision, c.File) <= 999 {
		// Long runs write a dozen for every answer they keep.
		b := []byte(canaryMark + "p000_r000_f000")
		for i, n := range [...]int{c.Project, c.Revision, c.File} {
			at := len(canaryMark) + i*5
			b[at+1], b[at+2], b[at+3] = '0'+byte(n/100), '0'+byte(n/10%10), '0'+byte(n%10)
		}
		return string(b)
	}
	return fmt.Sprintf("%sp%03d_r%03d_f%03d", canaryMark, c.Project, c.Revision, c.File)
}

// FindCanaries returns the canaries in s, in order, each once.
func FindCanaries(s string) []Canary { return AppendCanaries(nil, s) }

// AppendCanaries adds to found the canaries in s that it does not hold yet. A text names few canaries,
// many times, and a million texts are looked at: a slice is searched faster than a map is made.
func AppendCanaries(found []Canary, s string) []Canary {
	for {
		i := strings.Index(s, canaryMark)
		if i < 0 || i+canaryLen > len(s) {
			return found
		}
		c, ok := canaryAt(s[i : i+canaryLen])
		if !ok {
			s = s[i+1:]
			continue
		}
		if !slices.Contains(found, c) {
			found = append(found, c)
		}
		s = s[i+canaryLen:]
	}
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
	if 0 <= f && f < len(filePaths) {
		return filePaths[f]
	}
	return filePath(f)
}

// filePaths are those of the files that a repository can have, made once: the oracle compares with one
// for every canary it reads.
var filePaths = func() (paths [MaxFiles]string) {
	for f := range paths {
		paths[f] = filePath(f)
	}
	return paths
}()

func filePath(f int) string {
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
