package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/history"
)

// Plan is how the server executes a statement.
type Plan struct {
	SQL  string   `json:"sql"`
	Text []string `json:"plan"`
}

// Counted is a statement by pg_stat_statements.
type Counted struct {
	SQL        string  `json:"sql"`
	Calls      int64   `json:"calls"`
	TotalMS    float64 `json:"total_ms"`
	MeanMS     float64 `json:"mean_ms"`
	Rows       int64   `json:"rows"`
	BlocksHit  int64   `json:"shared_blocks_hit"`
	BlocksRead int64   `json:"shared_blocks_read"`
	BlocksTemp int64   `json:"temp_blocks_written"`
	Database   string  `json:"database"`
}

// TableReads is a table and how it was read, over all of the service's databases that have it.
type TableReads struct {
	Name      string `json:"name"` // with its schema
	Databases int    `json:"databases"`
	Rows      int64  `json:"rows"`
	Bytes     int64  `json:"bytes"` // of the largest
	Scans     int64  `json:"full_scans"`
	ScanRows  int64  `json:"full_scan_rows"`
	IndexUses int64  `json:"index_scans"`
}

const (
	explained    = 3 // statements whose plan is asked for
	explainLimit = 20 * time.Second
	worstCounted = 10
	explainWith  = "EXPLAIN (ANALYZE, BUFFERS) "
)

// explain asks for the plans of the worst statements, with the arguments they were slowest with, and undoes them.
func (d *diagnosis) explain(ctx context.Context) error {
	all := d.watch.worst()
	var total time.Duration
	for _, t := range all {
		total += t.Total
	}
	for _, t := range all {
		if len(d.e.Plans) == explained || len(d.e.Plans) > 0 && float64(t.Total) < matters*float64(total) {
			return nil
		}
		if !explainable(t.SQL) {
			continue
		}
		text, err := explainOne(ctx, t)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			d.note("no plan of %q: %v", short(t.SQL), err)
		default:
			d.e.Plans = append(d.e.Plans, Plan{t.SQL, text})
		}
	}
	return nil
}

// explainable tells the statements that EXPLAIN takes.
func explainable(sql string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	return slices.Contains([]string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES"}, strings.ToUpper(strings.TrimSpace(first)))
}

func explainOne(ctx context.Context, t *StatementTime) (text []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	config := t.config.Copy()
	config.Tracer = nil
	config.RuntimeParams["application_name"] = harness.ControlApplication
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, conn.Close(clean))
	}()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	// It is undone whatever it did.
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	rows, err := tx.Query(ctx, explainWith+t.SQL, t.slowest.Args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// tables gathers how the tables of a room were read.
func (d *diagnosis) tables(ctx context.Context, room string) error {
	// A backend's counts are only sure to be told once it has ended.
	if err := d.lab.left(ctx, d.lab.Prefix+room+"_", restLimit, int(^uint(0)>>1), &history.Rest{}); err != nil {
		return err
	}
	databases, err := d.lab.databases(ctx, room)
	if err != nil {
		return err
	}
	all := map[string]*TableReads{}
	for _, name := range databases {
		err := d.lab.control(ctx, name, func(conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, `SELECT schemaname || '.' || relname, n_live_tup, pg_table_size(relid), seq_scan, seq_tup_read, coalesce(idx_scan, 0)
				FROM pg_stat_user_tables`)
			if err != nil {
				return err
			}
			var t TableReads
			_, err = pgx.ForEachRow(rows, []any{&t.Name, &t.Rows, &t.Bytes, &t.Scans, &t.ScanRows, &t.IndexUses}, func() error {
				sum, ok := all[t.Name]
				if !ok {
					sum = &TableReads{Name: t.Name}
					all[t.Name] = sum
				}
				sum.Databases++
				sum.Rows, sum.Bytes = max(sum.Rows, t.Rows), max(sum.Bytes, t.Bytes)
				sum.Scans, sum.ScanRows, sum.IndexUses = sum.Scans+t.Scans, sum.ScanRows+t.ScanRows, sum.IndexUses+t.IndexUses
				return nil
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("how tables were read: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d.e.Tables = append(d.e.Tables, *all[name])
	}
	slices.SortStableFunc(d.e.Tables, func(a, b TableReads) int { return cmp.Compare(b.ScanRows, a.ScanRows) })
	return nil
}

// counted asks pg_stat_statements, where the maintenance database has it.
func (d *diagnosis) counted(ctx context.Context, conn *pgx.Conn, room string) error {
	has := false
	if err := conn.QueryRow(ctx, `SELECT to_regclass('pg_stat_statements') IS NOT NULL`).Scan(&has); err != nil {
		return err
	}
	if !has {
		return nil
	}
	rows, err := conn.Query(ctx, `SELECT s.query, s.calls, s.total_exec_time, s.mean_exec_time, s.rows, s.shared_blks_hit, s.shared_blks_read,
			s.temp_blks_written, d.datname
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE starts_with(d.datname, $1)
		ORDER BY s.total_exec_time DESC LIMIT $2`, d.lab.Prefix+room+"_", worstCounted)
	if err == nil {
		d.e.Counted, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Counted, err error) {
			return c, row.Scan(&c.SQL, &c.Calls, &c.TotalMS, &c.MeanMS, &c.Rows, &c.BlocksHit, &c.BlocksRead, &c.BlocksTemp, &c.Database)
		})
	}
	if err != nil && ctx.Err() == nil {
		d.note("pg_stat_statements is there, but does not tell: %v", err) // not preloaded, or not allowed
		return nil
	}
	return err
}

func short(sql string) string {
	const most = 80
	sql = strings.Join(strings.Fields(sql), " ")
	if r := []rune(sql); len(r) > most {
		return string(r[:most]) + "…"
	}
	return sql
}
