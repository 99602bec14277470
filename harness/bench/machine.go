package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what it was measured on, without the machine's name.
type Machine struct {
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryMB  int    `json:"memory_mb"` // 0: not known
}

const unknown = "unknown"

// ThisMachine describes the machine we run on, as far as it tells.
func ThisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Processor: unknown, Cores: runtime.GOMAXPROCS(0)}
	if v, ok := procField("/proc/cpuinfo", "model name"); ok {
		m.Processor = v
	}
	if v, ok := procField("/proc/meminfo", "MemTotal"); ok {
		m.MemoryMB = int(kilobytes(v) >> 10)
	}
	return m
}

// procField returns the first value of a name in a file of lines "name: value".
func procField(path, name string) (string, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(data)) {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(n) == name {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// kilobytes reads "123 kB".
func kilobytes(v string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(v, " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
