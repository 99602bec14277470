package check

import (
	"fmt"
	"slices"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// checkIsolation reads the bytes of everything the service returned, error texts included, and believes
// none of its metadata. What a search returns is judged by the oracle, too, which knows more; this
// checker sees what the oracle has no opinion on: the texts of errors, and answers of any kind after
// the oracle has lost track.
func checkIsolation(p model.Program, h history.History, b *board) {
	active := make([][]int, p.Sessions)
	holders := holders(p)
	for i, e := range h.Entries {
		own := active[e.Op.Session]
		switch {
		case e.Op.Kind == model.KindSwitch:
			// An answer to the switch itself may name the old project or the new one.
			active[e.Op.Session] = append(slices.Clone(own), e.Op.Project)
			if e.Response.Status == model.StatusOK {
				active[e.Op.Session] = []int{e.Op.Project}
			}
			own = append(slices.Clone(own), e.Op.Project)
		case e.Op.Kind == model.KindRestart:
			clear(active)
		case e.Op.Kind == model.KindRelease:
			own = []int{holders[e.Op.Handle]}
		case e.Op.Project != model.Active && e.Op.TakesProject():
			own = []int{e.Op.Project}
		}
		if e.Op.Kind == model.KindSearch && e.Op.Query == model.QueryForeign {
			// The query itself names the other project, and an error may quote it.
			own = append(slices.Clone(own), e.Op.Foreign)
			if len(e.Response.Matches) > 0 {
				own = own[:len(own)-1]
			}
		}
		if e.Response.Text != "" {
			b.looked("isolation", 1)
		}
		foreign := foreignCanaries(e.Response, own)
		if len(foreign) == 0 {
			continue
		}
		b.violate(Violation{
			Invariant: "isolation", Kind: "foreign", Verb: verbOf(e), Op: opID(e), Position: position(h, i),
			Sentence: fmt.Sprintf("%s: expected nothing of another project; got %q, which belongs to p%d", name(e), foreign[0], foreign[0].Project),
			Evidence: evidence(e),
		})
	}
}

// holders returns, by handle, the project that it holds. In a valid program every handle is held once.
func holders(p model.Program) map[int]int {
	held := map[int]int{}
	for _, ops := range [][]model.Op{p.Setup, p.Race} {
		for _, o := range ops {
			if o.Kind == model.KindHold {
				held[o.Handle] = o.Project
			}
		}
	}
	return held
}

func foreignCanaries(r model.Response, own []int) []model.Canary {
	var foreign []model.Canary
	look := func(s string) {
		for _, c := range model.FindCanaries(s) {
			if !slices.Contains(own, c.Project) {
				foreign = append(foreign, c)
			}
		}
	}
	look(r.Text)
	for _, m := range r.Matches {
		look(m.Path)
		look(m.Content)
	}
	return foreign
}
