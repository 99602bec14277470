package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
)

// describe says what it was measured on, without naming the machine.
func describe(r postgres.Report) string {
	return fmt.Sprintf("Machine: %s (%s), %d cores, %s; pgx %s, PostgreSQL %s by %s.",
		processor(), runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version(), moduleVersion("github.com/jackc/pgx/v5"),
		postgres.VersionString(r.Version), r.Provider)
}

func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

// loadAverage is that of the last minute; "unknown" where the system does not tell.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "unknown"
}
