package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// TuneOptions say what is tried, and with which load.
type TuneOptions struct {
	// Repository is indexed into every project.
	Repository *Repository
	// Projects are how many tenants there are.
	Projects int
	// MaxProjects and Conns are the numbers of resident pools, and of connections one pool may have, to be tried.
	MaxProjects, Conns []int
	// Clients are how many clients search at once.
	Clients int
	// Duration is how long each of a turn's two loads lasts.
	Duration time.Duration
	// Rounds are how often each cell has its turn, after one that is not counted.
	Rounds int
	// Rate is how many searches a second are meant to begin in the load that latencies are taken from; 0 means half of
	// what the middle cell was seen to do.
	Rate float64
	// Seed is what the queries and the projects are drawn from.
	Seed uint64
}

// TuneServer is one of the servers that are tried.
type TuneServer struct {
	Lab *Lab
	// SharedBuffers is what the server was started with; "" where it was left alone.
	SharedBuffers string
}

// Cell is one combination of the settings that were tried.
type Cell struct {
	// Name begins the names of the cell's metrics.
	Name          string `json:"name"`
	MaxProjects   int    `json:"max_projects"`
	Conns         int    `json:"conns_per_pool"`
	SharedBuffers string `json:"shared_buffers"`
}

// The metrics of a cell, after its name.
const (
	CellPerSecond = "_per_second"
	CellP95       = "_p95"
	CellEvictions = "_evictions"
	CellHitRate   = "_hit_rate"
	CellBackends  = "_backends"
	CellFailures  = "_failures"
)

// tuneQueries are how many different searches there are.
const tuneQueries = 100

// Tune tries every combination of the settings on every server, by turns, and says which to take. Where ctx ends
// meanwhile, the result of the turns that were complete is returned beside ctx's error.
func Tune(ctx context.Context, servers []TuneServer, o TuneOptions) (_ *Result, err error) {
	t := &tuner{o: o, rate: o.Rate}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.Lab.finish(ctx, roomTune))
		}
	}()
	if err := t.prepare(ctx, servers); err != nil {
		return nil, err
	}
	stopped := t.rounds(ctx)
	if stopped != nil && ctx.Err() == nil {
		return nil, stopped
	}
	r := t.report()
	if r == nil {
		return nil, stopped
	}
	return r, errors.Join(ctx.Err(), r.Validate())
}

// tuner tries cells.
type tuner struct {
	o       TuneOptions
	rate    float64
	queries []Query
	targets []int // the project that request i concerns, over and over
	cells   []*tuned
	result  Result
	round   int // complete ones
}

// prepare indexes all projects on every server, and lists the cells.
func (t *tuner) prepare(ctx context.Context, servers []TuneServer) (err error) {
	settings, err := servers[0].Lab.serverSettings(ctx)
	if err != nil {
		return err
	}
	t.result = newResult(KindTune, servers[0].Lab, settings)
	if t.queries, err = t.o.Repository.Queries(t.o.Seed, tuneQueries); err != nil {
		return err
	}
	t.targets = skewed(t.o.Seed, t.o.Projects)
	var buffers []string
	for i, s := range servers {
		own, err := s.Lab.serverSettings(ctx)
		if err != nil {
			return err
		}
		buffers = append(buffers, own["shared_buffers"])
		s.Lab.step(i, len(servers), "indexing %d projects, shared_buffers %s", t.o.Projects, own["shared_buffers"])
		if err := s.Lab.indexAll(ctx, t.o); err != nil {
			return err
		}
		for _, most := range t.o.MaxProjects {
			for _, conns := range t.o.Conns {
				t.cells = append(t.cells, newTuned(s.Lab, most, conns, own["shared_buffers"]))
			}
		}
	}
	t.result.Server["shared_buffers"] = strings.Join(buffers, ", ")
	t.describe()
	return nil
}

func (t *tuner) describe() {
	r := &t.result
	for _, s := range []struct {
		name  string
		value any
	}{
		{"projects", t.o.Projects}, {"max_projects", t.o.MaxProjects}, {"conns_per_pool", t.o.Conns}, {"clients", t.o.Clients},
		{"duration", t.o.Duration}, {"query_seed", t.o.Seed}, {"shared_buffers", r.Server["shared_buffers"]},
	} {
		r.set(s.name, strings.Trim(fmt.Sprint(s.value), "[]"))
	}
	t.o.Repository.describe(r)
	r.note("projects are asked as 1, ½, ⅓, …: the first most, the last least")
}

// indexAll indexes the repository into every project.
func (l *Lab) indexAll(ctx context.Context, o TuneOptions) error {
	if err := l.clear(ctx, roomTune); err != nil {
		return err
	}
	return l.session(ctx, l.env(roomTune, o.Projects, 2), func(s harness.Session) error {
		for project := range o.Projects {
			if err := s.Index(ctx, harness.IndexRequest{Project: projectName(project), Repo: o.Repository.FS()}); err != nil {
				return fmt.Errorf("index %s: %w", projectName(project), err)
			}
		}
		return nil
	})
}

// skewed draws which project each request concerns: the k-th with a weight of 1 ÷ k, as tenants are.
func skewed(seed uint64, projects int) []int {
	const scale, drawn = 1_000_000, 10_000
	draw := model.NewSource(seed)
	var upTo []int
	sum := 0
	for k := range projects {
		sum += scale / (k + 1)
		upTo = append(upTo, sum)
	}
	targets := make([]int, drawn)
	for i := range targets {
		targets[i], _ = slices.BinarySearch(upTo, draw.Int("project", 1, sum))
	}
	return targets
}

// rounds gives every cell its turns. The first round warms up, and says which rate they all can bear.
func (t *tuner) rounds(ctx context.Context) error {
	for round := range t.o.Rounds + 1 {
		for i := range t.cells {
			at := i
			if round%2 == 1 { // no cell always follows the same one
				at = len(t.cells) - 1 - i
			}
			c := t.cells[at]
			c.lab.step(round*len(t.cells)+i, (t.o.Rounds+1)*len(t.cells), "round %d of %d: %s", round, t.o.Rounds, c.Cell)
			if err := t.turn(ctx, c, round); err != nil {
				return err
			}
		}
		if round == 0 && t.rate == 0 {
			t.rate = t.middleRate()
		}
		t.round = round
	}
	return nil
}

// middleRate is half of what the middle cell did when nothing bounded it.
func (t *tuner) middleRate() float64 {
	var seen []float64
	for _, c := range t.cells {
		seen = append(seen, c.warm)
	}
	return max(1, Summarize(seen).P50/2)
}

// report puts together what was measured; nil where that is nothing.
func (t *tuner) report() *Result {
	r := &t.result
	r.set("rate", fmt.Sprintf("%.0f/s", t.rate))
	if t.o.Rate == 0 {
		// What the machine bears is no setting: it would differ in every run.
		r.set("rate", "half of what the middle cell does")
		r.note("latencies are of %.0f searches a second, from when each was meant to begin", t.rate)
	}
	for _, c := range t.cells {
		if len(c.perSecond) > 0 {
			c.report(r)
		}
	}
	if len(r.Cells) == 0 {
		return nil
	}
	r.Choose()
	r.judge()
	if t.round < t.o.Rounds {
		r.Verdict = Unclear
		r.note("interrupted after %d of %d rounds: fewer turns, and some cells may have one less", t.round, t.o.Rounds)
	}
	return r
}

// String is a cell in words.
func (c Cell) String() string {
	return fmt.Sprintf("%d pools of %d connections, shared_buffers %s", c.MaxProjects, c.Conns, c.SharedBuffers)
}
