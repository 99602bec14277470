package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is what something in a plot is drawn with: a name, not a colour, since a plot is seen on light and on dark ground.
type ink int

const (
	inkText ink = iota
	inkFaint
	inkLimit
	inkFirst // of the series; the others follow
)

// seriesInks are how many series can be told from one another.
const seriesInks = 6

// palettes are the colours on light and on dark ground: those of Okabe and Ito for the series, which people see apart
// however they see colours, darker or lighter where the ground asks for it.
var palettes = []struct{ variable, light, dark string }{
	{"--plot-text", "#3b4048", "#c3c9d1"},
	{"--plot-faint", "#dfe3e8", "#343a43"},
	{"--plot-limit", "#8a9099", "#8a929c"},
	{"--plot-1", "#0072b2", "#56b4e9"},
	{"--plot-2", "#d55e00", "#ff9248"},
	{"--plot-3", "#008f66", "#2fcf9f"},
	{"--plot-4", "#b4528f", "#e08fc0"},
	{"--plot-5", "#9a7500", "#e6c229"},
	{"--plot-6", "#55606e", "#aab4c0"},
}

func series(i int) ink { return inkFirst + ink(i%seriesInks) }

// RGBA is a colour that stands for the ink until the plot is written.
func (i ink) RGBA() (r, g, b, a uint32) { return i.stand().RGBA() }

func (i ink) stand() color.NRGBA {
	return color.NRGBA{R: 0x33, G: 0x55, B: uint8(0x40 + 0x11*int(i)), A: 0xff}
}

// written is how vgsvg writes the colour that stands for the ink: it rounds down.
func (i ink) written() string {
	r, g, b, a := i.RGBA()
	scale := 255.0 / float64(a)
	return fmt.Sprintf("#%02X%02X%02X", int(float64(r)*scale), int(float64(g)*scale), int(float64(b)*scale))
}

// palette is the style sheet of the inks, for the elements that a selector names.
func palette(selector string) string {
	var light, dark strings.Builder
	for _, p := range palettes {
		fmt.Fprintf(&light, "%s:%s;", p.variable, p.light)
		fmt.Fprintf(&dark, "%s:%s;", p.variable, p.dark)
	}
	return fmt.Sprintf("%s{%s}@media(prefers-color-scheme:dark){%s{%s}}", selector, light.String(), selector, dark.String())
}

// fonts are those whose letters are as wide as the ones the plot was laid out with.
const fonts = "'Liberation Sans',Arimo,Arial,Helvetica,sans-serif"

var (
	opening = regexp.MustCompile(`(?s)^.*?<svg[^>]*viewBox="([^"]*)"[^>]*>`)
	newline = regexp.MustCompile(`\n\s+style=`)
)

// drawSVG draws on a canvas of a size and returns the SVG element. Its colours are variables that palette sets.
func drawSVG(width, height float64, title string, drawing func(draw.Canvas)) (string, error) {
	canvas := vgsvg.New(points(width), points(height))
	drawing(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %q: %w", title, err)
	}
	svg := b.String()
	open := opening.FindStringSubmatch(svg)
	if open == nil {
		return "", fmt.Errorf("draw %q: what was drawn is no SVG", title)
	}
	svg = strings.TrimPrefix(svg, open[0])
	for i, p := range palettes {
		svg = strings.ReplaceAll(svg, ink(i).written(), "var("+p.variable+")")
	}
	svg = strings.ReplaceAll(svg, "font-family:Liberation Sans;", "font-family:"+fonts+";")
	svg = newline.ReplaceAllString(svg, " style=")
	return fmt.Sprintf(`<svg class="plot" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg" viewBox="%s">`, html.EscapeString(title), open[1]) + svg, nil
}

// standalone makes a file of an SVG element.
func standalone(svg string, width, height float64) []byte {
	head := fmt.Sprintf(`<svg width="%.0f" height="%.0f" `, width, height)
	style := "<style>" + palette("svg") + "svg{background:#fff}@media(prefers-color-scheme:dark){svg{background:#14171b}}</style>"
	svg = strings.Replace(svg, "<svg ", head, 1)
	return []byte(strings.Replace(svg, ">", ">"+style, 1))
}
