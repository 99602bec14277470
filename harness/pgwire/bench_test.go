package pgwire_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// BenchmarkConnect connects and closes, directly and through a Warm that has a backend, in turns. The
// metrics are medians, and how many times as long the direct way takes.
func BenchmarkConnect(b *testing.B) {
	for way, dsn := range ways(b) {
		b.Run(way, func(b *testing.B) {
			w := warm(b, 1)
			direct, through := config(b, nil, dsn), config(b, w, dsn)
			visit := func(cfg *pgx.ConnConfig) {
				conn, err := pgx.ConnectConfig(context.Background(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				disconnect(b, conn)
			}
			visit(through)
			compare(b, func() { visit(direct) }, func() { visit(through) })
			if w.Reused() < int64(b.N) {
				b.Errorf("%d of %d reused", w.Reused(), b.N)
			}
		})
	}
}

// BenchmarkSelect asks for one value, directly and through Warm, in turns.
func BenchmarkSelect(b *testing.B) {
	for way, dsn := range ways(b) {
		b.Run(way, func(b *testing.B) {
			w := warm(b, 1)
			disconnect(b, connect(b, w, dsn))
			direct, through := connect(b, nil, dsn), connect(b, w, dsn)
			ask := func(conn *pgx.Conn) {
				var n int
				if err := conn.QueryRow(context.Background(), "SELECT 1").Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
			compare(b, func() { ask(direct) }, func() { ask(through) })
		})
	}
}

func compare(b *testing.B, direct, through func()) {
	var times [2][]time.Duration
	for b.Loop() {
		for i, f := range []func(){direct, through} {
			start := time.Now()
			f()
			times[i] = append(times[i], time.Since(start))
		}
	}
	var median [2]float64
	for i := range times {
		slices.Sort(times[i])
		median[i] = float64(times[i][len(times[i])/2]) / float64(time.Microsecond)
	}
	b.ReportMetric(median[0], "direct-µs")
	b.ReportMetric(median[1], "warm-µs")
	b.ReportMetric(median[0]/median[1], "direct/warm")
}
