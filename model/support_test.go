package model_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

// rapidSource draws from rapid, which can then shrink what was drawn.
type rapidSource struct{ t *rapid.T }

func (s *rapidSource) Int(label string, lo, hi int) int {
	return rapid.IntRange(lo, hi).Draw(s.t, label)
}

func (s *rapidSource) Repeat(_ string, step func()) {
	outer := s.t
	defer func() { s.t = outer }()
	outer.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
		s.t = t
		step()
	}})
}

// drawn returns the program of one seed.
func drawn(seed uint64) model.Program {
	return model.Generate(model.NewSource(model.CaseSeed(seed, 0)), model.DefaultBounds())
}

func parse(t testing.TB, text string) model.Program {
	t.Helper()
	p, err := model.Parse(text)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, text)
	}
	return p
}

func fingerprint(m *model.Mismatch) string {
	if m == nil {
		return ""
	}
	return m.Invariant + "/" + m.Kind
}

// oracleSeeds is how many programs each of the oracle's long tests runs.
func oracleSeeds() uint64 {
	if testing.Short() {
		return 300
	}
	return 3000
}
