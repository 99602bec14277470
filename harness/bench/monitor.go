package bench

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness"
)

// sampleEvery is how often a monitor looks.
const sampleEvery = 200 * time.Millisecond

// monitor samples a service, its client and its server over time.
type monitor struct {
	lab      *Lab
	prefix   string
	sys      harness.System
	failures func() int // of operations, so far
	begun    func() int // operations, so far

	began  time.Time
	series map[string]*Series
	order  []string
	err    error
	stop   chan struct{}
	done   sync.WaitGroup
}

// start begins to sample, until end.
func (m *monitor) start(ctx context.Context) {
	m.began, m.series, m.stop = time.Now(), map[string]*Series{}, make(chan struct{})
	m.done.Go(func() {
		m.err = m.lab.control(ctx, "", func(conn *pgx.Conn) error {
			tick := time.NewTicker(sampleEvery)
			defer tick.Stop()
			for {
				if err := m.sample(ctx, conn); err != nil {
					return err
				}
				select {
				case <-tick.C:
				case <-m.stop:
					return m.sample(ctx, conn) // the end, however short it was
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	})
}

// end stops sampling and returns what was seen.
func (m *monitor) end() ([]Series, error) {
	close(m.stop)
	m.done.Wait()
	var all []Series
	for _, name := range m.order {
		all = append(all, *m.series[name])
	}
	return all, m.err
}

func (m *monitor) add(name, unit string, value float64) {
	s, ok := m.series[name]
	if !ok {
		s = &Series{Name: name, Unit: unit}
		m.series[name] = s
		m.order = append(m.order, name)
	}
	s.Points = append(s.Points, [2]float64{time.Since(m.began).Seconds(), value})
}

func (m *monitor) sample(ctx context.Context, conn *pgx.Conn) error {
	m.add("operations", "", float64(m.begun()))
	m.add("failures", "", float64(m.failures()))
	m.add("goroutines", "", float64(runtime.NumGoroutine()))
	if n := residentBytes(); n > 0 {
		m.add("client_resident_bytes", "B", float64(n))
	}
	if rep, ok := m.sys.(harness.StatsReporter); ok {
		st, err := rep.Stats(ctx)
		if err != nil {
			return err
		}
		m.add("active_pools", "", float64(st.ActivePools))
		m.add("draining_pools", "", float64(st.Draining))
		m.add("evictions", "", float64(st.Evictions))
		if asked := st.CacheHits + st.CacheMisses; asked > 0 {
			m.add("pool_hit_rate", "", float64(st.CacheHits)/float64(asked))
		}
	}
	rows, err := conn.Query(ctx, `SELECT pid, datname FROM pg_stat_activity
		WHERE starts_with(datname, $1) AND application_name <> $2 AND backend_type = 'client backend'`, m.prefix, harness.ControlApplication)
	if err != nil {
		return err
	}
	backends, private, visible := 0, int64(0), true
	var (
		pid      int32
		database string
	)
	_, err = pgx.ForEachRow(rows, []any{&pid, &database}, func() error {
		backends++
		n, ok := privateBytes(pid, title(database))
		private, visible = private+n, visible && (ok || n == 0)
		return nil
	})
	if err != nil {
		return err
	}
	m.add("backends", "", float64(backends))
	if visible && private > 0 {
		m.add("server_private_bytes", "B", float64(private))
	}
	return nil
}

// title is what of a database's name a process's title is sure to show: titles may be cut off.
func title(database string) string {
	return strings.Join(strings.SplitAfterN(database, "_", 3)[:min(2, strings.Count(database, "_")+1)], "")
}
