package gate_test

import (
	"context"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/gate"
)

// BenchmarkStep executes one statement an iteration: through the gate while it is open, and while it is
// shut, where each is stopped, let go on and answered, and everything comes to rest in between.
func BenchmarkStep(b *testing.B) {
	for name, run := range map[string]func(s *stage, op gate.Op){
		"open": func(_ *stage, op gate.Op) { op.Run() },
		"shut": func(s *stage, op gate.Op) { ended(b, s.run(nil, op)) },
	} {
		b.Run(name, func(b *testing.B) {
			s := newStage(b)
			defer s.end()
			p := s.pool()
			var failed error
			op := s.op(1, func(ctx context.Context) {
				c, err := p.Acquire(ctx)
				if err != nil {
					failed = err
					return
				}
				defer c.Release()
				b.ResetTimer()
				for range b.N {
					if _, failed = c.Exec(ctx, "SELECT 1"); failed != nil {
						return
					}
				}
				b.StopTimer()
			})
			run(s, op)
			if failed != nil {
				b.Fatal(failed)
			}
		})
	}
}
