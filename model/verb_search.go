package model

import (
	"fmt"
	"slices"
	"strings"
)

var verbSearch = verb{
	kind: KindSearch, name: "search", weight: 30,
	usage: "[p0] own|shared|foreign=p1|rev=2 [file=0] [limit=10]",
	format: func(o Op) string {
		words := []string{}
		if o.Project != Active {
			words = append(words, formatProject(o.Project))
		}
		switch o.Query {
		case QueryForeign:
			words = append(words, "foreign="+formatProject(o.Foreign))
		case QueryRevision:
			words = append(words, fmt.Sprintf("rev=%d", o.Revision))
		default:
			words = append(words, queryKinds[o.Query])
		}
		if o.Path > 0 {
			words = append(words, fmt.Sprintf("file=%d", o.Path-1))
		}
		if o.Limit > 0 {
			words = append(words, fmt.Sprintf("limit=%d", o.Limit))
		}
		return strings.Join(words, " ")
	},
	parse:   parseSearch,
	draw:    drawSearch,
	step:    stepSearch,
	simpler: simplerSearch,
}

func parseSearch(a *args, o *Op) error {
	if err := a.project(o, false); err != nil {
		return err
	}
	t, err := a.next("a query (own, shared, foreign=p1 or rev=2)")
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(t.text, "=")
	i, err := a.oneOf(token{name, t.column}, "query", queryKinds)
	if err != nil {
		return err
	}
	o.Query = QueryKind(i)
	switch o.Query {
	case QueryForeign:
		o.Foreign, err = a.numberIn(t, "a project", "foreign="+projectSpelling, 0, MaxProjects-1)
	case QueryRevision:
		o.Revision, err = a.numberIn(t, "a revision", "rev=", 1, MaxRevision)
	default:
		if name != t.text {
			err = a.errorf(t, "%q: %s takes no value", t.text, name)
		}
	}
	if err != nil {
		return err
	}
	if t, ok := a.peek(); ok && strings.HasPrefix(t.text, "file=") {
		f, err := a.number("a file", "file=", 0, MaxFiles-1)
		if err != nil {
			return err
		}
		o.Path = f + 1
	}
	if t, ok := a.peek(); ok && strings.HasPrefix(t.text, "limit=") {
		o.Limit, err = a.number("a limit", "limit=", 1, MaxSearchLimit+1)
	}
	return err
}

func drawSearch(d *drawer, o *Op) bool {
	o.Project = d.project(*o)
	switch n := d.src.Int("query", 0, 9); {
	case n < 5:
		o.Query = QueryOwn
	case n < 7:
		o.Query = QueryShared
	case n < 8:
		o.Query, o.Foreign = QueryForeign, d.anyProject()
	default:
		o.Query, o.Revision = QueryRevision, d.src.Int("revision", 1, max(1, d.revision))
	}
	if d.src.Int("file filter", 0, 9) == 9 {
		o.Path = 1 + d.src.Int("file", 0, drawnFiles-1)
	}
	switch d.src.Int("limit kind", 0, 9) {
	case 8:
		o.Limit = d.src.Int("limit", 1, drawnFiles)
	case 9:
		o.Limit = d.src.Int("limit edge", MaxSearchLimit, MaxSearchLimit+1)
	}
	return true
}

func simplerSearch(o Op) []Op {
	var out []Op
	add := func(change func(*Op)) {
		n := o
		change(&n)
		if n != o {
			out = append(out, n)
		}
	}
	add(func(n *Op) { n.Query, n.Foreign, n.Revision, n.Path, n.Limit = QueryOwn, 0, 0, 0, 0 })
	add(func(n *Op) { n.Limit = 0 })
	add(func(n *Op) { n.Path = 0 })
	add(func(n *Op) { n.Query, n.Foreign, n.Revision = QueryOwn, 0, 0 })
	if o.Query > QueryShared {
		add(func(n *Op) { n.Query, n.Foreign, n.Revision = QueryShared, 0, 0 })
	}
	if o.Query == QueryRevision && o.Revision > 1 {
		add(func(n *Op) { n.Revision = 1 })
		add(func(n *Op) { n.Revision-- })
	}
	if o.Path > 1 {
		add(func(n *Op) { n.Path = 1 })
	}
	if o.Limit > 1 {
		add(func(n *Op) { n.Limit = 1 })
	}
	return out
}

func stepSearch(s *State, o Op, r Response) *Mismatch {
	p, done, m := s.target(o, r)
	if done {
		return m
	}
	if o.Limit > MaxSearchLimit {
		return expectError(r, ErrBadLimit)
	}
	may, must := s.mayExist(p)
	if !may {
		return expectError(r, ErrUnknownProject)
	}
	if !must {
		// Whether the project is there is not known, so neither is whether the service touched it.
		s.loose = true
		if r.Status == StatusError && r.Error == ErrUnknownProject {
			return nil
		}
	}
	s.touch(p)
	return s.CheckSearch(p, o, r)
}

// CheckSearch judges what a search of project p found against what may be stored. It rules out no
// possibility for later: an interrupted commit may still arrive. It does not touch, so it serves
// searches from outside the service, too.
func (s *State) CheckSearch(p int, o Op, r Response) *Mismatch {
	return checkSearch(s.contents[p], p, o, r)
}

func checkSearch(possible []content, p int, o Op, r Response) *Mismatch {
	if r.Status == StatusUnknown {
		return nil
	}
	may, must := existence(possible)
	if !may {
		return expectError(r, ErrUnknownProject)
	}
	if !must && r.Status == StatusError && r.Error == ErrUnknownProject {
		return nil
	}
	if m := expectOK(r); m != nil {
		return m
	}
	var first *Mismatch
	for _, c := range possible {
		m := c.explains(p, o, r.Matches)
		if m == nil {
			return nil
		}
		if first == nil || m.weight() > first.weight() {
			first = m
		}
	}
	return first
}

// weight orders the mismatches with several possibilities, so that the most telling is reported: a
// foreign canary is one whatever is stored, and half a revision is torn rather than a stranger to another.
func (m *Mismatch) weight() int {
	switch {
	case m.Invariant == "isolation":
		return 2
	case m.Kind == "torn":
		return 1
	}
	return 0
}

// found returns the numbers of the files that the query must find.
func (c content) found(p int, o Op) []int {
	if !c.exists || o.Query == QueryForeign && o.Foreign != p || o.Query == QueryRevision && o.Revision != c.revision {
		return nil
	}
	var fs []int
	for f := range c.files {
		if o.Path == 0 || o.Path-1 == f {
			fs = append(fs, f)
		}
	}
	return fs
}

// explains says how the matches are not what a search of this content gives.
func (c content) explains(p int, o Op, matches []Match) *Mismatch {
	want := c.found(p, o)
	limit := o.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	mismatch := func(family, kind, format string, v ...any) *Mismatch {
		return &Mismatch{family, kind, fmt.Sprintf("p%d is %s, so %s", p, c, plural(len(want), "file")), fmt.Sprintf(format, v...)}
	}
	if len(matches) > limit {
		return mismatch("search", "over-limit", "%d matches for limit %d", len(matches), limit)
	}
	revisions, got := map[int]bool{}, map[int]bool{}
	var wrong *Mismatch
	type place struct {
		path string
		line int
	}
	places := map[place]bool{}
	var cs []Canary
	for _, m := range matches {
		cs = AppendCanaries(AppendCanaries(cs[:0], m.Path), m.Content)
		if len(cs) == 0 {
			wrong = mismatch("search", "phantom", "a match without a canary: %s", m.Path)
		}
		for _, k := range cs {
			if k.Project != p {
				return mismatch("isolation", "foreign", "%q, which belongs to p%d", k, k.Project)
			}
			revisions[k.Revision], got[k.File] = true, true
			switch {
			case k.Revision < c.revision:
				wrong = mismatch("search", "stale", "%q of revision %d", k, k.Revision)
			case k.Revision > c.revision || !slices.Contains(want, k.File):
				wrong = mismatch("search", "phantom", "%q, which is not stored", k)
			case m.Path != FilePath(k.File):
				wrong = mismatch("search", "misplaced", "%q in %s", k, m.Path)
			}
		}
		at := place{m.Path, m.StartLine}
		if places[at] {
			wrong = mismatch("search", "duplicate", "%s:%d twice", at.path, at.line)
		}
		places[at] = true
	}
	switch {
	case len(revisions) > 1:
		return mismatch("search", "torn", "files of %s in one answer", plural(len(revisions), "revision"))
	case wrong != nil:
		return wrong
	case len(matches) < limit && len(got) < len(want) && len(got) == 0:
		return mismatch("search", "lost", "nothing")
	case len(matches) < limit && len(got) < len(want):
		return mismatch("search", "torn", "only %d of them", len(got))
	}
	return nil
}
