package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/codesearch"
	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

const (
	searchProjects = 4      // searched in turn
	searchBar      = 0.8    // of what bare pgx does
	searchSlices   = 6      // of a round: so often the three take turns within it
	freeLength     = 12_000 // searches of a program in free mode
	freeWarmUp     = 50     // searches of each session that do not count, as connections open and plans settle
)

// searches compares the service, by itself and under the harness, with the statements it sends.
func (l *lab) searches(ctx context.Context) (s section, err error) {
	s.title = "Searches per second"
	s.text = fmt.Sprintf("Every session searches %d projects of %d files in turn. Bare pgx is one pgxpool a project with as many "+
		"connections, running the very statement and arguments that the service was seen to send, prepared. The service is called "+
		"by itself; free mode is the whole harness: a program of searches in free mode, every answer recorded (and then judged, "+
		"outside the time). Like the others it is counted while all sessions are at it and warm: from when the last has done %d searches "+
		"until the first has done all. The data is small on purpose: the faster the statement, the more the service's own share shows.",
		searchProjects, model.MaxFiles, freeWarmUp)
	s.table.row("sessions", "bare pgx", "service", "service ÷ pgx", "min – max", "free mode", "free mode ÷ pgx", "min – max")
	for _, sessions := range []int{1, 4, 16} {
		var bare, service, free sample
		if err := l.search(ctx, sessions, &bare, &service, &free); err != nil {
			return s, err
		}
		byService, byFree := service.over(bare), free.over(bare)
		s.table.row(fmt.Sprint(sessions), number(bare.median()), number(service.median()), number(byService.median()), byService.span(),
			number(free.median()), number(byFree.median()), byFree.span())
		s.bar(fmt.Sprintf("service ÷ pgx at least %v with sessions: %d", searchBar, sessions), byService.median() >= searchBar)
		s.bar(fmt.Sprintf("free mode ÷ pgx at least %v with sessions: %d", searchBar, sessions), byFree.median() >= searchBar)
	}
	return s, nil
}

// search measures the three by turns.
func (l *lab) search(ctx context.Context, sessions int, bare, service, free *sample) (err error) {
	prefix := l.claim.Prefix + "s" + strconv.Itoa(sessions) + "_"
	config := codesearch.Config{DSN: l.server.DSN(), Prefix: prefix, ConnsPerProject: int32(sessions) + 1}
	seen, err := observe(ctx, config)
	if err != nil {
		return err
	}
	pools, err := openBare(ctx, config, seen)
	if err != nil {
		return err
	}
	defer pools.close()
	svc, err := codesearch.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down(ctx, svc.Close)) }()

	byPgx := func(int) func(context.Context, int) error { return pools.search }
	byService := func(int) func(context.Context, int) error {
		client := svc.NewSession()
		return func(ctx context.Context, project int) error {
			res, err := client.Search(ctx, request(project))
			return enough(len(res.Matches), err)
		}
	}
	for _, warmUp := range []func(int) func(context.Context, int) error{byPgx, byService} {
		if _, err := rate(ctx, sessions, l.round/4, warmUp); err != nil {
			return err
		}
	}
	slice := l.round / searchSlices
	for range l.rounds {
		var sums [3]float64
		for range searchSlices {
			for i, by := range []func(int) func(context.Context, int) error{byPgx, byService} {
				perSecond, err := rate(ctx, sessions, slice, by)
				if err != nil {
					return err
				}
				sums[i] += perSecond
			}
			perSecond, err := l.freeSearches(ctx, prefix+"f_", sessions, freeLength)
			if err != nil {
				return err
			}
			sums[2] += perSecond
		}
		for i, into := range []*sample{bare, service, free} {
			into.add(sums[i] / searchSlices)
		}
	}
	return nil
}

func request(project int) codesearch.SearchRequest {
	return codesearch.SearchRequest{Project: projectName(project), Query: model.Op{Query: model.QueryOwn}.QueryText(project)}
}

func projectName(project int) string { return model.NamesPlain.Name(project) }

// enough sees that a search found every file.
func enough(found int, err error) error {
	if err == nil && found != model.MaxFiles {
		err = fmt.Errorf("%d matches, where %d files hold what was searched for", found, model.MaxFiles)
	}
	return err
}

// rate runs so many sessions at once for so long and returns the searches a second.
func rate(ctx context.Context, sessions int, during time.Duration, open func(session int) func(context.Context, int) error) (float64, error) {
	var wg sync.WaitGroup
	var done atomic.Int64
	errs := make(chan error, sessions)
	began := time.Now()
	for i := range sessions {
		search := open(i)
		wg.Go(func() {
			for n := i; time.Since(began) < during; n++ {
				if err := search(ctx, n%searchProjects); err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	close(errs)
	return float64(done.Load()) / time.Since(began).Seconds(), <-errs
}

// freeSearches runs a program of so many searches in free mode, as a worker does, and returns the
// searches a second while all sessions were at it and warm.
func (l *lab) freeSearches(ctx context.Context, prefix string, sessions, searches int) (perSecond float64, err error) {
	p := model.Program{Mode: model.Free, MaxProjects: codesearch.DefaultMaxProjects, Projects: searchProjects, Sessions: sessions}
	for project := range searchProjects {
		p.Setup = append(p.Setup, model.Op{ID: p.Len() + 1, Kind: model.KindIndex, Project: project, Revision: 1, Files: model.MaxFiles})
	}
	for n := range min(searches, model.MaxOps-p.Len()) {
		p.Race = append(p.Race, model.Op{ID: p.Len() + 1, Session: n % sessions, Kind: model.KindSearch, Project: (n/sessions + n) % searchProjects})
	}
	run, err := harness.Start(ctx, target.Codesearch(), l.env(prefix), p)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(run.Execute(ctx), closeRun(ctx, run)); err != nil {
		return 0, err
	}
	if v := check.Judge(p, run.History); v.Status != check.Pass {
		return 0, notPassed(model.Program{Mode: p.Mode}, v)
	}
	return together(run.History.Entries[len(p.Setup):], sessions)
}

// together returns the searches a second while all sessions were at it. What is before that opens
// connections, which the others have open; what is after it runs with fewer sessions.
func together(entries []history.Entry, sessions int) (perSecond float64, err error) {
	done, until := make([]int, sessions), make([]time.Duration, sessions)
	var from time.Duration
	for _, e := range entries {
		if done[e.Op.Session]++; done[e.Op.Session] <= freeWarmUp {
			from = max(from, e.End)
		}
		until[e.Op.Session] = max(until[e.Op.Session], e.End)
	}
	to := slices.Min(until)
	if to <= from {
		return 0, errors.New("free mode: a session was over before another was warm, so there is nothing to count")
	}
	n := 0
	for _, e := range entries {
		if from < e.End && e.End <= to {
			n++
		}
	}
	return float64(n) / (to - from).Seconds(), nil
}

func closeRun(ctx context.Context, run *harness.Run) error {
	hung, err := run.Close(ctx)
	if hung {
		err = errors.Join(err, errors.New("the service did not close"))
	}
	return err
}

// fill indexes what is searched.
func fill(ctx context.Context, svc *codesearch.Service) error {
	client := svc.NewSession()
	for project := range searchProjects {
		_, err := client.Index(ctx, codesearch.IndexRequest{Project: projectName(project), FS: repogen.Repo(project, 1, model.MaxFiles)})
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	return nil
}
