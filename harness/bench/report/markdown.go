package report

import (
	"fmt"
	"strings"
)

// Markdown renders the report. page is the name of the HTML page, which has the plots.
func (r *Report) Markdown(page string) ([]byte, error) {
	blocks, err := r.document()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, at := range blocks {
		text := markdown(at, page)
		if text == "" {
			continue
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
	}
	return []byte(b.String()), nil
}

func markdown(at block, page string) string {
	var b strings.Builder
	switch at := at.(type) {
	case heading:
		fmt.Fprintf(&b, "%s %s\n", strings.Repeat("#", at.level), at.text)
	case paragraph:
		b.WriteString(at.text + "\n")
	case list:
		for i, item := range at.items {
			mark := "-"
			if at.ordered {
				mark = fmt.Sprintf("%d.", i+1)
			}
			fmt.Fprintf(&b, "%s %s\n", mark, item)
		}
	case table:
		markdownTable(&b, at)
	case verbatim:
		fence := "```"
		for strings.Contains(strings.Join(at.lines, "\n"), fence) {
			fence += "`"
		}
		fmt.Fprintf(&b, "%s\n\n%s\n%s\n%s\n", at.summary, fence, strings.Join(at.lines, "\n"), fence)
	case figures:
		var names []string
		for _, c := range at.charts {
			names = append(names, c.title)
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "Plots (in [%s](%s)): %s.\n", page, page, strings.Join(names, "; "))
		}
	}
	return b.String()
}

func markdownTable(b *strings.Builder, t table) {
	if len(t.rows) == 0 {
		return
	}
	var names, rule []string
	for _, c := range t.columns {
		name, right := strings.CutPrefix(c, ">")
		names = append(names, name)
		if right {
			rule = append(rule, "---:")
		} else {
			rule = append(rule, "---")
		}
	}
	fmt.Fprintf(b, "| %s |\n|%s|\n", strings.Join(names, " | "), strings.Join(rule, "|"))
	for _, row := range t.rows {
		for i, x := range row {
			if i > 0 {
				b.WriteByte(' ')
			} else {
				b.WriteString("| ")
			}
			b.WriteString(strings.ReplaceAll(x, "|", `\|`) + " |")
		}
		b.WriteByte('\n')
	}
}
