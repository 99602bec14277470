package instrument

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Modules that others keep pass their own unit tests with points, and are covered as without them.
func TestThirdParty(t *testing.T) {
	for name, c := range map[string]struct {
		pattern string
		tested  []string
		run     string // their tests that need no server and do not race with the clock
		least   int    // points
		exactly bool   // their coverage is the same from run to run
	}{
		"golang-lru": {
			pattern: "github.com/hashicorp/golang-lru/v2/...",
			tested:  []string{"github.com/hashicorp/golang-lru/v2", "github.com/hashicorp/golang-lru/v2/simplelru"},
			run:     ".", least: 50, exactly: true,
		},
		"puddle": {
			pattern: "github.com/jackc/puddle/v2", tested: []string{"github.com/jackc/puddle/v2"},
			run: ".", least: 30,
		},
		"pgxpool": {
			pattern: "github.com/jackc/pgx/v5/pgxpool", tested: []string{"github.com/jackc/pgx/v5/pgxpool"},
			run:   "^(TestConfigCopyReturnsEqualConfig|TestConnectConfigRequiresConnConfigFromParseConfig|TestParseConfigExtractsPoolArguments|TestPoolInitialConnectionError|TestPoolAcquireCanceledDuringStalledPing)$",
			least: 20,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plain := Result{Dir: root(t)}
			needsTests(t, c.tested)
			r := write(t, Options{Dir: root(t), Patterns: []string{c.pattern}})
			if len(r.Sites) < c.least || len(r.Refused) > 0 {
				t.Errorf("%d points, refused %v", len(r.Sites), r.Refused)
			}
			args := slices.Concat([]string{"-run", c.run}, c.tested)
			want, _ := profile(t, plain, args...)
			got, said := profile(t, r, args...)
			if !regexp.MustCompile(`(?m)^ok .* [1-9][0-9.]*% of statements`).MatchString(said) {
				t.Errorf("no test covered anything:\n%s", said)
			}
			if !c.exactly {
				want, got = places(want), places(got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-without points +with:\n%s", diff)
			}
		})
	}
}

// needsTests skips where a module's tests cannot be built, because what they need could not be downloaded.
func needsTests(t *testing.T, packages []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"vet"}, packages)...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	if text := strings.TrimSpace(string(out)); os.Getenv("TENANTSTORM_CI") == "1" {
		t.Fatal(text)
	} else {
		t.Skip(text)
	}
}
