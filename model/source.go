package model

import "math/rand/v2"

// Source is where all randomness comes from. rapid is one, so that it can shrink what was drawn;
// [NewSource] is a plain one. A small value must be the simpler one: rapid shrinks towards it.
type Source interface {
	// Int draws from lo to hi, both included.
	Int(label string, lo, hi int) int
	// Repeat calls step a random number of times: geometric, about 30 on average.
	Repeat(label string, step func())
}

// plain is a Source over PCG.
type plain struct{ r *rand.Rand }

// NewSource returns the Source of one seed: the same seed draws the same, on every machine.
func NewSource(seed uint64) Source {
	return plain{rand.New(rand.NewPCG(seed, 0x7e4a_4d57_0b57_0b05))}
}

func (s plain) Int(_ string, lo, hi int) int { return lo + s.r.IntN(hi-lo+1) }

// meanRepeat is the mean number of steps: programs that are longer find more, and cost more.
const meanRepeat = 30

func (s plain) Repeat(_ string, step func()) {
	for s.r.IntN(meanRepeat+1) != 0 {
		step()
	}
}

// CaseSeed returns the seed of case number i of a run: the same for any number of workers.
// The mixing is splitmix64's (Steele, Lea, Flood 2014), so that neighbouring runs share no cases.
func CaseSeed(run uint64, i int) uint64 {
	z := run + 0x9e3779b97f4a7c15*(uint64(i)+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
