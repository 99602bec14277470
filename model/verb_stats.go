package model

import (
	"fmt"
	"slices"
)

var verbStats = verb{
	kind: KindStats, name: "stats", weight: 8, optional: true,
	format: func(Op) string { return "" },
	parse:  func(*args, *Op) error { return nil },
	draw:   func(*drawer, *Op) bool { return true },
	step: func(s *State, _ Op, r Response) *Mismatch {
		if r.Status == StatusUnknown {
			return nil
		}
		if m := expectOK(r); m != nil {
			return m
		}
		if r.Stats == nil {
			return &Mismatch{"accounting", "no-stats", "statistics", "none"}
		}
		return s.checkStats(*r.Stats)
	},
}

// checkStats judges what must hold at any moment; while the order is known exactly, all of it.
func (s *State) checkStats(got Stats) *Mismatch {
	if m := s.checkBounds(got); m != nil || s.loose {
		return m
	}
	resident, _ := s.numbers(got.Pools)
	return s.checkExact(got, resident)
}

func (s *State) checkBounds(got Stats) *Mismatch {
	resident, unknown := s.numbers(got.Pools)
	if len(got.Pools) > s.program.MaxProjects || got.ActivePools > s.program.MaxProjects {
		return &Mismatch{"lru", "over-cap", fmt.Sprintf("at most %s", plural(s.program.MaxProjects, "pool")),
			fmt.Sprintf("%d: %s", max(got.ActivePools, len(got.Pools)), projectList(resident))}
	}
	if unknown != "" {
		return &Mismatch{"lru", "unknown-pool", "pools of the program's projects", fmt.Sprintf("one of %q", unknown)}
	}
	sorted := slices.Sorted(slices.Values(resident))
	if len(slices.Compact(sorted)) < len(resident) {
		return &Mismatch{"lru", "two-pools", "one pool a project", projectList(resident)}
	}
	if got.MaxProjects != s.program.MaxProjects {
		return count("max-projects", int64(s.program.MaxProjects), int64(got.MaxProjects))
	}
	if got.ActivePools != len(got.Pools) {
		return count("active-pools", int64(len(got.Pools)), int64(got.ActivePools))
	}
	return nil
}

func (s *State) checkExact(got Stats, resident []int) *Mismatch {
	want := s.Resident()
	if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(resident))) {
		return &Mismatch{"lru", "resident-set", projectList(want), projectList(resident)}
	}
	if !slices.Equal(want, resident) {
		return &Mismatch{"lru", "order", projectList(want) + ", most recently used first", projectList(resident)}
	}
	c := s.counters
	for _, n := range []struct {
		name      string
		want, got int64
	}{
		{"hits", c.hits, got.CacheHits}, {"misses", c.misses, got.CacheMisses}, {"creations", c.creations, got.Creations},
		{"evictions", c.evictions, got.Evictions}, {"drops", c.drops, got.Drops},
	} {
		if n.want != n.got {
			return count(n.name, n.want, n.got)
		}
	}
	// A pool that was released a moment ago may still be closing, so more than that is judged at rest only.
	if want := s.Evicted(); got.Draining < want {
		return count("draining", int64(want), int64(got.Draining))
	}
	return nil
}

func count(name string, want, got int64) *Mismatch {
	return &Mismatch{"accounting", name, fmt.Sprintf("%s = %d", name, want), fmt.Sprint(got)}
}

// numbers translates the service's names into the program's numbers.
func (s *State) numbers(pools []PoolStats) (resident []int, unknown string) {
	names := make([]string, s.program.Projects)
	for i := range names {
		names[i] = s.program.ProjectName(i)
	}
	for _, p := range pools {
		i := slices.Index(names, p.Project)
		if i < 0 {
			return resident, p.Project
		}
		resident = append(resident, i)
	}
	return resident, ""
}
