package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
)

// runPrefix is what the databases of a run begin with: ts, eight hexadecimal digits, an underscore.
var runPrefix = regexp.MustCompile(`^ts[0-9a-f]{8}_`)

// Claim is a run's claim on a prefix for its databases. While it is open no other run on the server
// takes the run for dead.
type Claim struct {
	Prefix string
	// Swept are the prefixes of dead runs whose databases were dropped.
	Swept []string
	conn  *pgx.Conn
	dsn   string
}

// ClaimPrefix chooses a prefix that no other run has, and drops the databases that runs which are no
// longer alive left on the server. A run is alive while its session holds the advisory lock of its
// prefix; databases whose names are not of this form are never touched.
func ClaimPrefix(ctx context.Context, dsn string) (*Claim, error) {
	conn, err := ConnectControl(ctx, dsn, "")
	if err != nil {
		return nil, err
	}
	c := &Claim{conn: conn, dsn: dsn}
	if err := c.claim(ctx); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

func (c *Claim) claim(ctx context.Context) error {
	if err := c.sweep(ctx); err != nil {
		return err
	}
	var id [4]byte
	for {
		if _, err := rand.Read(id[:]); err != nil {
			return fmt.Errorf("choose a prefix: %w", err)
		}
		c.Prefix = "ts" + hex.EncodeToString(id[:]) + "_"
		ok, err := c.lock(ctx, c.Prefix)
		if err != nil || ok {
			return err
		}
	}
}

func (c *Claim) lock(ctx context.Context, prefix string) (ok bool, err error) {
	err = c.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+key+`)`, prefix).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("lock prefix %s: %w", prefix, err)
	}
	return ok, nil
}

// key is the number of the advisory lock that a run holds for the prefix $1.
const key = `hashtextextended('tenantstorm ' || $1, 0)`

// claimedElsewhere reports whether another session, of any database, holds the prefix's lock. Advisory
// locks are each database's own, and a run may name another maintenance database than this one.
func (c *Claim) claimedElsewhere(ctx context.Context, prefix string) (yes bool, err error) {
	err = c.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
		AND (classid::bigint << 32) | objid::bigint = `+key+` AND pid <> pg_backend_pid())`, prefix).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("look who holds prefix %s: %w", prefix, err)
	}
	return yes, nil
}

// sweepOne drops what the run of a prefix left, if it is dead. The prefix's lock is held.
func (c *Claim) sweepOne(ctx context.Context, control *Control, prefix string) error {
	if alive, err := c.claimedElsewhere(ctx, prefix); alive || err != nil {
		return err
	}
	if err := control.DropDatabases(ctx, prefix); err != nil {
		return fmt.Errorf("sweep the dead run %s: %w", prefix, err)
	}
	c.Swept = append(c.Swept, prefix)
	return nil
}

func (c *Claim) sweep(ctx context.Context) error {
	control := NewControl(c.dsn)
	defer func() { _ = control.Close(context.WithoutCancel(ctx)) }()
	names, err := control.Databases(ctx, "ts")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		prefix := runPrefix.FindString(name)
		if prefix == "" || seen[prefix] {
			continue
		}
		seen[prefix] = true
		free, err := c.lock(ctx, prefix)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		if err := c.sweepOne(ctx, control, prefix); err != nil {
			return err
		}
		if _, err := c.conn.Exec(ctx, `SELECT pg_advisory_unlock(`+key+`)`, prefix); err != nil {
			return fmt.Errorf("unlock prefix %s: %w", prefix, err)
		}
	}
	return nil
}

// Close drops what the run left and gives the prefix back.
func (c *Claim) Close(ctx context.Context) error {
	control := NewControl(c.dsn)
	err := control.DropDatabases(ctx, c.Prefix)
	if e := control.Close(ctx); err == nil {
		err = e
	}
	if e := c.conn.Close(ctx); err == nil {
		err = e
	}
	return err
}
