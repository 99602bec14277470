package pgwire_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// open is a keeper that lets everything go at once.
type open struct{}

func (open) Opened(context.Context, *pgwire.Link) {}
func (open) Offered(*pgwire.Batch) bool           { return true }
func (open) Withdrawn(*pgwire.Batch)              {}
func (open) Busy(*pgwire.Link)                    {}
func (open) Idle(*pgwire.Link)                    {}
func (open) Held(*pgwire.Link)                    {}
func (open) Failed(*pgwire.Link, error)           {}

// BenchmarkFront asks for one row directly, through a front in memory, and through a listener, in turns. The
// metrics are what the front adds to a median message, and how many times as long it takes.
func BenchmarkFront(b *testing.B) {
	for name, mode := range map[string]pgx.QueryExecMode{
		"prepared": pgx.QueryExecModeCacheStatement, "simple": pgx.QueryExecModeSimpleProtocol,
	} {
		b.Run(name, func(b *testing.B) {
			w := warm(b, 2)
			f := pgwire.NewFront(w.Dial, open{})
			b.Cleanup(func() {
				if err := f.Close(); err != nil {
					b.Error(err)
				}
			})
			_, listened := listen(b, f)
			inMode := func(c *pgx.ConnConfig) { c.DefaultQueryExecMode = mode }
			direct := func(c *pgx.ConnConfig) { c.DialFunc = (&net.Dialer{}).DialContext }
			var conns []*pgx.Conn
			for _, way := range []func(*pgx.ConnConfig){direct, fronted(f), listened} {
				conns = append(conns, connect(b, nil, socket(b), way, inMode))
			}
			times := make([][]time.Duration, len(conns))
			for b.Loop() {
				for i, conn := range conns {
					began := time.Now()
					var n int
					if err := conn.QueryRow(context.Background(), "SELECT 1").Scan(&n); err != nil || n != 1 {
						b.Fatal(n, err)
					}
					times[i] = append(times[i], time.Since(began))
				}
			}
			var median []float64
			for _, of := range times {
				slices.Sort(of)
				median = append(median, float64(of[len(of)/2])/float64(time.Microsecond))
			}
			b.ReportMetric(median[0], "direct-µs")
			b.ReportMetric(median[1]-median[0], "memory-added-µs")
			b.ReportMetric(median[1]/median[0], "memory/direct")
			b.ReportMetric(median[2]-median[0], "tcp-added-µs")
			b.ReportMetric(median[2]/median[0], "tcp/direct")
			for _, conn := range conns {
				disconnect(b, conn)
			}
		})
	}
}
