package harness_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
)

// claim claims a prefix as a run would, by way of a maintenance database ("": the DSN's own).
func claim(t *testing.T, dsn string) *harness.Claim {
	t.Helper()
	c, err := harness.ClaimPrefix(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func giveBack(t *testing.T, c *harness.Claim) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

var prefixForm = regexp.MustCompile(`^ts[0-9a-f]{8}_$`)

func TestClaimPrefix(t *testing.T) {
	dsn := server(t).DSN()
	first, second := claim(t, dsn), claim(t, dsn)
	defer giveBack(t, second)
	for _, c := range []*harness.Claim{first, second} {
		if !prefixForm.MatchString(c.Prefix) {
			t.Errorf("prefix %q", c.Prefix)
		}
	}
	if first.Prefix == second.Prefix {
		t.Errorf("two runs have the prefix %s", first.Prefix)
	}

	c, create := control(t)
	create(first.Prefix+"1", second.Prefix+"1")
	giveBack(t, first)
	same(t, "left of the first run", databases(t, c, first.Prefix), nil)
	same(t, "left of the second", databases(t, c, second.Prefix), []string{second.Prefix + "1"})
}

// TestClaimSweepsTheDead: what dead runs left is dropped, somebody still connected or not; what belongs
// to a run that lives, or to nobody that the harness knows, stays.
func TestClaimSweepsTheDead(t *testing.T) {
	c, create := control(t)
	dsn := server(t).DSN()
	live := claim(t, dsn)
	defer giveBack(t, live)

	dead := "ts00c0ffee_"
	foreign := []string{"ts00c0ffe_x", "ts00c0ffeex", "TS00c0ffee_x", "ts00C0FFEE_x", "x" + dead, "tenants"}
	create(live.Prefix+"w0_registry", dead+"w0_registry", dead+"w1_p0")
	create(foreign...)
	connect(t, dead+"w1_p0", "a service that outlived its run")

	next := claim(t, dsn)
	defer giveBack(t, next)
	if left := databases(t, c, dead); len(left) > 0 && private(t) {
		t.Errorf("left of the dead run: %v", left)
	}
	same(t, "of the live one", databases(t, c, live.Prefix), []string{live.Prefix + "w0_registry"})
	for _, name := range foreign {
		if !slices.Contains(databases(t, c, name), name) {
			t.Errorf("%s is gone", name)
		}
	}
	if private(t) {
		same(t, "swept", next.Swept, []string{dead})
	}

	// Its lock was given back: the next run with something of that name left sweeps that, too.
	create(dead + "again")
	last := claim(t, dsn)
	defer giveBack(t, last)
	if left := databases(t, c, dead); len(left) > 0 && private(t) {
		t.Errorf("left of the dead run: %v", left)
	}
}

// private reports whether the server is this test's alone. On one that others use at the same time,
// another run may be at the sweeping before us.
func private(t *testing.T) bool {
	_, ours := server(t).(postgres.Killer)
	return ours
}

// TestClaimThroughAnotherDatabase: two runs need not name the same maintenance database, and advisory
// locks of one database are not seen from another.
func TestClaimThroughAnotherDatabase(t *testing.T) {
	c, create := control(t)
	create("hct_maintenance")
	cfg, err := pgx.ParseConfig(server(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Database = "hct_maintenance"
	elsewhere := dsnOf(cfg)

	live := claim(t, elsewhere)
	create(live.Prefix + "p0")
	next := claim(t, server(t).DSN())
	same(t, "of the live one", databases(t, c, live.Prefix), []string{live.Prefix + "p0"})
	if slices.Contains(next.Swept, live.Prefix) {
		t.Error("a run that lives was swept")
	}
	giveBack(t, next)
	giveBack(t, live)
}

// TestClaimIsForLife: when the run's connection is gone, so is its claim.
func TestClaimIsForLife(t *testing.T) {
	c, create := control(t)
	lost := claim(t, server(t).DSN())
	create(lost.Prefix + "p0")
	const holder = `SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l WHERE l.locktype = 'advisory'
		AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended('tenantstorm ' || $1, 0)`
	if _, err := connect(t, "", "killer").Exec(t.Context(), holder, lost.Prefix); err != nil {
		t.Fatal(err)
	}
	next := claim(t, server(t).DSN())
	defer giveBack(t, next)
	if left := databases(t, c, lost.Prefix); len(left) > 0 && private(t) {
		t.Errorf("left of a run that lost its claim: %v", left)
	}
}

func TestClaimHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := harness.ClaimPrefix(ctx, server(t).DSN()); err == nil {
		t.Error("claimed with a context that is over")
		giveBack(t, c)
	}
}

func dsnOf(cfg *pgx.ConnConfig) string {
	quote := func(s string) string {
		out := "'"
		for _, r := range s {
			if r == '\'' || r == '\\' {
				out += `\`
			}
			out += string(r)
		}
		return out + "'"
	}
	mode := "disable"
	if cfg.TLSConfig != nil {
		mode = "require"
	}
	return "host=" + quote(cfg.Host) + " port=" + strconv.Itoa(int(cfg.Port)) + " user=" + quote(cfg.User) +
		" password=" + quote(cfg.Password) + " dbname=" + quote(cfg.Database) + " sslmode=" + mode
}
