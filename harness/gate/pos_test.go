package gate_test

import (
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

// TestPOSComesFar compares with a random walk how often one session does everything while another one stands
// in the middle. With eight operations in between, a random walk has a chance of 1/2^8 there.
func TestPOSComesFar(t *testing.T) {
	const runs, far = 400, 8
	between := "a" + strings.Repeat("b", far) + "a"
	hits := map[model.StrategyKind]int{}
	for _, kind := range []model.StrategyKind{model.RandomWalk, model.POS} {
		for seed := range uint64(runs) {
			if letters(t, model.Strategy{Kind: kind, Seed: seed}, 2, far) == between {
				hits[kind]++
			}
		}
	}
	// The second point of a has to be the lowest of those of b and itself, the first one not the lowest of two.
	if chance := atMost(hits[model.POS], runs, 0.5/(far+1)); chance < 1e-6 {
		t.Errorf("%d of %d: the chance of no more is %.2g", hits[model.POS], runs, chance)
	}
	if hits[model.POS] < 4*hits[model.RandomWalk] {
		t.Errorf("%d of %d, and a random walk has %d", hits[model.POS], runs, hits[model.RandomWalk])
	}
}

func TestPOSIsDrawnFromItsSeed(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		one := letters(t, model.Strategy{Kind: model.POS, Seed: seed}, 4, 4)
		if again := letters(t, model.Strategy{Kind: model.POS, Seed: seed}, 4, 4); again != one {
			t.Errorf("seed %d: %s, then %s", seed, one, again)
		}
		seen[one] = true
	}
	if len(seen) < 5 {
		t.Errorf("%d orders from 20 seeds", len(seen))
	}
}
