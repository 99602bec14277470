package model

import (
	"fmt"
	"strings"
)

// String returns the program's text, which [Parse] reads back to an equal program. Fields at their
// defaults are left out.
func (p Program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "program v%d\n", FormatVersion)
	fmt.Fprintf(&b, "mode %s\n", p.Mode)
	fmt.Fprintf(&b, "max_projects %d\n", p.MaxProjects)
	fmt.Fprintf(&b, "projects %d\n", p.Projects)
	if p.Names != NamesPlain {
		fmt.Fprintf(&b, "names %s\n", p.Names)
	}
	fmt.Fprintf(&b, "sessions %d\n", p.Sessions)
	if p.Deadline > 0 {
		fmt.Fprintf(&b, "deadline %s\n", p.Deadline)
	}
	section(&b, "setup", p.Setup)
	section(&b, "race", p.Race)
	var schedule []fmt.Stringer
	if p.Strategy != (Strategy{}) {
		schedule = append(schedule, p.Strategy)
	}
	for _, in := range p.Schedule {
		schedule = append(schedule, in)
	}
	section(&b, "schedule", schedule)
	return b.String()
}

func section[T fmt.Stringer](b *strings.Builder, name string, lines []T) {
	if len(lines) == 0 {
		return
	}
	if name == "setup" {
		b.WriteByte('\n')
	}
	b.WriteString(name)
	b.WriteByte('\n')
	for _, l := range lines {
		b.WriteString("  ")
		b.WriteString(l.String())
		b.WriteByte('\n')
	}
}
