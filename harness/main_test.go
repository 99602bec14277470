package harness_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
)

// shared is the server of the tests that need one. It is started by the first of them: the tests of the
// runner need none.
var shared struct {
	once   sync.Once
	server postgres.Server
	err    error
}

// server returns the shared server. Without one the test fails: there is nothing to pass over.
func server(t *testing.T) postgres.Server {
	t.Helper()
	shared.once.Do(func() {
		shared.server, _, shared.err = postgres.Open(context.Background(), "auto", postgres.Settings{}, postgres.Options{})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
