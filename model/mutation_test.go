package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

// mutation makes a right answer wrong. It returns false where the answer is not of its kind.
type mutation struct {
	name   string
	want   []string // the fingerprints of which one must be given
	change func(model.Program, model.Op, *model.Response) bool
}

// found returns the matches' project and revision, where there are any.
func found(r *model.Response) (model.Canary, bool) {
	if r.Status != model.StatusOK || len(r.Matches) == 0 {
		return model.Canary{}, false
	}
	return model.FindCanaries(r.Matches[0].Content)[0], true
}

// limit returns how many matches the operation may give.
func limit(o model.Op) int {
	if o.Kind == model.KindSearch && o.Limit > 0 {
		return o.Limit
	}
	return model.DefaultLimit
}

func rewrite(r *model.Response, i int, from, to model.Canary) {
	r.Matches[i].Content = strings.ReplaceAll(r.Matches[i].Content, from.String(), to.String())
}

// shift gives n matches' canaries another revision.
func shift(r *model.Response, n, by int) {
	for i := range n {
		c := model.FindCanaries(r.Matches[i].Content)[0]
		d := c
		d.Revision += by
		rewrite(r, i, c, d)
	}
}

func onStats(change func(model.Program, *model.Stats) bool) func(model.Program, model.Op, *model.Response) bool {
	return func(p model.Program, _ model.Op, r *model.Response) bool { return r.Stats != nil && change(p, r.Stats) }
}

func counter(name string, field func(*model.Stats) *int64) []mutation {
	var ms []mutation
	for _, by := range []int64{1, -1} {
		ms = append(ms, mutation{fmt.Sprintf("%s off by %d", name, by), []string{"accounting/" + name}, onStats(func(_ model.Program, s *model.Stats) bool {
			*field(s) += by
			return true
		})})
	}
	return ms
}

func mutations() []mutation {
	ms := []mutation{
		{"a foreign canary in a match", []string{"isolation/foreign"}, func(p model.Program, _ model.Op, r *model.Response) bool {
			c, ok := found(r)
			c.Project = (c.Project + 1) % max(2, p.Projects)
			if ok {
				last := &r.Matches[len(r.Matches)-1]
				last.Content += "\n// " + c.String()
			}
			return ok
		}},
		{"a foreign canary in a path", []string{"isolation/foreign"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			c, ok := found(r)
			c.Project++
			if ok {
				r.Matches[0].Path = c.String() + ".go"
			}
			return ok
		}},
		{"a foreign match where there is nothing", []string{"isolation/foreign"}, func(_ model.Program, o model.Op, r *model.Response) bool {
			if o.Kind != model.KindSearch || o.Query != model.QueryForeign || r.Status != model.StatusOK || len(r.Matches) > 0 || o.Project == o.Foreign {
				return false
			}
			if o.Project == model.Active {
				return false // perhaps it is the foreign one, whose repository is empty
			}
			r.Matches = []model.Match{{Path: model.FilePath(0), StartLine: 1, Content: model.Canary{Project: o.Foreign, Revision: 1}.String()}}
			return true
		}},
		{"a stale revision", []string{"search/stale"}, func(_ model.Program, o model.Op, r *model.Response) bool {
			c, ok := found(r)
			if ok = ok && c.Revision > 1; ok {
				shift(r, len(r.Matches), -1)
			}
			return ok
		}},
		{"a revision that never was", []string{"search/phantom"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			_, ok := found(r)
			if ok {
				shift(r, len(r.Matches), 1)
			}
			return ok
		}},
		{"two revisions", []string{"search/torn"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			c, ok := found(r)
			if ok = ok && len(r.Matches) > 1; ok {
				by := 1
				if c.Revision > 1 {
					by = -1
				}
				shift(r, len(r.Matches)-1, by)
			}
			return ok
		}},
		{"a file left out", []string{"search/torn"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			_, ok := found(r)
			if ok = ok && len(r.Matches) > 1; ok {
				r.Matches = slices.Delete(slices.Clone(r.Matches), 0, 1)
			}
			return ok
		}},
		{"nothing found", []string{"search/lost"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			_, ok := found(r)
			r.Matches = nil
			return ok
		}},
		{"a match twice", []string{"search/duplicate", "search/over-limit"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			_, ok := found(r)
			if ok {
				r.Matches = append(slices.Clone(r.Matches), r.Matches[0])
			}
			return ok
		}},
		{"more than the limit", []string{"search/over-limit"}, func(_ model.Program, o model.Op, r *model.Response) bool {
			_, ok := found(r)
			for i := 0; ok && len(r.Matches) <= limit(o); i++ {
				m := r.Matches[0]
				m.StartLine = 100 + i
				r.Matches = append(r.Matches, m)
			}
			return ok
		}},
		{"a file that is not there", []string{"search/phantom"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			c, ok := found(r)
			if ok {
				d := c
				d.File = model.MaxFiles
				rewrite(r, 0, c, d)
				r.Matches[0].Path = model.FilePath(d.File)
			}
			return ok
		}},
		{"a match without a canary", []string{"search/phantom"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			_, ok := found(r)
			if ok {
				r.Matches[len(r.Matches)-1].Content = "func main() {}"
			}
			return ok
		}},
		{"a wrong path", []string{"search/misplaced"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			c, ok := found(r)
			if ok {
				r.Matches[0].Path = model.FilePath(c.File + 1)
				r.Matches = r.Matches[:1]
			}
			return ok && len(r.Matches) == 1
		}},
		{"an error for a success", []string{"errors/unexplained-other"}, func(_ model.Program, o model.Op, r *model.Response) bool {
			ok := r.Status == model.StatusOK && o.Kind != model.KindCancel
			*r = failed(model.ErrOther)
			return ok
		}},
		{"a success for an error", []string{"errors/missing-no-active-project", "errors/missing-unknown-project", "errors/missing-in-use", "errors/missing-bad-limit"},
			func(_ model.Program, _ model.Op, r *model.Response) bool {
				ok := r.Status == model.StatusError
				*r = okay
				return ok
			}},
		{"another error", []string{"errors/unexplained-closed"}, func(_ model.Program, o model.Op, r *model.Response) bool {
			ok := r.Status == model.StatusError
			*r = failed(model.ErrClosed)
			return ok
		}},
		{"no outcome", []string{"errors/unset"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			*r = model.Response{}
			return true
		}},
		{"no statistics", []string{"accounting/no-stats"}, func(_ model.Program, _ model.Op, r *model.Response) bool {
			ok := r.Stats != nil
			r.Stats = nil
			return ok
		}},
		{"two pools in the wrong order", []string{"lru/order"}, onStats(func(_ model.Program, s *model.Stats) bool {
			if len(s.Pools) < 2 {
				return false
			}
			s.Pools[0], s.Pools[1] = s.Pools[1], s.Pools[0]
			return true
		})},
		{"a pool gone", []string{"lru/resident-set"}, onStats(func(_ model.Program, s *model.Stats) bool {
			if len(s.Pools) == 0 {
				return false
			}
			s.Pools = s.Pools[1:]
			s.ActivePools--
			return true
		})},
		{"the wrong one evicted", []string{"lru/resident-set"}, onStats(func(p model.Program, s *model.Stats) bool {
			for i := range p.Projects {
				name := p.ProjectName(i)
				if len(s.Pools) > 0 && !slices.ContainsFunc(s.Pools, func(q model.PoolStats) bool { return q.Project == name }) {
					s.Pools[0].Project = name
					return true
				}
			}
			return false
		})},
		{"two pools of one project", []string{"lru/two-pools", "lru/over-cap"}, onStats(func(_ model.Program, s *model.Stats) bool {
			if len(s.Pools) == 0 {
				return false
			}
			s.Pools = append(s.Pools, s.Pools[0])
			s.ActivePools++
			return true
		})},
		{"over the cap", []string{"lru/over-cap"}, onStats(func(p model.Program, s *model.Stats) bool {
			for i := 0; len(s.Pools) <= p.MaxProjects; i++ {
				s.Pools = append(s.Pools, model.PoolStats{Project: p.ProjectName(i)})
			}
			s.ActivePools = len(s.Pools)
			return true
		})},
		{"a stranger's pool", []string{"lru/unknown-pool"}, onStats(func(_ model.Program, s *model.Stats) bool {
			if len(s.Pools) == 0 {
				return false
			}
			s.Pools[0].Project = "postgres"
			return true
		})},
		{"active_pools too high", []string{"accounting/active-pools", "lru/over-cap"}, onStats(func(_ model.Program, s *model.Stats) bool {
			s.ActivePools++
			return true
		})},
		{"active_pools too low", []string{"accounting/active-pools"}, onStats(func(_ model.Program, s *model.Stats) bool {
			s.ActivePools--
			return true
		})},
		{"max_projects wrong", []string{"accounting/max-projects"}, onStats(func(_ model.Program, s *model.Stats) bool {
			s.MaxProjects++
			return true
		})},
		{"a draining pool forgotten", []string{"accounting/draining"}, onStats(func(_ model.Program, s *model.Stats) bool {
			s.Draining--
			return s.Draining >= 0
		})},
	}
	ms = append(ms, counter("hits", func(s *model.Stats) *int64 { return &s.CacheHits })...)
	ms = append(ms, counter("misses", func(s *model.Stats) *int64 { return &s.CacheMisses })...)
	ms = append(ms, counter("creations", func(s *model.Stats) *int64 { return &s.Creations })...)
	ms = append(ms, counter("evictions", func(s *model.Stats) *int64 { return &s.Evictions })...)
	return append(ms, counter("drops", func(s *model.Stats) *int64 { return &s.Drops })...)
}

// copied returns a response that can be changed without changing r.
func copied(r model.Response) model.Response {
	r.Matches = slices.Clone(r.Matches)
	if r.Stats != nil {
		s := *r.Stats
		s.Pools = slices.Clone(s.Pools)
		r.Stats = &s
	}
	return r
}

// TestEveryWrongAnswerIsAccused makes each right answer of a correct service wrong in every way there
// is, one at a time, and expects the accusation to be the one for it.
func TestEveryWrongAnswerIsAccused(t *testing.T) {
	ms := mutations()
	made := map[string]int{}
	for seed := range max(300, oracleSeeds()/5) {
		p := drawn(seed)
		ref, state, tr := newReference(p), model.NewState(p), &trace{}
		for _, o := range p.Ops() {
			right := ref.do(o)
			tr.add(o, right)
			for _, m := range ms {
				wrong := copied(right)
				if !m.change(p, o, &wrong) {
					continue
				}
				made[m.name]++
				got := state.Clone().Step(o, wrong)
				if !slices.Contains(m.want, fingerprint(got)) {
					t.Fatalf("seed %d: %s: the oracle says %q, not %q\n%s%s%+v", seed, m.name, fingerprint(got), m.want, p, tr, wrong)
				}
				if got.Want == "" || got.Got == "" {
					t.Fatalf("%s: nothing says what was expected: %+v", m.name, got)
				}
			}
			state.Step(o, right)
		}
	}
	for _, m := range ms {
		if made[m.name] < 5 {
			t.Errorf("%s was tried %d times", m.name, made[m.name])
		}
	}
	t.Logf("tried: %v", made)
}
