package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
	"github.com/tenantstorm/tenantstorm/fixtures/seeded"
	"github.com/tenantstorm/tenantstorm/model"
)

type doctorFlags struct {
	postgres string
	json     bool
}

func newDoctor(s streams) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine offers, and how to get what is missing",
		Long: `doctor looks at every way to get a PostgreSQL and says which can be had, and what to do about the others.
Then it opens the one that a storm would take and says how many workers there is room for, and what the gate
sees of a service, and what it cannot. To see whether
PostgreSQL could be downloaded it asks the repository for an answer, and downloads nothing unless --postgres
(or ` + postgres.EnvSpec + `) says download.

Exit codes: 0 a storm can run, 2 it cannot.`,
		Example: `  tenantstorm doctor
  tenantstorm doctor --postgres 'postgres://me@db.test/postgres'
  tenantstorm doctor --postgres download:17
  tenantstorm doctor --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	registerPostgres(cmd.Flags(), &f.postgres)
	cmd.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return cmd
}

// doctorJSON is what doctor --json prints.
type doctorJSON struct {
	Tenantstorm string         `json:"tenantstorm"`
	Go          string         `json:"go"`
	Pgx         string         `json:"pgx"`
	Cores       int            `json:"cores"`
	Providers   []providerJSON `json:"providers"`
	Server      *serverJSON    `json:"server,omitempty"` // none: none could be had
	Gate        gateJSON       `json:"gate"`
}

// providerJSON is one way to get a PostgreSQL.
type providerJSON struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	About     string `json:"about"`             // what it is, and what it needs
	Taken     string `json:"taken"`             // when
	Reason    string `json:"reason,omitempty"`  // why not
	WayOut    string `json:"way_out,omitempty"` // what to do about it
}

// serverJSON is the server that a storm would take. No password is in it.
type serverJSON struct {
	Postgres       string `json:"postgres"`
	Detail         string `json:"detail,omitempty"`
	Address        string `json:"address"`
	MaxConnections int    `json:"max_connections"`
	Reserved       int    `json:"reserved"`
	InUse          int    `json:"in_use"`
	Workers        int    `json:"workers"` // that a storm with default bounds has room for
}

func (f *doctorFlags) run(ctx context.Context, s streams) error {
	screen := newScreen(s, true)
	options := postgres.Options{Progress: screen.say}
	r := doctorJSON{Tenantstorm: toolVersion(), Go: runtime.Version(), Pgx: moduleVersion(pgxModule), Cores: runtime.GOMAXPROCS(0)}
	r.Providers = f.providers(ctx, options)
	server, missing := f.open(ctx, options)
	r.Server = server
	r.Gate = gateOf(seeded.Sources(ctx))
	show := printDoctor
	if f.json {
		show = func(w io.Writer, r doctorJSON) error { return printJSON(w, r) }
	}
	if err := show(s.out, r); err != nil {
		return errors.Join(missing, err)
	}
	return missing
}

func (f *doctorFlags) providers(ctx context.Context, options postgres.Options) []providerJSON {
	spec := f.postgres
	if spec == "" || spec == "auto" {
		spec = os.Getenv(postgres.EnvSpec)
	}
	image, isImage := strings.CutPrefix(spec, "docker:")
	binaries, isBinaries := strings.CutPrefix(spec, "local:")
	version, isVersion := strings.CutPrefix(spec, "download:")
	if !isImage {
		image = ""
	}
	if !isBinaries {
		binaries = ""
	}
	if !isVersion {
		version = ""
	}
	rows := []providerJSON{
		available(ctx, postgres.NewDocker(image, options)),
		available(ctx, postgres.NewLocal(binaries, options)),
		available(ctx, postgres.NewDownload(version, options)),
	}
	dsn := providerJSON{Name: "dsn", Reason: "none is named",
		WayOut: "name one with --postgres postgres://user@host:5432/postgres, or the same in " + postgres.EnvSpec}
	if !isImage && !isBinaries && !isVersion && strings.ContainsAny(spec, "=/") {
		if named, err := postgres.NewDSN(spec, options); err != nil {
			dsn = providerJSON{Name: "dsn", Reason: err.Error()}
		} else {
			dsn = available(ctx, named)
		}
	}
	rows = append(rows, dsn)
	for i := range rows {
		about := aboutProviders[rows[i].Name]
		rows[i].About, rows[i].Taken = about.what, about.taken
	}
	return rows
}

// aboutProviders says of each provider, by its name, what it is and needs, and when it is taken.
var aboutProviders = map[string]struct{ what, taken string }{
	"docker": {"a container", "by auto first; asked for with --postgres docker or docker:IMAGE"},
	"local":  {"this machine's own binaries", "by auto where Docker gives none; asked for with --postgres local or local:BINDIR"},
	"download": {"binaries from Maven Central, kept in the user's cache; needs Linux, and once a network",
		"only when asked for with --postgres download or download:VERSION, or the same in " + postgres.EnvSpec + "; never by auto alone"},
	"dsn": {"a server that runs already", "only when it is named"},
}

func available(ctx context.Context, p postgres.Provider) providerJSON {
	err := p.Available(ctx)
	row := providerJSON{Name: p.Name(), Available: err == nil}
	var unavailable *postgres.UnavailableError
	var unreachable *postgres.UnreachableError
	switch {
	case err == nil:
	case errors.As(err, &unavailable):
		row.Reason, row.WayOut = unavailable.Reason, unavailable.WayOut
	case errors.As(err, &unreachable):
		row.Reason, row.WayOut = unreachable.Target+": "+unreachable.Reason, unreachable.WayOut
	default:
		row.Reason = err.Error()
	}
	return row
}

// open opens the server that a storm would take, looks at it, and stops it again.
func (f *doctorFlags) open(ctx context.Context, options postgres.Options) (_ *serverJSON, err error) {
	server, report, err := postgres.Open(ctx, f.postgres, postgres.Settings{}, options)
	if err != nil {
		return nil, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, server.Stop(stop))
	}()
	r := &serverJSON{Postgres: sourceName(report), Detail: report.Detail, Address: report.Address}
	if r.MaxConnections, r.Reserved, r.InUse, err = postgres.Budget(ctx, server); err != nil {
		return nil, err
	}
	d := model.DefaultBounds()
	free := r.MaxConnections - r.Reserved - r.InUse - ownConnections
	r.Workers = max(0, free/connectionsPerWorker(d.Projects, d.MaxProjects, 1, stormHolds))
	if r.Workers == 0 {
		err = fmt.Errorf("%s has no room for a worker: raise max_connections", r.Postgres)
	}
	return r, err
}

func printDoctor(w io.Writer, r doctorJSON) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "PostgreSQL by\tavailable\t")
	for _, p := range r.Providers {
		word := "no"
		if p.Available {
			word = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, word, p.About)
		fmt.Fprintf(t, "\t\ttaken %s\n", p.Taken)
		if p.Reason != "" {
			fmt.Fprintf(t, "\t\t%s\n", firstLine(p.Reason))
		}
		if p.WayOut != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", p.WayOut)
		}
	}
	fmt.Fprintf(t, "\ntenantstorm\t%s\nGo\t%s\npgx\t%s\ncores\t%d\n", r.Tenantstorm, r.Go, r.Pgx, r.Cores)
	if s := r.Server; s != nil {
		fmt.Fprintf(t, "\na storm takes\t%s\n\t%s\n", s.Postgres, s.Address)
		if s.Detail != "" {
			fmt.Fprintf(t, "\t%s\n", s.Detail)
		}
		fmt.Fprintf(t, "connections\t%d, of which %d reserved and %d in use: room for %s\n",
			s.MaxConnections, s.Reserved, s.InUse, count(s.Workers, "worker"))
	}
	printGate(t, r.Gate)
	return t.Flush()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
