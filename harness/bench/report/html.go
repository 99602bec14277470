package report

import (
	"bytes"
	_ "embed" // the page's frame
	"fmt"
	"html/template"
	"strings"
)

//go:embed page.html
var frame string

// HTML renders the report as one page that needs nothing else. Its plots are SVG, drawn for a light and for a dark
// ground.
func (r *Report) HTML() ([]byte, error) {
	blocks, err := r.document()
	if err != nil {
		return nil, err
	}
	var body strings.Builder
	for _, at := range blocks {
		if err := writeHTML(&body, at); err != nil {
			return nil, err
		}
	}
	page, err := template.New("page").Parse(frame)
	if err != nil {
		return nil, fmt.Errorf("the page's frame: %w", err)
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"Title": title, "Palette": template.CSS(palette(":root")), "Body": template.HTML(body.String()),
	})
	if err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return b.Bytes(), nil
}

func writeHTML(b *strings.Builder, at block) error {
	switch at := at.(type) {
	case heading:
		fmt.Fprintf(b, "<h%d>%s</h%d>\n", at.level, inline(at.text), at.level)
	case paragraph:
		fmt.Fprintf(b, "<p>%s</p>\n", inline(at.text))
	case list:
		writeList(b, at)
	case table:
		writeTable(b, at)
	case verbatim:
		fmt.Fprintf(b, "<details><summary>%s</summary><pre>%s</pre></details>\n", inline(at.summary), template.HTMLEscapeString(strings.Join(at.lines, "\n")))
	case figures:
		if len(at.charts) == 0 {
			return nil
		}
		b.WriteString("<div class=\"plots\">\n")
		for _, c := range at.charts {
			svg, err := c.svg()
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "<figure>%s</figure>\n", svg)
		}
		b.WriteString("</div>\n")
	}
	return nil
}

func writeList(b *strings.Builder, l list) {
	if len(l.items) == 0 {
		return
	}
	tag := "ul"
	if l.ordered {
		tag = "ol"
	}
	fmt.Fprintf(b, "<%s>\n", tag)
	for _, item := range l.items {
		fmt.Fprintf(b, "<li>%s</li>\n", inline(item))
	}
	fmt.Fprintf(b, "</%s>\n", tag)
}

func writeTable(b *strings.Builder, t table) {
	if len(t.rows) == 0 {
		return
	}
	right := make([]bool, len(t.columns))
	b.WriteString("<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>")
	for i, c := range t.columns {
		var name string
		name, right[i] = strings.CutPrefix(c, ">")
		fmt.Fprintf(b, "<th%s>%s</th>", class(right[i], ""), inline(name))
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range t.rows {
		b.WriteString("<tr>")
		for i, x := range row {
			fmt.Fprintf(b, "<td%s>%s</td>", class(right[i], x), inline(x))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div>\n")
}

// class is a cell's: numbers stand to the right, verdicts are coloured besides being said.
func class(right bool, text string) string {
	switch {
	case right:
		return ` class="n"`
	case strings.HasPrefix(text, "PASS"):
		return ` class="pass"`
	case strings.HasPrefix(text, "FAIL"):
		return ` class="fail"`
	case strings.HasPrefix(text, "INCONCLUSIVE"):
		return ` class="unclear"`
	}
	return ""
}

// inline escapes a text and renders the two marks that texts here use: **strong** and `code`.
func inline(text string) string {
	text = template.HTMLEscapeString(text)
	for _, mark := range [][2]string{{"**", "strong"}, {"`", "code"}} {
		parts := strings.Split(text, mark[0])
		if len(parts)%2 == 0 {
			continue // one that is not closed is itself
		}
		var b strings.Builder
		for i, p := range parts {
			if i%2 == 1 {
				p = "<" + mark[1] + ">" + p + "</" + mark[1] + ">"
			}
			b.WriteString(p)
		}
		text = b.String()
	}
	return text
}
