package model_test

import (
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

// BenchmarkStep measures the oracle over whole programs, per operation.
func BenchmarkStep(b *testing.B) {
	type step struct {
		o model.Op
		r model.Response
	}
	var programs []model.Program
	var steps [][]step
	for seed := range uint64(50) {
		p := drawn(seed)
		ref := newReference(p)
		var s []step
		for _, o := range p.Ops() {
			s = append(s, step{o, ref.do(o)})
		}
		programs, steps = append(programs, p), append(steps, s)
	}
	b.ReportAllocs()
	ops := 0
	for b.Loop() {
		for i, p := range programs {
			s := model.NewState(p)
			for _, st := range steps[i] {
				if m := s.Step(st.o, st.r); m != nil {
					b.Fatal(m)
				}
				ops++
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(ops), "ns/operation")
}

func BenchmarkFindCanaries(b *testing.B) {
	line := "\tvalue := lookup(ctx, \"" + model.Canary{Project: 1, Revision: 2, File: 3}.String() + "\") // sharedword of the project\n"
	for _, c := range []struct{ name, text string }{
		{"code", strings.Repeat(line, 30)},
		{"nothing", strings.Repeat(strings.ReplaceAll(line, "cnry", "ncry"), 30)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				model.FindCanaries(c.text)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := drawn(3).String()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := model.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		drawn(seed)
		seed++
	}
}
