package gate_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/gate"
	"github.com/tenantstorm/tenantstorm/model"
)

func TestPCTBound(t *testing.T) {
	for _, c := range []struct {
		threads, steps, depth int
		probability           float64
		runs                  int
	}{
		{1, 1, 1, 1, 1},
		{1, 100, 1, 1, 1}, // one thread has one order
		{2, 100, 1, 0.5, 7},
		{2, 10, 2, 0.05, 90},
		{4, 20, 3, 1.0 / 1600, 7366},
	} {
		p, runs := gate.PCTBound(c.threads, c.steps, c.depth)
		if math.Abs(p-c.probability) > 1e-12 || runs != c.runs {
			t.Errorf("%d threads, %d steps, depth %d: %v, %d; want %v, %d", c.threads, c.steps, c.depth, p, runs, c.probability, c.runs)
		}
		// So many runs are enough, and one fewer is not.
		if p < 1 && (math.Pow(1-p, float64(runs)) > 0.01 || math.Pow(1-p, float64(runs-1)) < 0.01) {
			t.Errorf("%v in %d runs: %v", p, runs, 1-math.Pow(1-p, float64(runs)))
		}
	}
}

// letters runs sessions in memory, each of one-step operations that write a letter of its own, and returns
// what they wrote.
func letters(t *testing.T, strategy model.Strategy, lengths ...int) string {
	t.Helper()
	s := newStage(t)
	defer s.end()
	var text strings.Builder
	p := gate.Plan{Strategy: gate.NewStrategy(strategy)}
	for i, n := range lengths {
		var session []gate.Op
		for j := range n {
			session = append(session, gate.Op{ID: 10*i + j + 1, Run: func() { text.WriteByte('a' + byte(i)) }})
		}
		p.Sessions = append(p.Sessions, session)
	}
	out, err := s.Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, out)
	return text.String()
}

// TestPCTKeepsItsBound runs races of known depth, and is content with as many hits as the bound promises,
// but for bad luck of one in a million.
func TestPCTKeepsItsBound(t *testing.T) {
	for _, c := range []struct {
		name    string
		depth   int
		runs    int
		lengths []int
		hit     func(string) bool
	}{
		{"one order", 1, 300, []int{2, 2}, func(s string) bool { return s[0] == 'b' }},
		{"one order of three", 1, 300, []int{2, 2, 2}, func(s string) bool { return s[0] == 'c' }},
		{"in between", 2, 300, []int{4, 2}, func(s string) bool { return s == "aabbaa" }},
		{"in between, the last of three", 2, 300, []int{2, 2, 2}, func(s string) bool {
			return strings.Contains(s, "acca") || strings.Contains(s, "abbcca") || strings.Contains(s, "accbba")
		}},
		{"there and back", 3, 600, []int{2, 2}, func(s string) bool { return s == "abab" }},
	} {
		steps := 0
		for _, n := range c.lengths {
			steps += n
		}
		bound, _ := gate.PCTBound(len(c.lengths), steps, c.depth)
		hits, shallow := 0, 0
		for seed := range uint64(c.runs) {
			if c.hit(letters(t, model.Strategy{Kind: model.PCT, Depth: c.depth, Steps: steps, Seed: seed}, c.lengths...)) {
				hits++
			}
		}
		if chance := atMost(hits, c.runs, bound); chance < 1e-6 {
			t.Errorf("%s: %d hits in %d runs; at %.4f a run the chance of no more is %.2g", c.name, hits, c.runs, bound, chance)
		}
		t.Logf("%s: %d hits in %d runs, the bound promises %.1f", c.name, hits, c.runs, bound*float64(c.runs))
		if c.hit(letters(t, model.Strategy{}, c.lengths...)) {
			t.Errorf("%s: hit undisturbed", c.name)
		}
		// Less depth than it takes does not do: the races are as deep as they are said to be.
		for seed := range uint64(50 * (c.depth - 1)) {
			if c.hit(letters(t, model.Strategy{Kind: model.PCT, Depth: c.depth - 1, Steps: steps, Seed: seed}, c.lengths...)) {
				shallow++
			}
		}
		if shallow > 0 {
			t.Errorf("%s: hit %d times at depth %d", c.name, shallow, c.depth-1)
		}
	}
}

// atMost returns the probability of no more than so many successes.
func atMost(hits, runs int, p float64) float64 {
	sum := 0.0
	for k := range hits + 1 {
		choose, _ := math.Lgamma(float64(runs + 1))
		left, _ := math.Lgamma(float64(k + 1))
		right, _ := math.Lgamma(float64(runs - k + 1))
		sum += math.Exp(choose - left - right + float64(k)*math.Log(p) + float64(runs-k)*math.Log1p(-p))
	}
	return sum
}

func TestAtMost(t *testing.T) {
	for _, c := range []struct {
		hits, runs int
		p, want    float64
	}{{0, 1, 0.5, 0.5}, {1, 2, 0.5, 0.75}, {2, 2, 0.3, 1}, {0, 10, 0.1, math.Pow(0.9, 10)}} {
		if got := atMost(c.hits, c.runs, c.p); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v", c, got)
		}
	}
}
