package harness_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/model"
)

// BenchmarkFree measures what the runner adds to an operation in free mode: processor time, which other
// work on the machine changes less than it does the clock. The service does what calls of a service do:
// it goes deep into the stack and answers with files.
func BenchmarkFree(b *testing.B) {
	for _, sessions := range []int{1, 16} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			const operations = 20_000
			p := model.Program{Mode: model.Free, MaxProjects: 1, Projects: 1, Sessions: sessions}
			for n := range operations {
				p.Race = append(p.Race, model.Op{ID: n + 1, Session: n % sessions, Kind: model.KindSearch})
			}
			target := harness.Target{Name: "deep", New: func(context.Context, harness.Env) (harness.System, error) { return deep{}, nil }}
			var direct, free time.Duration
			for b.Loop() {
				before := processor(b)
				for range operations {
					answer(20)
				}
				direct += processor(b) - before
				run, err := harness.Start(b.Context(), target, harness.Env{}, p)
				if err != nil {
					b.Fatal(err)
				}
				before = processor(b)
				if err := run.Execute(b.Context()); err != nil {
					b.Fatal(err)
				}
				free += processor(b) - before
			}
			calls := float64(b.N * operations)
			b.ReportMetric(float64((free-direct).Nanoseconds())/calls, "extra-cpu-ns/op")
			b.ReportMetric(float64(free)/float64(direct), "free/direct")
		})
	}
}

// processor returns the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// deep is a service whose searches answer as a real one's do.
type deep struct{}

func (deep) Session(context.Context) (harness.Session, error)  { return deep{}, nil }
func (deep) Close(context.Context) error                       { return nil }
func (deep) Switch(context.Context, string) error              { return nil }
func (deep) Index(context.Context, harness.IndexRequest) error { return nil }
func (deep) Search(context.Context, harness.SearchRequest) ([]model.Match, error) {
	return answer(20), nil
}

// answer goes so many calls deep, each with a frame as drivers have them.
func answer(depth int) []model.Match {
	var frame [512]byte
	frame[depth] = byte(depth)
	if depth > 0 && frame[depth] > 0 {
		return answer(depth - 1)
	}
	ms := make([]model.Match, 12)
	for i := range ms {
		ms[i] = model.Match{Path: model.FilePath(i), Content: contents[i]}
	}
	return ms
}

var contents = func() (all [12]string) {
	for i := range all {
		c := model.Canary{Revision: 1, File: i}
		all[i] = fmt.Sprintf("func f() { // %s\n\treturn 1 // %s\n}\n", c, c)
	}
	return all
}()
