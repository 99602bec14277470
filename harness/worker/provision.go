package worker

import (
	"context"
	"fmt"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// provision sees to it that every project of a gated program has had a database before: a schedule counts
// messages, and a service sends others where it has to make a database than where it finds one. So every
// gated case begins with recycled databases, the first on a new machine, too. It is for targets that can
// be reset; others never find a database.
func (b *bench) provision(ctx context.Context, p model.Program) error {
	if b.target.Reset == nil {
		return nil
	}
	missing := model.Program{MaxProjects: p.MaxProjects, Projects: p.Projects, Names: p.Names, Sessions: 1}
	for _, project := range p.UsedProjects() {
		if !b.provisioned[p.ProjectName(project)] {
			missing.Setup = append(missing.Setup, model.Op{
				ID: len(missing.Setup) + 1, Kind: model.KindIndex, Project: project, Revision: 1, Files: 1,
			})
		}
	}
	if len(missing.Setup) == 0 {
		return nil
	}
	env := b.env
	env.Dial = b.warm.Dial
	run, err := harness.Start(ctx, b.target, env, missing)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	// What goes wrong here, a faulty service's doing, goes wrong in the case, too, and is judged there.
	err = run.Execute(ctx)
	if !run.Stuck() {
		_, _ = run.Close(ctx)
	}
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	for _, o := range missing.Setup {
		b.provisioned[p.ProjectName(o.Project)] = true
	}
	return b.reset(ctx, false)
}

// willDrop forgets the databases of the projects that a program drops.
func (b *bench) willDrop(p model.Program) {
	for _, o := range p.Ops() {
		if o.Kind == model.KindDrop {
			delete(b.provisioned, p.ProjectName(o.Project))
		}
	}
}
