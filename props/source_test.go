package props

import (
	"pgregory.net/rapid"

	"github.com/tenantstorm/tenantstorm/model"
)

// rapidSource lets rapid draw programs, so that its own tools (seeds, -rapid.checks) work on them.
type rapidSource struct{ t *rapid.T }

var _ model.Source = rapidSource{}

func (s rapidSource) Int(label string, lo, hi int) int {
	return rapid.IntRange(lo, hi).Draw(s.t, label)
}

func (s rapidSource) Repeat(label string, step func()) {
	s.t.Repeat(map[string]func(*rapid.T){label: func(*rapid.T) { step() }})
}
