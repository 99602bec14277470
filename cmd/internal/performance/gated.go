package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

const (
	gatedBar = 150 // cases a second of two workers
	racesBar = 500 // races a second of two workers, all else left out
)

// gated counts cases under the gate, with and without points in the service's code.
func (l *lab) gated(ctx context.Context) (s section, err error) {
	pointed, err := seeded.Build(ctx, seeded.BuildOptions{Instrument: []string{"./fixtures/codesearch/..."}})
	if err != nil {
		return s, err
	}
	row := func(name, path string, workers int, points model.Points) *caseRow {
		b := model.DefaultBounds()
		b.Mode, b.Points = model.Gated, points
		return &caseRow{name: name, path: path, workers: workers, bounds: b}
	}
	rows := []*caseRow{
		row("gated", l.self, 1, model.Messages), row("gated", l.self, 2, model.Messages),
		row("gated, points in the code there and not drawn", pointed, 2, model.Messages), row("gated, points in the code drawn", pointed, 2, model.AllPoints),
	}
	if err := l.runRows(ctx, "g", rows); err != nil {
		return s, err
	}
	s.title = "Gated cases and races per second"
	s.text = "Drawn programs, each with a race under a schedule, everything included: databases emptied, a fresh service, setup, race, " +
		"audit, verdict. Races per second are as many as there would be if a case were nothing but its race."
	s.table.row("mode", "workers", "cases/s", "min – max", "races/s", "min – max", "÷ second row, cases")
	for _, r := range rows {
		s.table.row(r.name, fmt.Sprint(r.workers), number(r.cases.median()), r.cases.span(),
			number(r.races.median()), r.races.span(), number(r.cases.over(rows[1].cases).median()))
	}
	s.bar(fmt.Sprintf("at least %d cases a second of two workers", gatedBar), rows[1].cases.median() >= gatedBar)
	s.bar(fmt.Sprintf("at least %d races a second of two workers", racesBar), rows[1].races.median() >= racesBar)
	return s, nil
}

// raceTime is how long the race of a case took.
func raceTime(p model.Program, out worker.Outcome) time.Duration {
	racing := map[int]bool{}
	for _, o := range p.Race {
		racing[o.ID] = true
	}
	var from, to time.Duration
	for _, e := range out.History.Entries {
		if e.Audit || !racing[e.Op.ID] {
			continue
		}
		if to == 0 || e.Start < from {
			from = e.Start
		}
		to = max(to, e.End)
	}
	return to - from
}

// smallRace is a race of about a dozen messages.
const smallRace = `program v1
mode %s
max_projects 2
projects 2
sessions 2

setup
  #1 s0 index p0 rev=1 files=2
  #2 s0 index p1 rev=1 files=2
race
  #3 s0 index p0 rev=2 files=2
  #4 s1 search p0 own
  #5 s1 index p1 rev=2 files=2
`

const (
	smallRaceBar  = 2.5 // ms
	smallRaceFree = 1.0 / 3
	smallRaces    = 100 // of a round
)

// smallRaces measures one small race, gated and free, by turns.
func (l *lab) smallRaces(ctx context.Context) (s section, err error) {
	fleet, err := worker.NewFleet(ctx, worker.Options{Path: l.self, DSN: l.server.DSN(), Prefix: l.claim.Prefix + "r"}, 1)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	took := map[model.Mode]*sample{model.Gated: {}, model.Free: {}}
	messages := 0
	for range l.rounds {
		for _, mode := range []model.Mode{model.Gated, model.Free} {
			p, err := model.Parse(fmt.Sprintf(smallRace, mode))
			if err != nil {
				return s, err
			}
			if mode == model.Gated {
				p.Schedule = []model.Intervention{{At: model.Point{Op: 3, Kind: model.AtMessage, Nth: 2}, To: 4}}
			}
			var round sample
			for range smallRaces {
				out, err := fleet.Do(ctx, worker.Case{Program: p.String()})
				if err != nil {
					return s, err
				}
				if v := out.Verdict; v.First() != nil {
					return s, notPassed(p, v)
				}
				round.took(raceTime(p, out))
				if mode == model.Gated {
					messages = 0
					for _, step := range out.History.Steps {
						if step.Point.Kind == model.AtMessage {
							messages++
						}
					}
				}
			}
			took[mode].add(round.median())
		}
	}
	gated, free := took[model.Gated], took[model.Free]
	s.title = "One small race"
	s.text = fmt.Sprintf("Two indexes and a search in two sessions, %d messages, one preemption: the race alone, in one worker, each round "+
		"the median of %d. Free, the same program has all cores, and nothing between the service and PostgreSQL.", messages, smallRaces)
	s.table.row("mode", "ms", "min – max", "÷ free")
	s.table.row("gated", number(gated.median()), gated.span(), number(gated.over(*free).median()))
	s.table.row("free", number(free.median()), free.span(), "1.00")
	s.bar(fmt.Sprintf("gated at most %v ms", smallRaceBar), gated.median() <= smallRaceBar)
	s.bar("gated at most a third of free", gated.over(*free).median() <= smallRaceFree)
	return s, nil
}
