package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness"
)

// IndexBound is what 95 of 100 indexes of 10,000 files must end within, in seconds.
const IndexBound = 60

// The rooms of databases.
const (
	roomIndex  = "i"
	roomSearch = "s"
	roomFloor  = "f"
	roomStress = "m"
	roomTune   = "t"
)

// IndexOptions say what to index and how often.
type IndexOptions struct {
	Repository *Repository
	// Project is the name of the project that is indexed.
	Project string
	// Runs are how many indexes are measured, after one that is not. At least 1.
	Runs int
	// Bound is what p95 over the runs must stay below, in seconds; 0 means IndexBound.
	Bound float64
}

// Index measures how long the service takes to index a repository into a project that does not exist yet, and sets
// each run beside a raw COPY of the same rows into the same tables with the same indexes.
func (l *Lab) Index(ctx context.Context, o IndexOptions) (_ *Result, err error) {
	server, err := l.serverSettings(ctx)
	if err != nil {
		return nil, err
	}
	r := newResult(KindIndex, l, server)
	r.set("project", o.Project)
	o.Repository.describe(&r)
	dir, err := os.MkdirTemp("", "tenantstorm-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	defer func() {
		err = errors.Join(err, l.finish(ctx, roomIndex), l.clear(context.WithoutCancel(ctx), roomFloor))
	}()

	l.step(0, o.Runs+1, "warming up")
	if _, err := l.indexOnce(ctx, o); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	rows, err := l.copyOut(ctx, roomIndex, dir)
	if err != nil {
		return nil, err
	}
	var seconds, floor, ratio, files, bytes, peak, wal, size []float64
	for run := range o.Runs {
		var took indexRun
		var copying time.Duration
		turns := []func() error{
			func() (err error) {
				l.step(run+1, o.Runs+1, "run %d of %d: index", run+1, o.Runs)
				took, err = l.indexOnce(ctx, o)
				return err
			},
			func() (err error) {
				l.step(run+1, o.Runs+1, "run %d of %d: raw COPY", run+1, o.Runs)
				if err := l.prepareFloor(ctx, rows, roomIndex); err != nil {
					return err
				}
				copying, err = l.copyIn(ctx, rows, roomIndex)
				return err
			},
		}
		if run%2 == 1 { // by turns, so that neither always follows the other
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return nil, err
			}
		}
		s := took.duration.Seconds()
		seconds, floor, ratio = append(seconds, s), append(floor, copying.Seconds()), append(ratio, s/copying.Seconds())
		files, bytes = append(files, float64(o.Repository.Files)/s), append(bytes, float64(o.Repository.Bytes)/1e6/s)
		wal, size = append(wal, float64(took.wal)), append(size, float64(took.size))
		if took.peak > 0 {
			peak = append(peak, float64(took.peak))
		}
	}
	for _, m := range []Metric{
		{Name: "index_seconds", Unit: "s", Samples: seconds}, // judged by its quotient: see searcher.report
		{Name: "copy_seconds", Unit: "s", Samples: floor},
		{Name: "index_over_copy", Unit: "×", Gate: true, Relative: true, Samples: ratio},
		{Name: "files_per_second", Unit: "1/s", Higher: true, Samples: files},
		{Name: "megabytes_per_second", Unit: "MB/s", Higher: true, Samples: bytes},
		{Name: "client_peak_bytes", Unit: "B", Gate: true, Samples: peak},
		{Name: "wal_bytes", Unit: "B", Gate: true, Samples: wal},
		{Name: "database_bytes", Unit: "B", Gate: true, Samples: size},
	} {
		r.metric(m)
	}
	r.note("the raw COPY took, into the same tables with the same indexes, in one transaction: %s", rows.what())
	r.note("an index includes making the project's database; the COPY does not")
	if len(peak) == 0 {
		r.note("this system does not tell a process's peak memory")
	}
	r.boundIndex(cmp.Or(o.Bound, IndexBound))
	r.judge()
	return &r, r.Validate()
}

// boundIndex says whether the specification's bound is met.
func (r *Result) boundIndex(limit float64) {
	r.below("index p95 over runs", "s", r.Metric("index_seconds").Summary.P95, limit)
}

// indexRun is one index that was measured.
type indexRun struct {
	duration  time.Duration
	peak      int64 // the most memory this process had; 0: not known
	wal, size int64 // bytes
}

// indexOnce indexes into nothing, with a service of its own.
func (l *Lab) indexOnce(ctx context.Context, o IndexOptions) (run indexRun, err error) {
	if err := l.clear(ctx, roomIndex); err != nil {
		return run, err
	}
	env := l.env(roomIndex, defaultMaxProjects, 4)
	err = l.control(ctx, "", func(conn *pgx.Conn) error {
		err := l.session(ctx, env, func(s harness.Session) error {
			if err := checkpoint(ctx, conn); err != nil {
				return err
			}
			before, err := walPosition(ctx, conn)
			if err != nil {
				return err
			}
			canTell := forgetPeak()
			began := time.Now()
			if err := s.Index(ctx, harness.IndexRequest{Project: o.Project, Repo: o.Repository.FS()}); err != nil {
				return fmt.Errorf("index: %w", err)
			}
			run.duration = time.Since(began)
			if canTell {
				run.peak = peakBytes()
			}
			after, err := walPosition(ctx, conn)
			run.wal = after - before
			return err
		})
		if err != nil {
			return err
		}
		run.size, err = databaseBytes(ctx, conn, env.Prefix)
		return err
	})
	return run, err
}
