package model

import (
	"fmt"
	"strings"
)

var verbIndex = verb{
	kind: KindIndex, name: "index", weight: 30,
	usage: "[p0] rev=1 files=2 [mode=incremental|full|forced]",
	format: func(o Op) string {
		s := fmt.Sprintf("rev=%d files=%d", o.Revision, o.Files)
		if o.Project != Active {
			s = formatProject(o.Project) + " " + s
		}
		if o.Mode != Incremental {
			s += " mode=" + o.Mode.String()
		}
		return s
	},
	parse: func(a *args, o *Op) (err error) {
		if err = a.project(o, false); err != nil {
			return err
		}
		if o.Revision, err = a.number("a revision", "rev=", 1, MaxRevision); err != nil {
			return err
		}
		if o.Files, err = a.number("a number of files", "files=", 0, MaxFiles); err != nil {
			return err
		}
		t, ok := a.peek()
		if mode, is := strings.CutPrefix(t.text, "mode="); ok && is {
			i, err := a.oneOf(token{mode, t.column}, "mode", indexModes)
			if err != nil {
				return err
			}
			o.Mode = IndexMode(i)
			a.rest = a.rest[1:]
		}
		return nil
	},
	draw: func(d *drawer, o *Op) bool {
		o.Project = d.project(*o)
		// Mostly a new revision; sometimes one that was there before.
		if d.src.Int("old revision", 0, 7) == 7 {
			o.Revision = d.src.Int("revision", 1, max(1, d.revision))
		} else {
			d.revision = min(d.revision+1, MaxRevision)
			o.Revision = d.revision
		}
		o.Files = d.src.Int("files", 1, drawnFiles)
		if d.src.Int("no files", 0, 19) == 19 {
			o.Files = 0
		}
		o.Mode = IndexMode(d.src.Int("mode", 0, len(indexModes)-1))
		return true
	},
	step: stepIndex,
	simpler: func(o Op) []Op {
		var out []Op
		add := func(change func(*Op)) {
			n := o
			change(&n)
			if n != o {
				out = append(out, n)
			}
		}
		add(func(n *Op) { n.Revision, n.Files, n.Mode = 1, 1, Incremental })
		add(func(n *Op) { n.Mode = Incremental })
		add(func(n *Op) { n.Files = 1 })
		add(func(n *Op) { n.Revision = 1 })
		if o.Files > 2 {
			add(func(n *Op) { n.Files = 2 })
			add(func(n *Op) { n.Files-- })
		}
		if o.Revision > 2 {
			add(func(n *Op) { n.Revision = 2 })
			add(func(n *Op) { n.Revision-- })
		}
		return out
	},
}

func stepIndex(s *State, o Op, r Response) *Mismatch {
	next := content{true, o.Revision, o.Files}
	if ps := s.projects(o); len(ps) > 1 {
		for _, p := range ps {
			if p != Active {
				s.maybe(p, next)
			}
		}
		return nil
	}
	p, done, m := s.target(o, r)
	if done {
		return m
	}
	if r.Status == StatusUnknown {
		// Written or not; a project that was new may also be provisioned and still empty. One that was
		// there keeps what it held until the new revision is there: an interrupted index loses nothing.
		if _, must := s.mayExist(p); !must {
			s.maybe(p, content{exists: true})
		}
		s.maybe(p, next)
		return nil
	}
	s.touch(p)
	if m := expectOK(r); m != nil {
		return m
	}
	s.contents[p] = []content{next}
	return nil
}
