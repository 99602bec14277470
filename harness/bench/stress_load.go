package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/repogen"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// mostOperations bounds a load, since all of it is kept to be judged.
const mostOperations = 500_000

// press is the load of a stress.
type press struct {
	o        StressOptions
	sys      harness.System
	clients  []*client // searchers, then indexers
	began    time.Time
	taken    atomic.Int64 // operations begun
	failures atomic.Int64
	stop     context.CancelFunc // ends the load: an operation hung or panicked
	h        history.History
	program  model.Program
}

// client is one session, used by one goroutine at a time.
type client struct {
	number  int
	session harness.Session
	draw    model.Source
	active  int
	entries []history.Entry
}

// load runs clients that search and clients that index, all at once, and judges what they saw.
func (l *Lab) load(ctx context.Context, o StressOptions, r *Result) (err error) {
	goroutines := runtime.NumGoroutine()
	env := l.env(roomStress, o.MaxProjects, o.Conns)
	sys, err := l.open(ctx, env)
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			err = errors.Join(err, closeSystem(ctx, sys))
		}
	}()
	p := &press{o: o, sys: sys, began: time.Now()}
	p.h.Capabilities = harness.Capabilities(sys)
	if err := p.sessions(ctx); err != nil {
		return err
	}
	// Every project holds something before the load begins.
	first := p.clients[0]
	for project := range o.Projects {
		p.do(ctx, first, model.Op{Kind: model.KindIndex, Project: project, Revision: 1, Files: model.MaxFiles})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	setup := len(first.entries)
	before, err := statsOf(ctx, sys)
	if err != nil {
		return err
	}
	m := &monitor{
		lab: l, prefix: env.Prefix, sys: sys,
		failures: func() int { return int(p.failures.Load()) }, begun: func() int { return int(p.taken.Load()) },
	}
	m.start(ctx)
	loadBegan := time.Since(p.began)
	p.race(ctx)
	took := time.Since(p.began) - loadBegan
	series, err := m.end()
	r.Series = append(r.Series, series...)
	if err = errors.Join(ctx.Err(), err); err != nil {
		return err
	}
	after, err := statsOf(ctx, sys)
	if err != nil {
		return err
	}
	open = false
	rest := &history.Rest{Looked: []string{"goroutines", "backends"}}
	p.h.Rest = rest
	if err := closeSystem(ctx, sys); err != nil {
		rest.CloseError = err.Error()
	}
	if err := l.left(ctx, env.Prefix, o.Settle, goroutines, rest); err != nil {
		return err
	}
	p.merge(setup)
	if err := p.contents(ctx, l, env); err != nil {
		return err
	}
	r.take(phaseLoad, check.Judge(p.program, p.h))
	r.counters(o, p.h, setup, before, after)
	p.report(r, setup, took)
	return nil
}

func statsOf(ctx context.Context, sys harness.System) (*model.Stats, error) {
	rep, ok := sys.(harness.StatsReporter)
	if !ok {
		return nil, nil
	}
	st, err := rep.Stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return &st, nil
}

func (p *press) sessions(ctx context.Context) error {
	for i := range p.o.Searches + p.o.Indexers {
		s, err := p.sys.Session(ctx)
		if err != nil {
			return fmt.Errorf("open a session: %w", err)
		}
		p.clients = append(p.clients, &client{number: i, session: s, draw: model.NewSource(model.CaseSeed(p.o.Seed, i)), active: model.Active})
	}
	p.program = model.Program{Mode: model.Free, MaxProjects: p.o.MaxProjects, Projects: p.o.Projects, Sessions: len(p.clients), Deadline: p.o.Deadline}
	return nil
}

// race lets all clients go at once, until the time is up, an operation hangs or panics, or ctx ends. All are joined.
func (p *press) race(ctx context.Context) {
	// The time that is up ends no operation, only what would follow it.
	over, stop := context.WithTimeout(ctx, p.o.Duration)
	defer stop()
	p.stop = stop
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, c := range p.clients {
		next := p.search
		if i >= p.o.Searches {
			next = p.index
		}
		wg.Go(func() {
			<-start
			for n := 0; over.Err() == nil && p.taken.Add(1) <= mostOperations; n++ {
				p.do(ctx, c, next(c, n))
			}
		})
	}
	close(start)
	wg.Wait()
}

// search draws a client's next operation: a search of any project, named or made active before.
func (p *press) search(c *client, _ int) model.Op {
	project := c.draw.Int("project", 0, p.o.Projects-1)
	if c.draw.Int("switch", 0, 9) == 0 {
		return model.Op{Kind: model.KindSwitch, Project: project}
	}
	o := model.Op{Kind: model.KindSearch, Project: project, Limit: model.MaxSearchLimit}
	if c.active != model.Active && c.draw.Int("active", 0, 3) == 0 {
		o.Project = model.Active
	}
	switch c.draw.Int("query", 0, 3) {
	case 1:
		o.Query = model.QueryShared
	case 2:
		// Another project's canaries: nothing may be found.
		if p.o.Projects > 1 {
			o.Query = model.QueryForeign
			o.Foreign = (c.target(o) + c.draw.Int("foreign", 1, p.o.Projects-1)) % p.o.Projects
		}
	}
	return o
}

// index is an indexer's next operation: its own projects in turn, a new revision each time.
func (p *press) index(c *client, n int) model.Op {
	lane := c.number - p.o.Searches
	own := (p.o.Projects - lane + p.o.Indexers - 1) / p.o.Indexers
	return model.Op{
		Kind: model.KindIndex, Project: lane + n%own*p.o.Indexers, Revision: 2 + n/own%(model.MaxRevision-1),
		Files: c.draw.Int("files", 1, model.MaxFiles), Mode: model.IndexMode(c.draw.Int("mode", 0, 2)),
	}
}

// target is the project that an operation concerns.
func (c *client) target(o model.Op) int {
	if o.Project == model.Active {
		return c.active
	}
	return o.Project
}

// do runs one operation and records it.
func (p *press) do(ctx context.Context, c *client, o model.Op) {
	o.Session = c.number
	e := history.Entry{Op: o, Start: time.Since(p.began)}
	e.Response = p.ask(ctx, c, o)
	e.End = time.Since(p.began)
	if o.Kind == model.KindSwitch && e.Response.Status == model.StatusOK {
		c.active = o.Project
	}
	switch e.Response.Status {
	case model.StatusOK:
	case model.StatusHung, model.StatusPanicked:
		p.failures.Add(1)
		if p.stop != nil {
			p.stop()
		}
	default:
		p.failures.Add(1)
	}
	c.entries = append(c.entries, e)
}

// hangGrace is how long an operation that missed its deadline gets to notice that its context is cancelled.
const hangGrace = 500 * time.Millisecond

// ask sends an operation and waits for its answer or its deadline, of which the service is not told: one that waits for
// what never comes has to be caught, not helped. One that does not come back even when it is cancelled is left behind.
func (p *press) ask(ctx context.Context, c *client, o model.Op) model.Response {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan model.Response, 1)
	go func() { done <- c.send(asked, o) }()
	timer := time.NewTimer(p.o.Deadline)
	defer timer.Stop()
	late := model.Response{Status: model.StatusHung, Text: "no answer within " + p.o.Deadline.String()}
	select {
	case resp := <-done:
		if ctx.Err() == nil || resp.Status == model.StatusOK {
			return resp
		}
		return model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled, Text: "the run was interrupted"}
	case <-ctx.Done():
		late = model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled, Text: "the run was interrupted"}
	case <-timer.C:
	}
	cancel()
	timer.Reset(hangGrace)
	select {
	case <-done:
	case <-timer.C:
	}
	return late
}

// send calls the service.
func (c *client) send(ctx context.Context, o model.Op) (resp model.Response) {
	defer func() {
		if v := recover(); v != nil {
			buf := make([]byte, 16<<10)
			resp = model.Response{Status: model.StatusPanicked, Text: fmt.Sprintf("panic: %v\n%s", v, buf[:runtime.Stack(buf, false)])}
		}
	}()
	name := ""
	if o.Project != model.Active {
		name = projectName(o.Project)
	}
	var err error
	switch o.Kind {
	case model.KindSwitch:
		err = c.session.Switch(ctx, name)
	case model.KindIndex:
		err = c.session.Index(ctx, harness.IndexRequest{Project: name, Repo: repogen.Repo(o.Project, o.Revision, o.Files), Mode: o.Mode})
	case model.KindSearch:
		resp.Matches, err = c.session.Search(ctx, harness.SearchRequest{Project: name, Query: o.QueryText(c.target(o)), Limit: o.Limit})
		digest(resp.Matches)
	}
	resp.Status = model.StatusOK
	if err != nil {
		resp.Status, resp.Error, resp.Text = model.StatusError, harness.Classify(err), err.Error()
	}
	return resp
}

// digest keeps of what was found only the canaries, which is what it is judged by: all of it would not fit into memory.
func digest(matches []model.Match) {
	for i := range matches {
		var kept strings.Builder
		for _, c := range model.FindCanaries(matches[i].Content) {
			kept.WriteString(c.String() + " ")
		}
		matches[i].Content = kept.String()
	}
}

// merge makes one history of the clients', in the order of beginnings, and the program that it is a history of.
func (p *press) merge(setup int) {
	for i, c := range p.clients {
		entries := c.entries
		if i == 0 {
			for _, e := range entries[:setup] {
				e.Op.ID = len(p.h.Entries) + 1
				p.h.Entries = append(p.h.Entries, e)
				p.program.Setup = append(p.program.Setup, e.Op)
			}
			entries = entries[setup:]
		}
		p.h.Entries = append(p.h.Entries, entries...)
		c.entries = nil
	}
	race := p.h.Entries[setup:]
	slices.SortStableFunc(race, func(a, b history.Entry) int { return int(a.Start - b.Start) })
	for i := range race {
		race[i].Op.ID = setup + i + 1
		p.program.Race = append(p.program.Race, race[i].Op)
	}
}

// contents asks another service, which has seen nothing of the load, what every project holds.
func (p *press) contents(ctx context.Context, l *Lab, env harness.Env) error {
	env.MaxProjects = p.o.Projects
	return l.session(ctx, env, func(s harness.Session) error {
		cold := &press{o: p.o, began: p.began}
		c := &client{session: s, active: model.Active}
		for project := range p.o.Projects {
			cold.do(ctx, c, model.Op{Kind: model.KindSearch, Project: project, Query: model.QueryShared, Limit: model.MaxSearchLimit})
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		for _, e := range c.entries {
			e.Audit = true
			p.h.Entries = append(p.h.Entries, e)
		}
		return nil
	})
}
