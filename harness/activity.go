package harness

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// activity is what the server does for a service at one moment.
type activity struct {
	Moving   int    // backends that work for it, or for one that it waits for
	Starting int    // backends that are on their way up, whoever asked for them
	Hidden   int    // backends of the service that do not show what they do
	Mark     string // changes whenever one of its backends begins or ends something
}

// since tells what the server has done since it was last looked at; "" where it has done nothing.
func (a activity) since(before activity) string {
	switch {
	case a.Moving > 0:
		return "PostgreSQL is at work"
	case a.Starting > 0:
		return "PostgreSQL starts a backend"
	case a.Mark != before.Mark:
		return "PostgreSQL takes statements"
	}
	return ""
}

// The service's backends are those in its databases; what is active in the control connection's own
// database may be its, too, as that is where databases are created. A backend that waits for a lock moves
// only if somebody whom it waits for does; one that waits for its client does not. Up to PostgreSQL 17 a
// backend that starts has a transaction before it has a row in pg_stat_activity, and then no state yet.
const activityQuery = `
WITH RECURSIVE backends AS MATERIALIZED (
	SELECT pid, state, backend_type, coalesce(wait_event_type, '') AS waits, greatest(state_change, backend_start) AS changed,
		coalesce(starts_with(datname, $1), false) AS inside, datname = current_database() AS beside
	FROM pg_stat_activity WHERE application_name <> $2
), asked AS (
	SELECT pid FROM backends WHERE (inside OR beside) AND state = 'active' AND waits = 'Lock'
	UNION
	SELECT by FROM asked, unnest(pg_blocking_pids(asked.pid)) AS by
)
SELECT
	count(*) FILTER (WHERE (inside OR beside OR pid IN (SELECT pid FROM asked)) AND waits NOT IN ('Lock', 'Client')
		AND (state IN ('active', 'fastpath function call', 'starting') OR state IS NULL AND backend_type = 'client backend')) AS moving,
	(SELECT count(DISTINCT pid) FROM pg_locks l WHERE locktype = 'virtualxid'
		AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)) AS starting,
	count(*) FILTER (WHERE inside AND (backend_type IS NULL OR state = 'disabled')) AS hidden,
	count(*) FILTER (WHERE inside) || ' ' || coalesce(max(changed) FILTER (WHERE inside)::text, '') AS mark
FROM backends`

// activity asks what the server does for the service whose databases begin with prefix.
func (c *Control) activity(ctx context.Context, prefix string) (a activity, err error) {
	err = c.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, activityQuery, prefix, ControlApplication)
		if err != nil {
			return err
		}
		a, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[activity])
		return err
	})
	if err != nil {
		return a, fmt.Errorf("ask what the backends do: %w", err)
	}
	return a, nil
}
