package model

import "slices"

// Recency is the LRU's part of a State: which pools are resident, in which order, and the counters. It
// is a value that its methods leave alone.
type Recency struct {
	program  Program
	resident []int // projects, most recently used first
	counters counters
}

// Recency returns the LRU's part of the state.
func (s *State) Recency() Recency {
	return Recency{program: s.program, resident: s.Resident(), counters: s.counters}
}

// Equal reports whether two are the same.
func (r Recency) Equal(q Recency) bool {
	return slices.Equal(r.resident, q.resident) && r.counters == q.counters
}

func (r Recency) String() string { return projectList(r.resident) }

// Touch returns the recency after an acquire of the project's pool.
func (r Recency) Touch(project int) Recency {
	s := r.state()
	s.touch(project)
	return s.Recency()
}

// Drop returns the recency after a drop of the project.
func (r Recency) Drop(project int) Recency {
	kept := slices.DeleteFunc(slices.Clone(r.resident), func(p int) bool { return p == project })
	r.counters.drops += int64(len(r.resident) - len(kept))
	r.resident = kept
	return r
}

func (r Recency) state() *State {
	s := &State{program: r.program, counters: r.counters}
	for _, p := range r.resident {
		s.resident = append(s.resident, pool{project: p})
	}
	return s
}

// Check says how statistics taken at this moment are impossible. Who waits for a pool that another
// operation creates has missed it, so hits and misses are known by their sum only.
func (r Recency) Check(got Stats) *Mismatch {
	s := r.state()
	if m := s.checkBounds(got); m != nil {
		return m
	}
	resident, _ := s.numbers(got.Pools)
	want, c := r.resident, r.counters
	switch {
	case !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(resident))):
		return &Mismatch{"lru", "resident-set", projectList(want), projectList(resident)}
	case !slices.Equal(want, resident):
		return &Mismatch{"lru", "order", projectList(want) + ", most recently used first", projectList(resident)}
	case c.hits+c.misses != got.CacheHits+got.CacheMisses:
		return count("acquisitions", c.hits+c.misses, got.CacheHits+got.CacheMisses)
	case c.evictions != got.Evictions:
		return count("evictions", c.evictions, got.Evictions)
	case c.creations != got.Creations:
		return count("creations", c.creations, got.Creations)
	case c.drops != got.Drops:
		return count("drops", c.drops, got.Drops)
	}
	return nil
}

// CheckBounds judges statistics by what holds at any moment, whatever goes on: the cap, one pool a
// project, pools of the program's projects only.
func (p Program) CheckBounds(got Stats) *Mismatch { return (&State{program: p}).checkBounds(got) }

// Touches reports whether an operation that answered r has acquired a pool, and whether that is certain.
func (o Op) Touches(r Response) (touched, certain bool) {
	switch o.Kind {
	case KindIndex, KindSearch, KindHold:
	default:
		return false, true
	}
	switch r.Status {
	case StatusOK:
		return true, true
	case StatusUnknown:
		return false, false
	case StatusError:
		// An operation that was refused before it got to a pool. Any other error is reported as such.
		return false, r.Error != ErrOther
	}
	return false, r.Status == StatusSkipped
}
