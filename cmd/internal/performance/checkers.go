package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/check/checktest"
	"github.com/tenantstorm/tenantstorm/model"
)

// judgeCommand is this program's argument in the process that judges one history.
const judgeCommand = "judge"

// judgeBar is what the judgement of the longest history may take.
const judgeBar = 10 * time.Second

// judgeSessions are under way at once in a generated history.
const judgeSessions = 16

// judged is what that process prints.
type judged struct {
	Seconds   float64 `json:"seconds"`
	HistoryMB float64 `json:"history_mb"`
	PeakMB    float64 `json:"peak_mb"`
}

// checkers measures how the judgement grows with the history, each in a process of its own.
func (l *lab) checkers(ctx context.Context) (s section, err error) {
	s.title = "Checkers"
	s.text = fmt.Sprintf("Judging generated histories of a correct service in free mode: sessions %d, projects %d, every sort of "+
		"operation but leases, each history in a process of its own. Up to some hundred operations a project a history is searched "+
		"for a linearization; longer ones are judged in linear time. Peak is the most memory that the process ever had: generator, "+
		"history and judgement, the garbage collector at its default.", judgeSessions, model.DefaultBounds().Projects)
	s.table.row("operations", "seconds", "min – max", "operations/s", "history, MB", "peak, MB")
	for n := 1_000; n <= model.MaxOps; n *= 10 {
		var seconds, history, peak sample
		for range l.rounds {
			j, err := l.judgeApart(ctx, n-model.DefaultBounds().Projects)
			if err != nil {
				return s, fmt.Errorf("judge %d operations: %w", n, err)
			}
			seconds.add(j.Seconds)
			history.add(j.HistoryMB)
			peak.add(j.PeakMB)
		}
		s.table.row(whole(n), number(seconds.median()), seconds.span(), number(float64(n)/seconds.median()), number(history.median()), number(peak.median()))
		if n == model.MaxOps {
			s.bar(fmt.Sprintf("%s operations below %v", whole(n), judgeBar), seconds.median() < judgeBar.Seconds())
		}
	}
	return s, nil
}

// judgeApart judges one history in a process of its own.
func (l *lab) judgeApart(ctx context.Context, operations int) (j judged, err error) {
	cmd := exec.CommandContext(ctx, l.self, judgeCommand, strconv.Itoa(operations))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return j, err
	}
	return j, json.Unmarshal(out, &j)
}

// judge is what that process does.
func judge(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "judge takes a number of operations")
		return 2
	}
	operations, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 2
	}
	d := model.DefaultBounds()
	before := liveHeap()
	p, h := checktest.Correct(model.NewSource(uint64(operations)), checktest.Options{
		Operations: operations, Sessions: judgeSessions, Projects: d.Projects, MaxProjects: d.MaxProjects,
	})
	j := judged{HistoryMB: float64(liveHeap()-before) / 1e6}
	began := time.Now()
	v := check.Judge(p, h)
	j.Seconds = time.Since(began).Seconds()
	if v.Status != check.Pass {
		fmt.Fprintln(stderr, notPassed(model.Program{}, v))
		return 1
	}
	if j.PeakMB, err = peakMemory(); err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 2
	}
	if err := json.NewEncoder(stdout).Encode(j); err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 2
	}
	return 0
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peakMemory returns the most memory this process ever had, in MB. What the system tells a parent of its
// child will not do: that includes what the parent itself had when it forked.
func peakMemory() (float64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read peak memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib * 1024 / 1e6, err
		}
	}
	return 0, errors.New("read peak memory: the system does not tell")
}
