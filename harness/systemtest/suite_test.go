package systemtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/harness"
)

var server postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx := context.Background()
	var err error
	server, _, err = postgres.Open(ctx, "auto", postgres.Settings{}, postgres.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer func() {
		if err := server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

// fakeSuite is the suite for a fake, and a control connection.
func fakeSuite(t *testing.T, f *fakeTarget) (*suite, *harness.Control) {
	t.Helper()
	control := harness.NewControl(server.DSN())
	t.Cleanup(func() {
		close(f.stop)
		_ = control.Close(context.Background())
	})
	return &suite{target: f.target(), dsn: server.DSN(), patience: 10 * time.Second, settling: time.Second, programs: 8}, control
}

// TestRight: a service that keeps every contract passes.
func TestRight(t *testing.T) {
	s, _ := fakeSuite(t, newFakeTarget())
	s.run(t)
}

// TestLittle: what a service cannot do is not asked of it.
func TestLittle(t *testing.T) {
	s, _ := fakeSuite(t, newFakeTarget("no stats, drop, hold"))
	s.run(t)
}

// TestWrong: every mistake is seen by the contract that is about it, and said in a sentence. The
// service of each row makes one mistake and keeps every other contract.
func TestWrong(t *testing.T) {
	const (
		newOne    = "a new session has no active project"
		unnamed   = "an unnamed request is about the active project"
		ownOnly   = "a switch moves its own session only"
		named     = "a named request leaves the active project as it is"
		toUnknown = "a switch need not be to a project that is there"
		atOnce    = "several sessions may be used at once"
		all       = "what is indexed is found, all of it"
		replaces  = "an index replaces what was stored, in every mode"
		alike     = "projects are apart, however alike their names"
		substring = "a query is found as a substring, letter by letter"
		path      = "a path filter leaves only the files that it names"
		unknown   = "a project that was never indexed is unknown"
		limit     = "a limit is kept, and one over 50 refused"
		empty     = "an empty query is refused"
		refused   = "what is refused touches no pool"
		over      = "an operation whose context is over comes back and does all or nothing"
		order     = "pools stand in the order of their use, within the bound"
		counted   = "every acquisition is counted"
		anew      = "a new service begins to count anew"
		dropped   = "a dropped project is unknown, its contents gone"
		noEvict   = "a drop is no eviction"
		dialled   = "every connection is made by Env.Dial"
		pools     = "Env.ConfigurePool sees every pool"
		lease     = "a lease serves until it is released, its pool evicted or not"
		twice     = "a second release does nothing"
		room      = "there is room for every session and every lease at once"
		hold      = "a hold counts and touches like a search"
		drains    = "an evicted pool drains until its last lease ends"
		inUse     = "a project that is held is not dropped"
		outlives  = "what is stored outlives the service"
		longer    = "a service lives longer than the context it was opened with"
		ends      = "Close ends every connection"
		closed    = "a closed service refuses, and closes again in peace"
		reset     = "Reset empties every project"
	)
	for _, row := range []struct {
		mistake, contract, says string
	}{
		{"session inherits", newOne, "want one that is harness.ErrNoActiveProject"},
		{"active project made up", newOne, "harness.ErrNoActiveProject"},
		{"one active project for all", ownOnly, "another project's bytes"},
		{"one active project for all", atOnce, "Search in"},
		{"switch is lost", unnamed, "no active project"},
		{"named request switches", named, "another project's bytes"},
		{"switch looks", toUnknown, "Switch to \"new\""},
		{"misses the last", all, "files [0 1 2 3 4 5 6 7] only"},
		{"lines from 0", all, "lines that are none"},
		{"deleted files stay", replaces, "is of revision"},
		{"names folded", alike, "another project's bytes"},
		{"names truncated", alike, "names that are alike (long)"},
		{"finds in all", alike, ""},
		{"words only", substring, "found false, want true"},
		{"wildcards", substring, `Search for "alpha%soup"`},
		{"panics", substring, "what is a phabet?"},
		{"path ignored", path, "a match in"},
		{"path is whole", path, "not all of them"},
		{"unknown is empty", unknown, "no error; want one that is harness.ErrUnknownProject"},
		{"errors without names", unknown, "it may wrap it"},
		{"limit ignored", limit, "limit 1"},
		{"any limit", limit, "limit 51: no error"},
		{"finds nothing", empty, "harness.ErrEmptyQuery"},
		{"touches the unknown", refused, "an unknown project was refused, but touched"},
		{"half an index", over, "neither the old content nor the new"},
		{"get does not touch", order, "pools of [beta alpha]; want [alpha beta]"},
		{"one too many", order, ""},
		{"one too many", counted, "max_projects 2"},
		{"least recent first", order, "most recently used first"},
		{"counts from before", anew, "CacheHits:1"},
		{"drop keeps", dropped, "a second Drop: no error"},
		{"drop hides", dropped, "is of revision 1"},
		{"drop evicts", noEvict, "evictions 2"},
		{"dials itself", dialled, "Env.Dial was never called"},
		{"pools unconfigured", pools, "0 times"},
		{"lease dies with its pool", lease, "its own pool evicted: Search"},
		{"second release fails", twice, "released already"},
		{"no room", room, "no connection left"},
		{"hold does not touch", hold, "pools of [beta alpha]"},
		{"lease counts", hold, "counts as an acquisition"},
		{"no draining", drains, "draining is 0; want 1"},
		{"drains for ever", drains, "draining stays at 1"},
		{"second release releases another", twice, ""},
		{"drops what is held", inUse, "harness.ErrInUse"},
		{"forgets", outlives, "unknown project"},
		{"context of New", longer, "the context of New has ended"},
		{"leaves a connection", ends, "still connected"},
		{"never closed", closed, "harness.ErrClosed"},
		{"second close fails", closed, "nothing to close"},
		{"reset keeps", reset, "after a reset: no error"},
	} {
		t.Run(row.mistake+" "+row.contract, func(t *testing.T) {
			t.Parallel()
			s, control := fakeSuite(t, newFakeTarget(row.mistake))
			i := slices.IndexFunc(contracts(), func(c contract) bool { return c.name == row.contract })
			if i < 0 {
				t.Fatalf("there is no contract %q", row.contract)
			}
			err := s.see(t.Context(), contracts()[i], prefixOf(row.mistake+row.contract), control)
			if err == nil {
				t.Fatal("it passes")
			}
			if !strings.Contains(err.Error(), row.says) {
				t.Errorf("it says %q, but not %q", err, row.says)
			}
		})
	}
}

// prefixOf is a prefix of the test's own.
func prefixOf(s string) string {
	return "systemtest_" + strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(s)) + "_"
}

// TestHang: a service that does not come back ends its contract, and says where it stands.
func TestHang(t *testing.T) {
	for mistake, says := range map[string]string{
		"hangs": "nor when its context has ended\n", // and the stacks
		"waits": "when its context ended: ",
	} {
		t.Run(mistake, func(t *testing.T) {
			f := newFakeTarget(mistake)
			s, control := fakeSuite(t, f)
			s.patience = 500 * time.Millisecond
			err := s.see(t.Context(), contentContracts()[0], prefixOf("hang"+mistake), control)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), errHung.Error()) {
				t.Fatalf("it says %v", err)
			}
			if mistake == "hangs" && !strings.Contains(err.Error(), "fakeSession).Search") {
				t.Errorf("it does not say where: %v", err)
			}
		})
	}
}

// TestPrograms: what no single contract sees the drawn programs may, and the accusation names its program.
func TestPrograms(t *testing.T) {
	for mistake, says := range map[string]string{
		"get does not touch":         "accused of lru/",
		"one active project for all": "accused of ",
		"drains for ever":            "accused of ",
		"deleted files stay":         "accused of search/",
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			s, control := fakeSuite(t, newFakeTarget(mistake))
			s.programs = 40
			err := s.judge(t.Context(), prefixOf("programs"+mistake), control, []string{"stats", "drop", "hold"})
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "\nprogram v1\n") {
				t.Errorf("it says %v", err)
			}
		})
	}
	t.Run("none looks at anything", func(t *testing.T) {
		s, control := fakeSuite(t, newFakeTarget())
		s.programs = 0
		if err := s.judge(t.Context(), prefixOf("programsnone"), control, nil); err == nil {
			t.Error("no program was run, and it passes")
		}
	})
}

// TestContractsHaveNames: a contract is known by its name, and a row of TestWrong finds it by that.
func TestContractsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range contracts() {
		if c.name == "" || seen[c.name] {
			t.Errorf("contract %q", c.name)
		}
		seen[c.name] = true
	}
}
