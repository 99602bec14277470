package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tenantstorm/tenantstorm/model"
)

// pgxModule is the driver that services of ours use.
const pgxModule = "github.com/jackc/pgx/v5"

// toolVersion is the version of the module as it was built, with its commit where Go recorded one.
func toolVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (v == "" || v == "(devel)") {
			v = "devel " + s.Value[:12]
		}
	}
	return v
}

// moduleVersion is the version of a module that is linked in.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print versions",
		Example: `  tenantstorm version`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(s.out, "tenantstorm %s, %s, pgx %s, program text v%d\n",
				toolVersion(), runtime.Version(), moduleVersion(pgxModule), model.FormatVersion)
			return err
		},
	}
}
