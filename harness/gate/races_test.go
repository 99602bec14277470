package gate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

// toy keeps a pool for each tenant, at most so many at a time, as services with too many tenants do. Its
// three operations have a fault each.
type toy struct {
	*stage
	most int

	mu    sync.Mutex
	open  map[string]*pgxpool.Pool
	order []string // the one used longest ago first
	made  int
}

func newToy(s *stage, most int) *toy {
	return &toy{stage: s, most: most, open: map[string]*pgxpool.Pool{}}
}

// use executes a statement on a tenant's pool. The fault: between the look-up and the acquisition another
// may evict the pool.
func (t *toy) use(ctx context.Context, tenant, sql string) error {
	t.mu.Lock()
	p := t.open[tenant]
	var victim *pgxpool.Pool
	if p == nil {
		if len(t.order) == t.most {
			victim = t.open[t.order[0]]
			delete(t.open, t.order[0])
			t.order = t.order[1:]
		}
		p = t.pool()
		t.open[tenant], t.order = p, append(t.order, tenant)
	}
	t.mu.Unlock()
	if victim != nil {
		victim.Close()
	}
	_, err := p.Exec(ctx, sql)
	return err
}

// create makes a tenant unless it is there. The fault: it looks, and then makes, under no lock.
func (t *toy) create(ctx context.Context, shared *pgxpool.Pool) error {
	var n int
	if err := shared.QueryRow(ctx, "SELECT count(*) FROM tally").Scan(&n); err != nil || n > 0 {
		return err
	}
	if _, err := shared.Exec(ctx, "INSERT INTO tally SELECT count(*), 1 FROM tally"); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made++
	return nil
}

// count adds one to a row. The fault: in two transactions, of which only the second locks it.
func (t *toy) count(ctx context.Context, shared *pgxpool.Pool) error {
	var n int
	if err := shared.QueryRow(ctx, "SELECT n FROM tally WHERE id = 0").Scan(&n); err != nil {
		return err
	}
	tx, err := shared.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "UPDATE tally SET n = $1 WHERE id = 0", n+1); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// race is a way to come to harm: it returns operations that race, and what tells how it went.
type race struct {
	name  string
	begin string // on the server, before
	ops   func(*toy) ([]gate.Op, func() string)
	well  string // how it goes without the fault
}

func races() []race {
	return []race{
		{"evicted pool", "TRUNCATE tally", func(t *toy) ([]gate.Op, func() string) {
			var errs [2]error
			return []gate.Op{
				t.op(1, func(ctx context.Context) { errs[0] = t.use(ctx, "a", "SELECT 'a'") }),
				t.op(2, func(ctx context.Context) { errs[1] = t.use(ctx, "b", "SELECT 'b'") }),
			}, func() string { return fmt.Sprint(errs) }
		}, "[<nil> <nil>]"},
		{"double create", "TRUNCATE tally", func(t *toy) ([]gate.Op, func() string) {
			var errs [2]error
			p := t.pool()
			return []gate.Op{
				t.op(1, func(ctx context.Context) { errs[0] = t.create(ctx, p) }),
				t.op(2, func(ctx context.Context) { errs[1] = t.create(ctx, p) }),
			}, func() string { return fmt.Sprint(errs, t.made, asked(t.tb, "SELECT count(*) FROM tally")) }
		}, "[<nil> <nil>] 1 1"},
		{"two transactions", "TRUNCATE tally; INSERT INTO tally VALUES (0, 0)", func(t *toy) ([]gate.Op, func() string) {
			var errs [2]error
			p := t.pool()
			return []gate.Op{
				t.op(1, func(ctx context.Context) { errs[0] = t.count(ctx, p) }),
				t.op(2, func(ctx context.Context) { errs[1] = t.count(ctx, p) }),
			}, func() string { return fmt.Sprint(errs, asked(t.tb, "SELECT n FROM tally")) }
		}, "[<nil> <nil>] 2"},
	}
}

// execute runs a race once, on a service of its own.
func (r race) execute(tb testing.TB, schedule []model.Intervention, strategy model.Strategy) (out gate.Outcome, result string) {
	tb.Helper()
	s := newStage(tb)
	defer s.end()
	control(tb, r.begin)
	ops, tell := r.ops(newToy(s, 1))
	out = s.plan(gate.Plan{Schedule: schedule, Strategy: gate.NewStrategy(strategy)}, ops...)
	ended(tb, out)
	result = tell()
	if broken := s.Broken(); len(broken) > 0 {
		tb.Errorf("connections broke: %q", broken)
	}
	return out, result
}

// strategies are those that draw, of one seed.
func strategies(seed uint64) []model.Strategy {
	return []model.Strategy{
		{Kind: model.RandomWalk, Seed: seed},
		{Kind: model.PCT, Depth: 2, Steps: 16, Seed: seed},
		{Kind: model.POS, Seed: seed},
	}
}

// seeds is in how many runs each of the races has to be found.
const seeds = 40

func TestRacesAreFound(t *testing.T) {
	for _, r := range races() {
		if _, result := r.execute(t, nil, model.Strategy{}); result != r.well {
			t.Errorf("%s: undisturbed: %s", r.name, result)
		}
		for _, kind := range strategies(0) {
			found := 0
			for kind.Seed = range uint64(seeds) {
				if _, result := r.execute(t, nil, kind); result != r.well {
					found++
				}
			}
			t.Logf("%s, %s: %d of %d", r.name, kind.Kind, found, seeds)
			if found == 0 {
				t.Errorf("%s: not found by %s", r.name, kind.Kind)
			}
		}
	}
}

// TestRealisedReplays runs drawn schedules, and what they came to again and again, while the other core is
// kept busy: the steps and the result are the same each time.
func TestRealisedReplays(t *testing.T) {
	if !exact {
		t.Log("with the race detector a replay may differ: only that it ends is looked at")
	}
	burning(t)
	replays, harmful := 0, 0
	for _, r := range races() {
		for seed := range uint64(4) {
			for _, strategy := range strategies(seed) {
				drawn, result := r.execute(t, nil, strategy)
				if result != r.well {
					harmful++
				}
				for range 20 {
					replays++
					again, came := r.again(t, drawn.Realised)
					if !exact {
						continue
					}
					if len(again.Diverged) > 0 || len(again.Stuck) > 0 {
						t.Fatalf("%s, %s: diverged %q, stuck %v", r.name, strategy, again.Diverged, again.Stuck)
					}
					if diff := cmp.Diff(drawn.Steps, again.Steps); diff != "" || came != result {
						t.Fatalf("%s, %s: %s, then %s\nschedule %v\nsteps (-drawn +replayed):\n%s", r.name, strategy, result, came, drawn.Realised, diff)
					}
					if diff := cmp.Diff(drawn.Realised, again.Realised); diff != "" {
						t.Fatalf("%s, %s: realised (-drawn +replayed):\n%s", r.name, strategy, diff)
					}
				}
			}
		}
	}
	t.Logf("%d replays of %d schedules, of which %d did harm", replays, replays/20, harmful)
}

// again is execute for a replay, which may diverge under the race detector.
func (r race) again(t *testing.T, schedule []model.Intervention) (gate.Outcome, string) {
	t.Helper()
	s := newStage(t)
	defer s.end()
	control(t, r.begin)
	ops, tell := r.ops(newToy(s, 1))
	out := s.run(schedule, ops...)
	<-out.Ended
	return out, tell()
}

// TestStrategiesArePure draws the same twice for one seed, and not for all seeds.
func TestStrategiesArePure(t *testing.T) {
	choices := func(s model.Strategy) string {
		strategy := gate.NewStrategy(s)
		strategy.Begin(3)
		var text strings.Builder
		for step := range 60 {
			c := gate.Choice{Step: step, Default: step % 2}
			for op := 1 + step%2; op <= 3; op++ {
				c.Ready = append(c.Ready, gate.Thread{At: model.Point{Op: op, Nth: step}, Session: op - 1})
			}
			fmt.Fprint(&text, strategy.Next(c), " ")
		}
		return text.String() + fmt.Sprint(strategy.End())
	}
	different := map[string]bool{}
	for seed := range uint64(50) {
		for _, s := range append(strategies(seed), model.Strategy{}) {
			once := choices(s)
			if twice := choices(s); once != twice {
				t.Errorf("%s:\n%s\n%s", s, once, twice)
			}
			different[s.Kind.String()+once] = true
		}
	}
	if len(different) < 50 {
		t.Errorf("only %d different lists of choices in 101", len(different))
	}
}
