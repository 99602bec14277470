package model

import "fmt"

// A hold names its project: a lease belongs to the service, not to a session with an active project.
var verbHold = verb{
	kind: KindHold, name: "hold", usage: "p0 as h1", weight: 8, optional: true,
	format: func(o Op) string {
		return fmt.Sprintf("%s as h%d", formatProject(o.Project), o.Handle)
	},
	parse: func(a *args, o *Op) (err error) {
		if err = a.project(o, true); err != nil {
			return err
		}
		if err = a.word("as"); err != nil {
			return err
		}
		o.Handle, err = a.number("a handle", "h", 1, maxHandle)
		return err
	},
	draw: func(d *drawer, o *Op) bool {
		if d.holds >= drawnHolds {
			return false
		}
		o.Project = d.anyProject()
		d.holds++
		o.Handle = d.holds
		return true
	},
	step: func(s *State, o Op, r Response) *Mismatch {
		p, done, m := s.target(o, r)
		if done {
			return m
		}
		may, must := s.mayExist(p)
		if !may {
			return expectError(r, ErrUnknownProject)
		}
		if !must {
			s.loose = true
			if r.Status == StatusError && r.Error == ErrUnknownProject {
				return nil
			}
		}
		if r.Status == StatusUnknown {
			return nil // an error came back, so there is no lease
		}
		s.leases[o.Handle] = lease{project: p, instance: s.touch(p)}
		return expectOK(r)
	},
}
