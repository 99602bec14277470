package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Encode returns the evidence's JSON, without the profiles.
func (e *Evidence) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the evidence: %w", err)
	}
	return append(data, '\n'), nil
}

// Markdown is the evidence for people. Headings begin at the level given.
func (e *Evidence) Markdown(level int) string {
	var b strings.Builder
	head := func(deeper int, text string) {
		fmt.Fprintf(&b, "\n%s %s\n\n", strings.Repeat("#", level+deeper), text)
	}
	fmt.Fprintf(&b, "%s Evidence: %s\n\n", strings.Repeat("#", level), e.Kind)
	for _, why := range e.Because {
		fmt.Fprintf(&b, "- %s\n", why)
	}
	fmt.Fprintf(&b, "\nGathered in a run of its own, with everything watched: %s. Its times are longer than those measured.\n", e.Load)
	head(1, "What to try, in this order")
	for i, a := range e.Advice {
		fmt.Fprintf(&b, "%d. %s\n", i+1, a)
	}
	if len(e.Statements) > 0 {
		head(1, "Statements, as the client saw them")
		b.WriteString("| times | sum, ms | mean, ms | longest, ms | statement |\n|---:|---:|---:|---:|---|\n")
		for _, s := range e.Statements[:min(len(e.Statements), 10)] {
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", s.Times, inMS(s.Total), inMS(s.Total/time.Duration(s.Times)), inMS(s.Max), cell(s.SQL))
		}
		fmt.Fprintf(&b, "\nA pool's connection was acquired %d times (longest wait %s ms); %d connections were opened (longest %s ms).\n",
			e.Acquire.Times, inMS(e.Acquire.Max), e.Connect.Times, inMS(e.Connect.Max))
	}
	for _, p := range e.Plans {
		head(1, "Plan: "+cellText(p.SQL))
		fenced(&b, append(strings.Split(strings.TrimSpace(p.SQL), "\n"), append([]string{""}, p.Text...)...))
	}
	e.logged(&b, head)
	if len(e.Tables) > 0 {
		head(1, "How tables were read")
		b.WriteString("| table | rows | full scans | rows read so | index scans | hint |\n|---|---:|---:|---:|---:|---|\n")
		for _, t := range e.Tables {
			hint := "–"
			if t.Hint() != "" {
				hint = "an index may be missing"
			}
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s |\n", cell(t.Name), t.Rows, t.Scans, t.ScanRows, t.IndexUses, hint)
		}
	}
	if len(e.Notes) > 0 {
		head(1, "Notes")
		for _, n := range e.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	return b.String()
}

// logged writes what the server said by itself.
func (e *Evidence) logged(b *strings.Builder, head func(int, string)) {
	if len(e.Logged) > 0 {
		head(1, fmt.Sprintf("Slow statements, by the server's log (from %d ms on)", slowLimit))
		for _, l := range e.Logged {
			fmt.Fprintf(b, "%.1f ms: %s\n\n", l.Milliseconds, cell(l.SQL))
			if len(l.Plan) > 0 {
				fenced(b, l.Plan)
				b.WriteByte('\n')
			}
		}
	}
	if len(e.Counted) > 0 {
		head(1, "Statements, by pg_stat_statements")
		b.WriteString("| calls | sum, ms | mean, ms | rows | blocks hit | blocks read | statement |\n|---:|---:|---:|---:|---:|---:|---|\n")
		for _, c := range e.Counted {
			fmt.Fprintf(b, "| %d | %.1f | %.2f | %d | %d | %d | %s |\n", c.Calls, c.TotalMS, c.MeanMS, c.Rows, c.BlocksHit, c.BlocksRead, cell(c.SQL))
		}
	}
}

func inMS(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/millisecond) }

func cellText(sql string) string { return strings.ReplaceAll(short(sql), "|", "¦") }

// cell is a text that fits between two bars of a table.
func cell(sql string) string { return "`" + strings.ReplaceAll(cellText(sql), "`", "'") + "`" }

func fenced(b *strings.Builder, lines []string) {
	b.WriteString("```\n")
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	b.WriteString("```\n")
}
