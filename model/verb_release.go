package model

import "fmt"

// A release searches once through the lease before it gives it back: a lease that is held must serve,
// whatever became of its pool. Released twice, it does nothing the second time.
var verbRelease = verb{
	kind: KindRelease, name: "release", usage: "h1", weight: 8, optional: true,
	format: func(o Op) string { return fmt.Sprintf("h%d", o.Handle) },
	parse: func(a *args, o *Op) (err error) {
		o.Handle, err = a.number("a handle", "h", 1, maxHandle)
		return err
	},
	draw: func(d *drawer, o *Op) bool {
		if d.holds == 0 {
			return false
		}
		o.Handle = d.holds - d.src.Int("handle", 0, d.holds-1)
		return true
	},
	step: func(s *State, o Op, r Response) *Mismatch {
		l, ok := s.leases[o.Handle]
		if !ok || l.released {
			return expectOK(r)
		}
		if l.uncertain {
			// Perhaps it is released already: then nothing was searched.
			l.released = r.Status != StatusUnknown
			s.leases[o.Handle] = l
			return expectOK(r)
		}
		l.released = r.Status != StatusUnknown
		l.uncertain = !l.released
		s.leases[o.Handle] = l
		return s.CheckSearch(l.project, Op{Kind: KindSearch, Project: l.project}, r)
	},
}
