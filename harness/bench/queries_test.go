package bench_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// holds says whether a file holds a query's text and whether its path is wanted.
func holds(t *testing.T, repo fs.FS, q bench.Query) (files int) {
	t.Helper()
	err := fs.WalkDir(repo, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, q.Path) {
			return err
		}
		content, err := fs.ReadFile(repo, path)
		if bytes.Contains(bytes.ToLower(content), []byte(strings.ToLower(q.Text))) {
			files++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestQueriesAreWhatTheySayAndTheSameEachTime(t *testing.T) {
	dir := t.TempDir()
	repo, err := bench.GenerateRepository(t.Context(), dir, 42, 60)
	if err != nil {
		t.Fatal(err)
	}
	queries, err := repo.Queries(42, 200)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bench.ReadRepository(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	same, err := again.Queries(42, 200)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(queries, same); d != "" {
		t.Error(d)
	}
	if other, err := repo.Queries(43, 200); err != nil || cmp.Equal(queries, other) {
		t.Errorf("another seed gives the same (%v)", err)
	}
	kinds := map[bench.QueryKind]int{}
	commonest, rarest := 0, repo.Files
	for _, q := range queries {
		kinds[q.Kind]++
		found := holds(t, repo.FS(), q)
		if (q.Kind == bench.QueryAbsent) != (found == 0) {
			t.Errorf("%s %q within %q is in %d files", q.Kind, q.Text, q.Path, found)
		}
		switch q.Kind {
		case bench.QueryCommon:
			commonest = max(commonest, found)
		case bench.QueryRare:
			rarest = min(rarest, found)
		case bench.QueryMulti:
			if strings.Count(q.Text, " ") != 1 {
				t.Errorf("%q is not two words", q.Text)
			}
		case bench.QueryPath:
			if q.Path == "" {
				t.Errorf("%q has no path", q.Text)
			}
		}
	}
	if len(kinds) != 5 {
		t.Errorf("%v: not every kind was drawn", kinds)
	}
	if rarest > 2 || commonest < repo.Files/2 {
		t.Errorf("rare words are in %d files, common ones in %d", rarest, commonest)
	}
}
