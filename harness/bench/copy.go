package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// copied is the raw COPY that an index is set beside: every row the index wrote, kept in files in COPY's binary
// format, to be put into the same tables with the same indexes. It knows no service: what the service's databases
// hold is what is copied.
type copied struct {
	dir    string
	tables []copiedTable
}

type copiedTable struct {
	database string
	name     string // quoted, with its schema
	columns  string // quoted; generated columns cannot be copied
	file     string
	rows     int64
	bytes    int64
}

// what says what is copied.
func (c *copied) what() string {
	var parts []string
	for _, t := range c.tables {
		parts = append(parts, fmt.Sprintf("%s %d rows, %.1f MB", t.name, t.rows, float64(t.bytes)/1e6))
	}
	return strings.Join(parts, "; ")
}

// copyOut keeps the rows of all databases of a room in files under dir. The service must be closed.
func (l *Lab) copyOut(ctx context.Context, room, dir string) (*copied, error) {
	databases, err := l.databases(ctx, room)
	if err != nil {
		return nil, err
	}
	c := &copied{dir: dir}
	for _, d := range databases {
		err := l.control(ctx, d, func(conn *pgx.Conn) error { return c.keep(ctx, conn, d) })
		if err != nil {
			return nil, fmt.Errorf("copy rows out: %w", err)
		}
	}
	if len(c.tables) == 0 {
		return nil, errors.New("copy rows out: the index wrote no rows")
	}
	return c, nil
}

// databases are those of a room that one may connect to.
func (l *Lab) databases(ctx context.Context, room string) (names []string, err error) {
	err = l.control(ctx, "", func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND datallowconn ORDER BY datname`, l.Prefix+room+"_")
		if err != nil {
			return fmt.Errorf("list databases: %w", err)
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

// userTables are the ordinary tables that no extension made, with the columns that hold something of their own.
const userTables = `SELECT format('%I.%I', n.nspname, c.relname),
		(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
		 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
	ORDER BY 1`

func (c *copied) keep(ctx context.Context, conn *pgx.Conn, database string) error {
	rows, err := conn.Query(ctx, userTables)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t copiedTable, err error) {
		t.database = database
		return t, row.Scan(&t.name, &t.columns)
	})
	if err != nil {
		return err
	}
	for _, t := range tables {
		t.file = filepath.Join(c.dir, fmt.Sprintf("table%d", len(c.tables)))
		if err := t.write(ctx, conn); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		if t.rows > 0 {
			c.tables = append(c.tables, t)
		}
	}
	return nil
}

func (t *copiedTable) write(ctx context.Context, conn *pgx.Conn) (err error) {
	f, err := os.Create(t.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tag, err := conn.PgConn().CopyTo(ctx, f, `COPY `+t.name+` (`+t.columns+`) TO STDOUT (FORMAT binary)`)
	if err != nil {
		return err
	}
	t.rows = tag.RowsAffected()
	t.bytes, err = f.Seek(0, 1)
	return err
}

// prepareFloor makes, from the databases of a room that the rows came from, empty ones of the same schema in the room
// of floors: a copy of each, emptied. Nobody may be connected to them.
func (l *Lab) prepareFloor(ctx context.Context, c *copied, from string) error {
	if err := l.clear(ctx, roomFloor); err != nil {
		return err
	}
	for database := range c.databases() {
		err := l.control(ctx, "", func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{l.floorName(database, from)}.Sanitize()+` TEMPLATE `+pgx.Identifier{database}.Sanitize())
			return err
		})
		if err == nil {
			err = l.control(ctx, l.floorName(database, from), func(conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, `TRUNCATE `+strings.Join(c.namesIn(database), ", ")+` CASCADE`)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("prepare the raw COPY: %w", err)
		}
	}
	return nil
}

// floorName is a database's name with its room replaced by the floors'.
func (l *Lab) floorName(database, from string) string {
	return l.Prefix + roomFloor + "_" + strings.TrimPrefix(database, l.Prefix+from+"_")
}

func (c *copied) databases() map[string]bool {
	found := map[string]bool{}
	for _, t := range c.tables {
		found[t.database] = true
	}
	return found
}

func (c *copied) namesIn(database string) (names []string) {
	for _, t := range c.tables {
		if t.database == database {
			names = append(names, t.name)
		}
	}
	return names
}

// copyIn puts all rows where prepareFloor has made room, one transaction a database, and returns how long that took
// without connecting.
func (l *Lab) copyIn(ctx context.Context, c *copied, from string) (took time.Duration, err error) {
	for database := range c.databases() {
		err := l.control(ctx, l.floorName(database, from), func(conn *pgx.Conn) error {
			if err := checkpoint(ctx, conn); err != nil {
				return err
			}
			began := time.Now()
			if _, err := conn.Exec(ctx, `BEGIN`); err != nil {
				return err
			}
			for _, t := range c.tables {
				if t.database != database {
					continue
				}
				if err := t.read(ctx, conn); err != nil {
					return fmt.Errorf("table %s: %w", t.name, err)
				}
			}
			_, err := conn.Exec(ctx, `COMMIT`)
			took += time.Since(began)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("raw COPY: %w", err)
		}
	}
	return took, nil
}

func (t *copiedTable) read(ctx context.Context, conn *pgx.Conn) (err error) {
	f, err := os.Open(t.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tag, err := conn.PgConn().CopyFrom(ctx, f, `COPY `+t.name+` (`+t.columns+`) FROM STDIN (FORMAT binary)`)
	if err == nil && tag.RowsAffected() != t.rows {
		err = fmt.Errorf("%d rows were copied of %d", tag.RowsAffected(), t.rows)
	}
	return err
}
