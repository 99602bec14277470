package gate

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/harness/point"
)

// As runs f with the calling goroutine, and those it starts, working for an operation: points in their code
// are that operation's, and what they wait for can be told.
func As(op int, f func()) {
	defer point.Enter(op)()
	f()
}

// waitGraph tells who waits for whom, in PostgreSQL and in the service, for people.
func (g *Gate) waitGraph(ctx context.Context) string {
	var b strings.Builder
	g.mu.Lock()
	links := append(g.links(waiting), g.links(executing)...)
	slices.SortFunc(links, g.byOwner)
	owners := map[*pgwire.Link]int{}
	for _, l := range g.front.Links() {
		owners[l] = g.owners[l]
	}
	for _, u := range g.parked {
		fmt.Fprintf(&b, "%s: parked, and not let go on any more\n", u.point)
	}
	g.mu.Unlock()
	byPID := map[uint32]int{}
	for l, op := range owners {
		byPID[l.PID()] = op
	}
	blocked, err := g.blocked(ctx, links)
	if err != nil {
		fmt.Fprintf(&b, "PostgreSQL could not be asked who waits for whom: %v\n", err)
	}
	for _, l := range links {
		fmt.Fprintf(&b, "in PostgreSQL: %s", opName(owners[l]))
		if by := blocked[l.PID()]; len(by) > 0 {
			b.WriteString(" waits for a lock that is held by")
			for _, pid := range by {
				if op, ours := byPID[pid]; ours {
					fmt.Fprintf(&b, " %s", opName(op))
				} else {
					b.WriteString(" somebody who is not of this case")
				}
			}
		} else {
			b.WriteString(" executes a statement")
		}
		b.WriteByte('\n')
	}
	b.WriteString(labelled())
	return strings.TrimSuffix(b.String(), "\n")
}

func opName(op int) string {
	if op == 0 {
		return "the background"
	}
	return fmt.Sprintf("#%d", op)
}

var (
	groupLabel = regexp.MustCompile(`"` + point.Label + `":"(\d+)"`)
	frame      = regexp.MustCompile(`^#\s+0x[0-9a-f]+\s+(\S+?)\+0x[0-9a-f]+\s+(\S+)$`)
)

// labelled lists the goroutines of operations with the first frames that say what they wait for.
func labelled() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return fmt.Sprintf("the goroutines could not be listed: %v\n", err)
	}
	var out []string
	for _, group := range strings.Split(profile.String(), "\n\n") {
		m := groupLabel.FindStringSubmatch(group)
		if m == nil {
			continue
		}
		var frames []string
		for _, line := range strings.Split(group, "\n") {
			if f := frame.FindStringSubmatch(line); f != nil && !strings.Contains(f[1], "tenantstorm/harness") {
				frames = append(frames, f[1])
			}
		}
		if len(frames) > 0 {
			out = append(out, fmt.Sprintf("in the service: #%s is in %s", m[1], strings.Join(frames[:min(len(frames), 6)], " < ")))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
