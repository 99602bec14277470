package systemtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// client is a session with its errors in sentences. Project "" means the session's active one.
type client struct{ harness.Session }

func (c *client) to(ctx context.Context, project string) error {
	if err := c.Session.Switch(ctx, project); err != nil {
		return fmt.Errorf("Switch to %q: %w", project, err)
	}
	return nil
}

// content is what a project is given: a repository of number's canaries.
type content struct{ number, revision, files int }

func (c content) String() string {
	return fmt.Sprintf("revision %d of p%d with %d files", c.revision, c.number, c.files)
}

func (c *client) index(ctx context.Context, project string, what content, mode model.IndexMode) error {
	req := harness.IndexRequest{Project: project, Repo: repogen.Repo(what.number, what.revision, what.files), Mode: mode}
	if err := c.Session.Index(ctx, req); err != nil {
		return fmt.Errorf("Index of %q, %s, with %s: %w", project, mode, what, err)
	}
	return nil
}

// store is a full index.
func (c *client) store(ctx context.Context, project string, what content) error {
	return c.index(ctx, project, what, model.Full)
}

func (c *client) search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	return search(ctx, c.Session, "Search", req)
}

// searcher is a session or a lease.
type searcher interface {
	Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error)
}

// search searches and looks at what every match must have.
func search(ctx context.Context, s searcher, how string, req harness.SearchRequest) ([]model.Match, error) {
	matches, err := s.Search(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%s in %q for %q: %w", how, req.Project, req.Query, err)
	}
	for _, m := range matches {
		if m.Path == "" || m.Content == "" || m.StartLine < 1 || m.EndLine < m.StartLine {
			return nil, fmt.Errorf("%s in %q for %q: a match without path or content, or with lines that are none: %+v", how, req.Project, req.Query, m)
		}
	}
	return matches, nil
}

// finds looks whether a search finds every file of the content, and nothing else.
func finds(ctx context.Context, s searcher, project string, what content) error {
	for _, query := range []string{
		model.SharedWord, // first: it finds another project's bytes where an own canary finds nothing
		model.Op{Kind: model.KindSearch}.QueryText(what.number),
	} {
		req := harness.SearchRequest{Project: project, Query: query, Limit: model.MaxSearchLimit}
		matches, err := search(ctx, s, "Search", req)
		if err != nil {
			return err
		}
		if err := explain(matches, what); err != nil {
			return fmt.Errorf("Search in %q for %q, which holds %s: %w", project, query, what, err)
		}
	}
	return nil
}

// explain says how matches are not all files of the content, and nothing else. It reads the bytes.
func explain(matches []model.Match, what content) error {
	var seen []int
	for _, m := range matches {
		canaries := model.FindCanaries(m.Content)
		if len(canaries) == 0 {
			return fmt.Errorf("a match in %s without a canary in its content: %.80q", m.Path, m.Content)
		}
		for _, k := range canaries {
			switch {
			case k.Project != what.number:
				return fmt.Errorf("%s belongs to p%d: another project's bytes", k, k.Project)
			case k.Revision != what.revision:
				return fmt.Errorf("%s is of revision %d", k, k.Revision)
			case m.Path != model.FilePath(k.File):
				return fmt.Errorf("%s is said to be in %s; it is in %s", k, m.Path, model.FilePath(k.File))
			case k.File >= what.files:
				return fmt.Errorf("%s is of file %d, which is not there", k, k.File)
			}
			seen = append(seen, k.File)
		}
	}
	slices.Sort(seen)
	if got := len(slices.Compact(seen)); got != what.files {
		return fmt.Errorf("files %v only", slices.Compact(seen))
	}
	return nil
}
