package bench

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// QueryKind is what a query is like.
type QueryKind string

// The kinds of query.
const (
	QueryRare   QueryKind = "rare"   // a word of very few files
	QueryCommon QueryKind = "common" // a word of many files
	QueryAbsent QueryKind = "absent" // a word of no file
	QueryMulti  QueryKind = "multi"  // two words that follow one another somewhere
	QueryPath   QueryKind = "path"   // a common word in one directory
)

// Query is one search of the mix.
type Query struct {
	Kind QueryKind
	Text string
	Path string // where not "": only in files whose path holds this
}

func (q Query) request(project string) harness.SearchRequest {
	return harness.SearchRequest{Project: project, Query: q.Text, Path: q.Path}
}

// check sees whether the answer can be right: a service that finds nothing is fast for nothing.
func (q Query) check(matches []model.Match) error {
	switch {
	case q.Kind == QueryAbsent && len(matches) > 0:
		return fmt.Errorf("%w: %q is in no file, and %d matches were found", ErrAnswer, q.Text, len(matches))
	case q.Kind != QueryAbsent && len(matches) == 0:
		return fmt.Errorf("%w: %q (path %q) is in the repository, and nothing was found", ErrAnswer, q.Text, q.Path)
	}
	for _, m := range matches {
		if !strings.Contains(m.Path, q.Path) {
			return fmt.Errorf("%w: a match in %s, where only paths with %q were wanted", ErrAnswer, m.Path, q.Path)
		}
	}
	return nil
}

// ErrAnswer says that a service gave a wrong answer while it was measured.
var ErrAnswer = errors.New("wrong answer")

// The mix, in parts of a hundred.
const (
	shareRare   = 30
	shareCommon = 20
	shareAbsent = 15
	shareMulti  = 20
)

const (
	shortestWord = 4
	longestWord  = 40
	commonWords  = 50 // the most common words, that common queries are drawn from
	rareFiles    = 2  // a rare word is in at most so many files
	drawLimit    = 1000
)

// vocabulary counts in how many files each word is.
type vocabulary struct {
	files  map[string]int
	absent []string // words that no file has shown yet, in lower case
}

func newVocabulary() *vocabulary {
	v := &vocabulary{files: map[string]int{}}
	// Of more than will be needed some may turn out to be words after all.
	draw := model.NewSource(0xab5e)
	for range 64 {
		word := make([]byte, 9)
		for i := range word {
			word[i] = byte('a' + draw.Int("letter", 0, 25))
		}
		v.absent = append(v.absent, "zq"+string(word))
	}
	return v
}

func (v *vocabulary) learn(content []byte) {
	seen := map[string]bool{}
	for w := range words(content) {
		if len(w) >= shortestWord && len(w) <= longestWord && !seen[w] {
			seen[w] = true
			v.files[w]++
		}
	}
	lower := bytes.ToLower(content)
	if bytes.Contains(lower, []byte("zq")) {
		v.absent = slices.DeleteFunc(v.absent, func(w string) bool { return bytes.Contains(lower, []byte(w)) })
	}
}

// words yields the runs of letters, digits and underscores that begin with a letter.
func words(content []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i < len(content); {
			start := i
			for i < len(content) && wordByte(content[i]) {
				i++
			}
			if i > start && (content[start] < '0' || content[start] > '9') && !yield(string(content[start:i])) {
				return
			}
			if i == start {
				i++
			}
		}
	}
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// Queries draws n queries from what the repository holds: the same for the same repository and seed.
func (r *Repository) Queries(seed uint64, n int) ([]Query, error) {
	m := mixer{repo: r, draw: model.NewSource(seed)}
	// Equally common words in the order of the alphabet, so that nothing depends on a map's order.
	byCount := slices.SortedFunc(maps.Keys(r.words.files), func(a, b string) int {
		if d := r.words.files[b] - r.words.files[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if len(byCount) == 0 || len(r.words.absent) == 0 {
		return nil, fmt.Errorf("%w: it has no words to search for", ErrRepository)
	}
	m.common = byCount[:min(commonWords, len(byCount))]
	m.rare = byCount[len(byCount)-1:]
	for i := len(byCount) - 1; i >= 0 && r.words.files[byCount[i]] <= rareFiles; i-- {
		m.rare = byCount[i:]
	}
	queries := make([]Query, 0, n)
	for range n {
		q, err := m.query()
		if err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}

type mixer struct {
	repo         *Repository
	draw         model.Source
	common, rare []string // never empty
}

func (m *mixer) query() (Query, error) {
	at := m.draw.Int("kind", 0, 99)
	switch {
	case at < shareRare:
		return Query{Kind: QueryRare, Text: m.one(m.rare)}, nil
	case at < shareRare+shareCommon:
		return Query{Kind: QueryCommon, Text: m.one(m.common)}, nil
	case at < shareRare+shareCommon+shareAbsent:
		return Query{Kind: QueryAbsent, Text: m.one(m.repo.words.absent)}, nil
	case at < shareRare+shareCommon+shareAbsent+shareMulti:
		return m.fromFile(twoWords, QueryMulti)
	}
	return m.fromFile(m.commonWord, QueryPath)
}

func (m *mixer) one(of []string) string { return of[m.draw.Int("word", 0, len(of)-1)] }

// fromFile draws files until find finds what to search for in one. A repository may have none, so that a rare
// word has to do.
func (m *mixer) fromFile(find func(content string) string, kind QueryKind) (Query, error) {
	for range drawLimit {
		file := m.repo.paths[m.draw.Int("file", 0, len(m.repo.paths)-1)]
		content, err := readText(m.repo.root, file)
		if err != nil {
			return Query{}, fmt.Errorf("%w: %w", ErrRepository, err)
		}
		// Somewhere in the file, not always its head.
		lines := strings.Split(string(content), "\n")
		from := m.draw.Int("line", 0, len(lines)-1)
		text := find(strings.Join(lines[from:], "\n"))
		if text == "" {
			continue
		}
		q := Query{Kind: kind, Text: text}
		if kind == QueryPath {
			q.Path = path.Dir(file) + "/"
			if q.Path == "./" {
				q.Path = path.Base(file)
			}
		}
		return q, nil
	}
	return Query{Kind: QueryRare, Text: m.one(m.rare)}, nil
}

// twoWords finds two words with one space between them: whether a service looks for the text or for each word,
// it is there.
func twoWords(content string) string {
	for line := range strings.Lines(content) {
		parts := strings.Split(strings.TrimSpace(line), " ")
		for i := range len(parts) - 1 {
			if plain(parts[i]) && plain(parts[i+1]) {
				return parts[i] + " " + parts[i+1]
			}
		}
	}
	return ""
}

func plain(w string) bool {
	return len(w) >= shortestWord && len(w) <= longestWord && !strings.ContainsFunc(w, func(c rune) bool { return c > 0x7f || !wordByte(byte(c)) })
}

// commonWord finds a word that is common in the repository.
func (m *mixer) commonWord(content string) string {
	for w := range words([]byte(content)) {
		if slices.Contains(m.common, w) {
			return w
		}
	}
	return ""
}
