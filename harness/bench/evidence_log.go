package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Logged is a slow statement of the server's own log.
type Logged struct {
	Milliseconds float64  `json:"ms"`
	SQL          string   `json:"sql"`
	Plan         []string `json:"plan,omitempty"` // where auto_explain wrote it
}

// ServerLog takes a server's log and keeps its end. It is safe for concurrent use.
type ServerLog struct {
	mu      sync.Mutex
	kept    []byte
	written int64 // ever
}

// mostLog is how much of a log is kept.
const mostLog = 8 << 20

// Write keeps more of the log.
func (s *ServerLog) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(len(p))
	s.kept = append(s.kept, p...)
	if over := len(s.kept) - mostLog; over > 0 {
		s.kept = slices.Clone(s.kept[over:])
	}
	return len(p), nil
}

// position is how much was ever written.
func (s *ServerLog) position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// since is what was written after a position, as far as it is kept.
func (s *ServerLog) since(position int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := max(0, int64(len(s.kept))-(s.written-position))
	return string(s.kept[min(from, int64(len(s.kept))):])
}

// slowLimit is from when on a server tells of a statement, in milliseconds.
const slowLimit = 5

// listening are the settings that make a server tell of slow statements.
var listening = [][2]string{
	{"session_preload_libraries", "auto_explain"}, {"auto_explain.log_min_duration", fmt.Sprint(slowLimit)}, {"auto_explain.log_analyze", "on"},
	{"auto_explain.log_buffers", "on"}, {"auto_explain.log_timing", "off"}, {"log_min_duration_statement", fmt.Sprint(slowLimit)},
}

// listen makes the server tell of slow statements from now on, until restore.
func (d *diagnosis) listen(ctx context.Context, log *ServerLog) (restore func() error, err error) {
	d.mark = log.position()
	settings := listening
	err = d.lab.control(ctx, "", func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `LOAD 'auto_explain'`); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.note("the server has no auto_explain: its log holds no plans (%v)", err)
			settings = listening[len(listening)-1:]
		}
		for _, s := range settings {
			if _, err := conn.Exec(ctx, `ALTER SYSTEM SET `+s[0]+` = '`+s[1]+`'`); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, `SELECT pg_reload_conf()`)
		return err
	})
	restore = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		return d.lab.control(ctx, "", func(conn *pgx.Conn) error {
			var errs []error
			for _, s := range settings {
				_, err := conn.Exec(ctx, `ALTER SYSTEM RESET `+s[0])
				errs = append(errs, err)
			}
			_, err := conn.Exec(ctx, `SELECT pg_reload_conf()`)
			return errors.Join(append(errs, err)...)
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the server tell of slow statements: %w", err), restore())
	}
	return restore, nil
}

// durationLine begins what the server says of one slow statement.
var durationLine = regexp.MustCompile(`LOG:  duration: ([0-9.]+) ms  (plan|statement|execute [^:]*):\s*(.*)`)

const worstLogged = 5

// slowest reads the slowest statements off the log: each text once, with its plan where there is one.
func (s *ServerLog) slowest(position int64) []Logged {
	worst := map[string]Logged{}
	for _, found := range parseLog(s.since(position)) {
		if strings.HasPrefix(found.SQL, explainWith) {
			continue // our own
		}
		was, ok := worst[found.SQL]
		if !ok || cmp.Or(cmp.Compare(min(1, len(found.Plan)), min(1, len(was.Plan))), cmp.Compare(found.Milliseconds, was.Milliseconds)) > 0 {
			worst[found.SQL] = found
		}
	}
	var all []Logged
	for _, l := range worst {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Logged) int {
		return cmp.Or(cmp.Compare(b.Milliseconds, a.Milliseconds), cmp.Compare(a.SQL, b.SQL))
	})
	return all[:min(worstLogged, len(all))]
}

// parseLog finds the slow statements in a log. What continues an entry begins with a tab.
func parseLog(text string) (found []Logged) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		m := durationLine.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			continue
		}
		var more []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t") {
			i++
			more = append(more, strings.TrimPrefix(lines[i], "\t"))
		}
		l := Logged{Milliseconds: ms}
		if m[2] == "plan" {
			l.SQL, l.Plan = splitPlan(more)
		} else {
			l.SQL = strings.Join(append([]string{m[3]}, more...), "\n")
		}
		l.SQL = strings.Join(strings.Fields(l.SQL), " ")
		found = append(found, l)
	}
	return found
}

// planLine begins a plan: a node with its estimated cost.
var planLine = regexp.MustCompile(`\(cost=[0-9.]+\.\.[0-9.]+ rows=`)

// splitPlan parts what auto_explain writes into the statement and its plan.
func splitPlan(lines []string) (sql string, plan []string) {
	at := slices.IndexFunc(lines, planLine.MatchString)
	if at < 0 {
		at = len(lines)
	}
	// Parameters, where a server shows them, stand between the two; they are not kept.
	var text []string
	for _, line := range lines[:at] {
		if strings.HasPrefix(line, "Query Parameters:") {
			break
		}
		text = append(text, line)
	}
	return strings.TrimPrefix(strings.Join(text, "\n"), "Query Text: "), lines[at:]
}
