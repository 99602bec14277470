package systemtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

func contentContracts() []contract {
	return []contract{
		{name: "what is indexed is found, all of it", holds: indexThenSearch},
		{name: "an index replaces what was stored, in every mode", holds: indexReplaces},
		{name: "an empty repository is a project without files", holds: emptyRepository},
		{name: "projects are apart, however alike their names", holds: likeNames},
		{name: "a query is found as a substring, letter by letter", holds: substring},
		{name: "a path filter leaves only the files that it names", holds: pathFilter},
	}
}

func indexThenSearch(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	what := content{3, 7, model.MaxFiles}
	return first(c.store(ctx, "alpha", what), finds(ctx, c, "alpha", what))
}

func indexReplaces(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	revision := 0
	for _, mode := range []model.IndexMode{model.Incremental, model.Full, model.Forced} {
		for _, files := range []int{4, 2, 3} {
			revision++
			what := content{0, revision, files}
			// Twice: the second time nothing has changed.
			for range 2 {
				if err := first(c.index(ctx, "alpha", what, mode), finds(ctx, c, "alpha", what)); err != nil {
					return err
				}
			}
		}
		// An older revision is content like any other.
		older := content{0, 1, 4}
		if err := first(c.index(ctx, "alpha", older, mode), finds(ctx, c, "alpha", older)); err != nil {
			return err
		}
	}
	return nil
}

func emptyRepository(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	return first(
		c.store(ctx, "alpha", content{0, 1, 0}), finds(ctx, c, "alpha", content{0, 1, 0}),
		c.store(ctx, "alpha", content{0, 2, 2}), finds(ctx, c, "alpha", content{0, 2, 2}),
		c.index(ctx, "alpha", content{0, 3, 0}, model.Incremental), finds(ctx, c, "alpha", content{0, 3, 0}),
	)
}

// likeNames uses the names that programs use, a few of each family.
func likeNames(ctx context.Context, tr *trial) error {
	const each = 3
	_, c, err := tr.start(ctx, 2)
	if err != nil {
		return err
	}
	for _, family := range model.NameFamilies() {
		for i := range each {
			if err := c.store(ctx, family.Name(i), content{i, 1, 1}); err != nil {
				return err
			}
		}
		for i := range each {
			if err := finds(ctx, c, family.Name(i), content{i, 1, 1}); err != nil {
				return fmt.Errorf("names that are alike (%s): %w", family, err)
			}
			foreign := model.Op{Query: model.QueryForeign, Foreign: (i + 1) % each}
			got, err := c.search(ctx, harness.SearchRequest{Project: family.Name(i), Query: foreign.QueryText(i)})
			if err != nil {
				return err
			}
			if len(got) > 0 {
				return fmt.Errorf("Search in %q for another project's %q: %d matches, want none", family.Name(i), foreign.QueryText(i), len(got))
			}
		}
	}
	return nil
}

func substring(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	const line = `alphabet soup is 100% "vegetable", isn't it? c:\pots\new_one`
	repo := fstest.MapFS{"menu/today.txt": {Data: []byte("starter\n" + line + "\ndessert\n")}}
	if err := c.Session.Index(ctx, harness.IndexRequest{Project: "alpha", Repo: repo, Mode: model.Full}); err != nil {
		return fmt.Errorf("Index of a repository with one file: %w", err)
	}
	for _, row := range []struct {
		query string
		found bool
	}{
		{"alphabet soup", true}, {"phabet", true}, {"vegetable", true}, {`100% "veg`, true}, {"isn't it?", true},
		{`c:\pots\new_one`, true}, {"new_one", true},
		{"alpha%soup", false}, {"new%one", false}, {"newXone", false}, {"alp_abet", false}, {"nothing like it", false},
	} {
		matches, err := c.search(ctx, harness.SearchRequest{Project: "alpha", Query: row.query})
		if err != nil {
			return err
		}
		if found := len(matches) > 0; found != row.found {
			return fmt.Errorf("Search for %q in a file with the line %q: found %v, want %v", row.query, line, found, row.found)
		}
		for _, m := range matches {
			if m.Path != "menu/today.txt" || !strings.Contains(m.Content, row.query) {
				return fmt.Errorf("Search for %q: a match in %q whose content does not hold it: %.80q", row.query, m.Path, m.Content)
			}
		}
	}
	return nil
}

func pathFilter(ctx context.Context, tr *trial) error {
	_, c, err := tr.start(ctx, 1)
	if err != nil {
		return err
	}
	if err := c.store(ctx, "alpha", content{0, 1, 4}); err != nil {
		return err
	}
	for file := range 5 { // the last one is not there
		path := model.FilePath(file)
		matches, err := c.search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord, Path: path})
		if err != nil {
			return err
		}
		for _, m := range matches {
			if m.Path != path {
				return fmt.Errorf("Search in files whose path holds %q: a match in %q", path, m.Path)
			}
		}
		if found := len(matches) > 0; found != (file < 4) {
			return fmt.Errorf("Search in files whose path holds %q: found %v", path, found)
		}
	}
	// A path is a substring, too.
	matches, err := c.search(ctx, harness.SearchRequest{Project: "alpha", Query: model.SharedWord, Path: "file_00"})
	if err != nil {
		return err
	}
	if explain(matches, content{0, 1, 4}) != nil {
		return errors.New(`Search in files whose path holds "file_00": not all of them`)
	}
	return nil
}
