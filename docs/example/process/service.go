package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tornVariable has the service forget its transactions: a fault, to see it found.
const tornVariable = "NOTES_TORN"

var errUnknown = errors.New("unknown project")

type note struct{ Path, Body string }

// notes is the service: one database, one table, the tenant is a column.
type notes struct {
	pool *pgxpool.Pool
	torn bool
}

// serve says where it listens, and ends with its standard input.
func serve(dsn, database string) error {
	ctx := context.Background()
	pool, err := open(ctx, dsn, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	n := &notes{pool, os.Getenv(tornVariable) != ""}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /index", func(w http.ResponseWriter, r *http.Request) {
		var files map[string]string
		err := json.NewDecoder(r.Body).Decode(&files)
		if err == nil {
			err = n.index(r.Context(), r.FormValue("project"), files)
		}
		answer(w, nil, err)
	})
	mux.HandleFunc("POST /search", func(w http.ResponseWriter, r *http.Request) {
		found, err := n.search(r.Context(), r.FormValue("project"), r.FormValue("query"))
		answer(w, found, err)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Shutdown(ctx)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answer(w http.ResponseWriter, found []note, err error) {
	switch {
	case errors.Is(err, errUnknown):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		_ = json.NewEncoder(w).Encode(found)
	}
}

func open(ctx context.Context, dsn, database string) (*pgxpool.Pool, error) {
	admin, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = admin.Close(ctx) }()
	var there bool
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&there)
	if err == nil && !there {
		_, err = admin.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{database}.Sanitize())
	}
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.Database = database
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS notes (project text, path text, body text, PRIMARY KEY (project, path))`); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func (n *notes) index(ctx context.Context, project string, files map[string]string) error {
	replace := func(exec func(sql string, args ...any) error) error {
		// A project is known from its first index on, even an empty one: a row without a path says so.
		if err := exec(`DELETE FROM notes WHERE project = $1 AND path <> ''`, project); err != nil {
			return err
		}
		if err := exec(`INSERT INTO notes VALUES ($1, '', '') ON CONFLICT DO NOTHING`, project); err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(files)) { // in one order, so that a schedule replays
			if err := exec(`INSERT INTO notes VALUES ($1, $2, $3) ON CONFLICT (project, path) DO UPDATE SET body = excluded.body`, project, path, files[path]); err != nil {
				return err
			}
		}
		return nil
	}
	if n.torn {
		return replace(func(sql string, args ...any) error {
			_, err := n.pool.Exec(ctx, sql, args...)
			return err
		})
	}
	return pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		exec := func(sql string, args ...any) error {
			_, err := tx.Exec(ctx, sql, args...)
			return err
		}
		if err := exec(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, project); err != nil {
			return err
		}
		return replace(exec)
	})
}

func (n *notes) search(ctx context.Context, project, query string) ([]note, error) {
	rows, err := n.pool.Query(ctx, `SELECT path, body FROM notes WHERE project = $1 AND (path = '' OR strpos(body, $2) > 0) ORDER BY path`, project, query)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[note])
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errUnknown
	}
	return found[1:], nil
}
