package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/tenantstorm/tenantstorm/fixtures/codesearch"
	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/model"
)

// The bars of the reference service that no other measurement holds it to.
const (
	reindexBar   = 0.05
	hitBar       = 1000 // ns
	hitAllocsBar = 2
	loadedBar    = 500 * time.Millisecond
	loadedTimes  = 5
	growthBar    = 2 // of the peak, for ten times the files

	serviceFiles  = 10_000
	serviceRounds = 3 // of what takes seconds
	indexers      = 3
	searchers     = 10
	indexedFiles  = 200 // of a project that is indexed meanwhile
)

// files is a generated repository, in memory.
func files(n int, seed uint64) fstest.MapFS {
	out := fstest.MapFS{}
	for f := range repogen.Tree(model.NewSource(seed), n) {
		out[f.Path] = &fstest.MapFile{Data: f.Content}
	}
	return out
}

// service opens a service of its own for f.
func (l *lab) service(ctx context.Context, mark string, conns int32, f func(*codesearch.Service) error) (err error) {
	svc, err := codesearch.Open(ctx, codesearch.Config{DSN: l.server.DSN(), Prefix: l.claim.Prefix + mark, ConnsPerProject: conns})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down(ctx, svc.Close)) }()
	return f(svc)
}

// reindex measures what an index costs that finds one file in a hundred changed.
func (l *lab) reindex(ctx context.Context) (s section, err error) {
	var full, part sample
	err = l.service(ctx, "x_", 2, func(svc *codesearch.Service) error {
		repo, client := files(serviceFiles, caseSeed), svc.NewSession()
		paths := slices.Sorted(maps.Keys(repo))
		index := func(mode codesearch.Mode) (time.Duration, error) {
			began := time.Now()
			_, err := client.Index(ctx, codesearch.IndexRequest{Project: projectName(0), FS: repo, Mode: mode})
			return time.Since(began), err
		}
		if _, err := index(codesearch.Full); err != nil {
			return err
		}
		for round := range min(l.rounds, serviceRounds) {
			for i := 0; i < len(paths); i += 100 {
				was := repo[paths[i]].Data
				repo[paths[i]] = &fstest.MapFile{Data: fmt.Appendf(bytes.Clone(was), "// changed in round %d\n", round)}
			}
			took, err := index(codesearch.Incremental)
			if err != nil {
				return err
			}
			part.took(took)
			if took, err = index(codesearch.Full); err != nil {
				return err
			}
			full.took(took)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	share := part.over(full)
	s.title = "Indexing again"
	s.text = fmt.Sprintf("A repository of %s files, one in a hundred of which has changed, against a full index of the same. Medians of %d rounds.",
		whole(serviceFiles), len(full))
	s.table.row("index", "ms", "min – max", "÷ full")
	s.table.row("full", number(full.median()), full.span(), "1.00")
	s.table.row("1 % changed", number(part.median()), part.span(), number(share.median()))
	s.bar(fmt.Sprintf("1 %% changed ÷ full at most %v", reindexBar), share.median() <= reindexBar)
	return s, nil
}

// loaded measures searches of ten clients, by themselves and while other projects are indexed.
func (l *lab) loaded(ctx context.Context) (s section, err error) {
	var quiet, busy sample
	var written int
	err = l.service(ctx, "y_", searchers, func(svc *codesearch.Service) error {
		repo := files(serviceFiles, caseSeed)
		if _, err := svc.NewSession().Index(ctx, codesearch.IndexRequest{Project: projectName(0), FS: repo}); err != nil {
			return err
		}
		queries := words(repo)
		for range min(l.rounds, serviceRounds) {
			p95, err := searchP95(ctx, svc, queries, l.round)
			if err != nil {
				return err
			}
			quiet.took(p95)
			var wg sync.WaitGroup
			indexing, stop := context.WithCancel(ctx)
			counts, errs := make([]int, indexers), make([]error, indexers)
			for i := range indexers {
				wg.Go(func() { counts[i], errs[i] = indexOver(indexing, svc, 1+i) })
			}
			p95, err = searchP95(ctx, svc, queries, l.round)
			stop()
			wg.Wait()
			if err = errors.Join(append(errs, err)...); err != nil {
				return err
			}
			busy.took(p95)
			for _, n := range counts {
				written += n
			}
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	times := busy.over(quiet)
	s.title = "Searching while others index"
	s.text = fmt.Sprintf("%d clients search a project of %s files, words of it drawn by chance; then the same while %d sessions each index a project "+
		"of %s files over and over (%d indexes ended in the time). p95 of all searches of a round; medians of %d rounds.",
		searchers, whole(serviceFiles), indexers, whole(indexedFiles), written, len(quiet))
	s.table.row("", "p95, ms", "min – max", "÷ quiet")
	s.table.row("quiet", number(quiet.median()), quiet.span(), "1.00")
	s.table.row("while others index", number(busy.median()), busy.span(), number(times.median()))
	s.bar(fmt.Sprintf("below %v while others index", loadedBar), busy.median() < float64(loadedBar)/float64(time.Millisecond))
	s.bar(fmt.Sprintf("below %d × quiet", loadedTimes), times.median() < loadedTimes)
	return s, nil
}

// words returns the words of a repository, each once.
func words(repo fstest.MapFS) []string {
	seen := map[string]bool{}
	for _, f := range repo {
		for _, w := range strings.FieldsFunc(string(f.Data), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			if len(w) > 3 {
				seen[w] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// searchP95 returns the p95 of the searches that the clients do in the time.
func searchP95(ctx context.Context, svc *codesearch.Service, queries []string, during time.Duration) (time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	errs := make([]error, searchers)
	began := time.Now()
	for i := range searchers {
		src, client := model.NewSource(uint64(i)), svc.NewSession()
		wg.Go(func() {
			for time.Since(began) < during {
				q := queries[src.Int("query", 0, len(queries)-1)]
				sent := time.Now()
				res, err := client.Search(ctx, codesearch.SearchRequest{Project: projectName(0), Query: q})
				took := time.Since(sent)
				if err == nil && len(res.Matches) == 0 {
					err = fmt.Errorf("%q is in the repository, and was not found", q)
				}
				if err != nil {
					errs[i] = err
					return
				}
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	slices.Sort(all)
	return all[len(all)*95/100], nil
}

// indexOver indexes a project over and over until ctx ends, and returns how often it came to an end.
func indexOver(ctx context.Context, svc *codesearch.Service, project int) (n int, err error) {
	client := svc.NewSession()
	for ; ; n++ {
		_, err := client.Index(ctx, codesearch.IndexRequest{
			Project: projectName(project), FS: files(indexedFiles, uint64(n)), Mode: codesearch.Full,
		})
		if ctx.Err() != nil {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("index: %w", err)
		}
	}
}

// hits measures what a resident pool costs an operation, by the service's own benchmark.
func (l *lab) hits(ctx context.Context) (s section, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkUsePool$", "-benchmem", "-count", fmt.Sprint(l.rounds), "./fixtures/codesearch")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("go test -bench UsePool: %w\n%s", err, out)
	}
	var ns, allocs sample
	for r := benchfmt.NewReader(bytes.NewReader(out), "benchmarks"); r.Scan(); {
		if result, ok := r.Result().(*benchfmt.Result); ok {
			seconds, _ := result.Value("sec/op")
			n, _ := result.Value("allocs/op")
			ns.add(seconds * 1e9)
			allocs.add(n)
		}
	}
	if len(ns) == 0 {
		return s, errors.New("go test -bench UsePool printed no result")
	}
	s.title = "A resident pool"
	s.text = "Acquiring a project's pool that is resident, and releasing it: what an operation pays for the bounded set of pools, without a message."
	s.table.row("ns", "min – max", "allocations")
	s.table.row(number(ns.median()), ns.span(), fmt.Sprintf("%.0f", allocs.median()))
	s.bar(fmt.Sprintf("at most %d ns", hitBar), ns.median() <= hitBar)
	s.bar(fmt.Sprintf("at most %d allocations", hitAllocsBar), allocs.median() <= hitAllocsBar)
	return s, nil
}

// growth measures the memory of a client that indexes, each repository in a process of its own.
func (l *lab) growth(ctx context.Context) (s section, err error) {
	var few, many sample
	for range min(l.rounds, serviceRounds) {
		for n, into := range map[int]*sample{serviceFiles / 10: &few, serviceFiles: &many} {
			mb, err := l.indexApart(ctx, n)
			if err != nil {
				return s, err
			}
			into.add(mb)
		}
	}
	times := many.over(few)
	s.title = "Memory of a client that indexes"
	s.text = "The most memory that the process ever had, which indexes a repository on disk once and does nothing else."
	s.table.row("files", "peak, MB", "min – max")
	s.table.row(whole(serviceFiles/10), number(few.median()), few.span())
	s.table.row(whole(serviceFiles), number(many.median()), many.span())
	s.bar(fmt.Sprintf("ten times the files below %d × the peak (%s ×)", growthBar, number(times.median())), times.median() < growthBar)
	return s, nil
}

// withTree writes a generated repository to a directory that is removed afterwards.
func withTree(n int, f func(fs.FS) error) (err error) {
	dir, err := os.MkdirTemp("", "tenantstorm-performance-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, files(n, caseSeed)); err != nil {
		return err
	}
	return f(os.DirFS(dir))
}
