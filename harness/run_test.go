package harness_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/target"
	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/audit"
	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/model"
)

var server postgres.Server

func TestMain(m *testing.M) {
	ctx := context.Background()
	var err error
	server, _, err = postgres.Open(ctx, "auto", postgres.Settings{}, postgres.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// judge runs one program on the reference service and returns the verdict with its history.
func judge(t *testing.T, tg harness.Target, prefix string, p model.Program) (check.Verdict, *harness.Run) {
	t.Helper()
	ctx := t.Context()
	control := harness.NewControl(server.DSN())
	defer control.Close(context.WithoutCancel(ctx))
	env := harness.Env{DSN: server.DSN(), Prefix: prefix, Logger: quiet}
	if err := tg.Reset(ctx, env); err != nil {
		t.Fatal(err)
	}
	run, err := harness.Start(ctx, tg, env, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Execute(ctx); err != nil {
		t.Fatal(err)
	}
	if err := audit.Service(ctx, run, control, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	return check.Judge(p, run.History), run
}

// TestReferenceIsNeverAccused is the no-false-accusation test of runner, audit and checkers together.
func TestReferenceIsNeverAccused(t *testing.T) {
	tg := target.Codesearch()
	control := harness.NewControl(server.DSN())
	t.Cleanup(func() {
		if err := control.DropDatabases(context.Background(), "runtest_"); err != nil {
			t.Error(err)
		}
		_ = control.Close(context.Background())
	})
	cases := 60
	if testing.Short() {
		cases = 10
	}
	for i := range cases {
		p := model.Generate(model.NewSource(model.CaseSeed(1, i)), model.DefaultBounds())
		v, run := judge(t, tg, "runtest_", p)
		if v.Status != check.Pass && p.Len() > 0 {
			t.Fatalf("case %d: %s: %+v\n%s\n%+v", i, v.Status, v.First(), p, run.History.Rest)
		}
	}
}

var quiet = slog.New(slog.DiscardHandler)
