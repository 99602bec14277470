package model_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

// scheduled draws a program of which a part races under a schedule.
func scheduled(t *rapid.T) model.Program {
	p := model.Generate(&rapidSource{t}, model.DefaultBounds())
	at := rapid.IntRange(0, len(p.Setup)).Draw(t, "race from")
	p.Race = slices.DeleteFunc(slices.Clone(p.Setup[at:]), func(o model.Op) bool { return o.Kind == model.KindRestart })
	p.Setup = p.Setup[:at:at]
	p = p.Without() // a cancel of a restart that stood in the race
	ops := p.Ops()
	if len(ops) == 0 {
		return p
	}
	id := rapid.Custom(func(t *rapid.T) int { return ops[rapid.IntRange(0, len(ops)-1).Draw(t, "op")].ID })
	for range rapid.IntRange(0, 4).Draw(t, "interventions") {
		in := model.Intervention{At: anyPoint(t, id)}
		if in.To = id.Draw(t, "to"); in.To == in.At.Op || rapid.Bool().Draw(t, "fault") {
			in.Kind, in.To, in.Fault = model.Fault, 0, rapid.SampledFrom(model.Faults).Draw(t, "fault")
		}
		p.Schedule = append(p.Schedule, in)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

// anyPoint draws a point of an operation.
func anyPoint(t *rapid.T, id *rapid.Generator[int]) model.Point {
	p := model.Point{Op: id.Draw(t, "at"), Kind: rapid.SampledFrom(model.PointKinds()).Draw(t, "point"), Nth: 1}
	if p.Kind != model.AtStart {
		p.Nth = rapid.IntRange(1, 9).Draw(t, "nth")
	}
	if p.Kind == model.AtCode {
		p.Site = rapid.SampledFrom([]string{"s.f:before-lock:1", "s.(*T[...]).f.func1:after-unlock:12"}).Draw(t, "site")
	}
	return p
}

func unchanged(t *rapid.T, p model.Program, before string) {
	t.Helper()
	if p.String() != before {
		t.Fatalf("the program it was made from is now\n%s, was\n%s", p, before)
	}
}

func TestWithout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scheduled(t)
		before := p.String()
		var gone []int
		for _, o := range p.Ops() {
			if rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				gone = append(gone, o.ID)
			}
		}
		q := p.Without(gone...)
		unchanged(t, p, before)
		if err := q.Validate(); err != nil {
			t.Fatalf("without %v: %v\n%s", gone, err, q)
		}
		left := map[int]model.Op{}
		for _, o := range q.Ops() {
			left[o.ID] = o
			if slices.Contains(gone, o.ID) {
				t.Fatalf("%s is still there", o)
			}
		}
		for _, o := range p.Ops() {
			now, is := left[o.ID]
			if is && now != o {
				t.Fatalf("%s became %s", o, now)
			}
			depends := o.Kind == model.KindCancel || o.Kind == model.KindRelease
			if !is && !slices.Contains(gone, o.ID) && !depends {
				t.Fatalf("%s went along with %v", o, gone)
			}
		}
		if same := p.Without(); same.String() != before {
			t.Fatalf("without nothing:\n%s, was\n%s", same, before)
		}
		if again := q.Without(gone...); again.String() != q.String() {
			t.Fatal("a second time changes it again")
		}
		// In one go or one by one comes to the same.
		one := p
		for _, id := range gone {
			one = one.Without(id)
		}
		if d := cmp.Diff(q, one, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("one by one (-at once +one by one):\n%s", d)
		}
	})
}

func TestWithoutTakesAlong(t *testing.T) {
	p := parse(t, small("#1 s0 hold p0 as h1", "#2 s0 release h1", "#3 s0 cancel #2", "#4 s0 cancel #3", "#5 s0 stats",
		"schedule", "preempt #5 at message 1 to #2", "preempt #4 at message 1 to #5", "fault #5 at message 1 cut"))
	want := parse(t, small("#5 s0 stats", "schedule", "fault #5 at message 1 cut"))
	if d := cmp.Diff(want, p.Without(1)); d != "" {
		t.Errorf("without its hold, a release, its cancel and the cancel's cancel go (-want +got):\n%s", d)
	}
}

func TestRenumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scheduled(t)
		p = p.Without(rapid.SliceOfN(rapid.IntRange(1, 30), 0, 5).Draw(t, "gaps")...)
		before := p.String()
		q := p.Renumber()
		unchanged(t, p, before)
		if err := q.Validate(); err != nil {
			t.Fatalf("%v\n%s", err, q)
		}
		handles := 0
		ids := map[int]int{}
		for i, o := range q.Ops() {
			if o.ID != i+1 {
				t.Fatalf("%s is number %d", o, i+1)
			}
			if o.Kind == model.KindHold {
				handles++
				if o.Handle != handles {
					t.Fatalf("%s is hold number %d", o, handles)
				}
			}
			ids[p.Ops()[i].ID] = o.ID
		}
		for i, o := range p.Ops() {
			n := q.Ops()[i]
			if o.Kind == model.KindCancel && ids[o.Target] != n.Target {
				t.Fatalf("%s became %s", o, n)
			}
			n.ID, n.Target, n.Handle = o.ID, o.Target, o.Handle
			if n != o {
				t.Fatalf("%s became %s", o, n)
			}
		}
		for i, in := range p.Schedule {
			n := q.Schedule[i]
			if n.At.Op = in.At.Op; ids[in.At.Op] != q.Schedule[i].At.Op || n.At != in.At || in.Kind == model.Preempt && ids[in.To] != n.To {
				t.Fatalf("%s became %s", in, n)
			}
		}
		if again := q.Renumber(); again.String() != q.String() {
			t.Fatal("a second time changes it again")
		}
		// Programs that differ only in their numbers become one.
		shifted := p.Edit(func(o model.Op) model.Op {
			o.ID += 100
			if o.Kind == model.KindCancel {
				o.Target += 100
			}
			if o.Kind == model.KindHold || o.Kind == model.KindRelease {
				o.Handle += 7
			}
			return o
		})
		for i := range shifted.Schedule {
			shifted.Schedule[i].At.Op += 100
			if shifted.Schedule[i].Kind == model.Preempt {
				shifted.Schedule[i].To += 100
			}
		}
		if shifted.Renumber().String() != q.String() {
			t.Fatalf("other numbers, another program:\n%s\n%s", q, shifted.Renumber())
		}
	})
}

// TestRenumberKeepsVerdicts: numbers mean nothing to a service, nor to the oracle.
func TestRenumberKeepsVerdicts(t *testing.T) {
	for seed := range uint64(200) {
		p := drawn(seed).Without(2, 3, 5)
		q := p.Renumber()
		a, b := newReference(p), newReference(q)
		for i, o := range p.Ops() {
			if d := cmp.Diff(a.do(o), b.do(q.Ops()[i])); d != "" {
				t.Fatalf("seed %d: %s and %s are answered differently:\n%s", seed, o, q.Ops()[i], d)
			}
		}
	}
}

func TestMapProjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scheduled(t)
		before := p.String()
		perm := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range p.Projects {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "permutation")
		back := make([]int, len(perm))
		for i, j := range perm {
			back[j] = i
		}
		q := p.MapProjects(func(i int) int { return perm[i] })
		unchanged(t, p, before)
		if err := q.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := q.MapProjects(func(i int) int { return back[i] }); got.String() != before {
			t.Fatalf("there and back:\n%s\nwas\n%s", got, before)
		}
		for i, o := range p.Ops() {
			if n := q.Ops()[i]; o.TakesProject() && (o.Project == model.Active) != (n.Project == model.Active) {
				t.Fatalf("%s became %s", o, n)
			}
		}
		var renamed []int
		for _, i := range p.UsedProjects() {
			renamed = append(renamed, perm[i])
		}
		if got := q.UsedProjects(); !slices.Equal(got, renamed) {
			t.Fatalf("used are %v, not %v", got, renamed)
		}
	})
}

func TestUsedProjects(t *testing.T) {
	p := parse(t, small("#1 s0 stats", "#2 s0 search foreign=p2", "#3 s0 switch p1", "#4 s0 search p1 own", "#5 s0 search p0 rev=1"))
	if got, want := p.UsedProjects(), []int{2, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("used are %v, want %v", got, want)
	}
}

// TestSimpler: simpler forms are valid, keep what the shrinker changes on its own, and never lead back.
func TestSimpler(t *testing.T) {
	forms := 0
	rapid.Check(t, func(t *rapid.T) {
		p := scheduled(t)
		if p.Len() == 0 {
			return
		}
		o := rapid.SampledFrom(p.Ops()).Draw(t, "operation")
		seen := map[model.Op]bool{}
		for todo := []model.Op{o}; len(todo) > 0; todo = todo[1:] {
			for _, s := range todo[0].Simpler() {
				forms++
				if s.ID != o.ID || s.Session != o.Session || s.Kind != o.Kind || s.Project != o.Project {
					t.Fatalf("%s became %s", o, s)
				}
				if s == o {
					t.Fatalf("%s is simpler than %s, which is simpler than it", s, todo[0])
				}
				q := p.Edit(func(x model.Op) model.Op {
					if x.ID == o.ID {
						return s
					}
					return x
				})
				if err := q.Validate(); err != nil {
					t.Fatalf("simpler than %s: %v", o, err)
				}
				if !seen[s] {
					seen[s] = true
					todo = append(todo, s)
				}
			}
		}
	})
	if forms == 0 {
		t.Error("nothing has a simpler form")
	}
}

func TestClone(t *testing.T) {
	p := parse(t, "program v1\nmode gated\nsetup\n#1 s0 stats\nrace\n#2 s0 stats\nschedule\nstrategy random seed=3\nfault #1 at message 1 cut")
	before := p.String()
	q := p.Clone()
	if q.String() != before {
		t.Errorf("copied as\n%s", q)
	}
	q.Setup[0].ID, q.Race[0].ID, q.Schedule[0].At.Op, q.Strategy.Seed = 7, 8, 9, 10
	ops := p.Ops()
	ops[0].ID = 10
	if p.String() != before {
		t.Errorf("changed through its copy:\n%s", p)
	}
	if p.Len() != 2 || len(p.Ops()) != 2 || p.Holds() != 0 {
		t.Errorf("%d operations, %d, %d holds", p.Len(), len(p.Ops()), p.Holds())
	}
}
