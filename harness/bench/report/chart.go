package report

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The size of a plot: as narrow as a telephone, so that its letters are as large there as anywhere.
const (
	chartWidth  = 300
	chartHeight = 205
	letters     = 9
)

func points(x float64) vg.Length { return vg.Length(x) }

// chart is one plot.
type chart struct {
	title, x, y string
	lines       []line
	limits      []limit
	xTicks      plot.Ticker
	log         bool // the y axis
}

// line is one series of a chart.
type line struct {
	name   string
	xy     plotter.XYs
	dashed bool
	dots   bool
	ink    ink
}

// limit is a value that is drawn across.
type limit struct {
	name string
	y    float64
}

// drawn reports whether there is anything to draw.
func (c chart) drawn() bool {
	for _, l := range c.lines {
		if len(l.xy) > 0 {
			return true
		}
	}
	return false
}

func (c chart) svg() (string, error) {
	p, err := c.plot()
	if err != nil {
		return "", fmt.Errorf("draw %q: %w", c.title, err)
	}
	return drawSVG(chartWidth, chartHeight, c.title, func(on draw.Canvas) { p.Draw(draw.Crop(on, 2, -6, 2, -2)) })
}

func (c chart) plot() (*plot.Plot, error) {
	p := plot.New()
	c.dress(p)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, inkFaint
	grid.Vertical.Width, grid.Horizontal.Width = 0, points(0.6)
	p.Add(grid)
	for _, l := range c.lines {
		if len(l.xy) == 0 {
			continue
		}
		if err := l.add(p); err != nil {
			return nil, err
		}
	}
	left, right := p.X.Min, p.X.Max
	for _, at := range c.limits {
		across, err := plotter.NewLine(plotter.XYs{{X: left, Y: at.y}, {X: right, Y: at.y}})
		if err != nil {
			return nil, err
		}
		across.Color, across.Width, across.Dashes = inkLimit, points(1), []vg.Length{4, 3}
		p.Add(across)
		p.Legend.Add(at.name, across)
	}
	c.scale(p)
	return p, nil
}

func (l line) add(p *plot.Plot) error {
	stroke, err := plotter.NewLine(l.xy)
	if err != nil {
		return err
	}
	stroke.Color, stroke.Width = l.ink, points(1.5)
	if l.dashed {
		stroke.Dashes = []vg.Length{5, 3}
	}
	shown := []plot.Thumbnailer{stroke}
	p.Add(stroke)
	if l.dots {
		dots, err := plotter.NewScatter(l.xy)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: l.ink, Radius: points(2.2), Shape: draw.CircleGlyph{}}
		p.Add(dots)
		shown = append(shown, dots)
	}
	if l.name != "" {
		p.Legend.Add(l.name, shown...)
	}
	return nil
}

// dress gives a plot its letters and inks.
func (c chart) dress(p *plot.Plot) {
	face := font.Font{Typeface: "Liberation", Variant: "Sans", Size: letters}
	style := func(s *text.Style) { s.Font, s.Color = face, inkText }
	p.BackgroundColor = nil
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.title, c.x, c.y
	for _, s := range []*text.Style{
		&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle, &p.Title.TextStyle,
	} {
		style(s)
	}
	p.Title.TextStyle.Font.Size = letters + 2
	p.Title.Padding = 4
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Tick.Color = inkLimit, inkLimit
		a.Width, a.Tick.Width, a.Tick.Length, a.Label.Padding = points(0.7), points(0.7), 3, 2
	}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 4, -2
	p.Legend.ThumbnailWidth, p.Legend.Padding = 16, 2
	p.X.Tick.Marker = c.xTicks
	if c.xTicks == nil {
		p.X.Tick.Marker = plot.TickerFunc(roundTicks)
	}
}

// scale leaves room for the legend above what is drawn, and marks round numbers.
func (c chart) scale(p *plot.Plot) {
	rows := 0
	for _, l := range c.lines {
		if len(l.xy) > 0 && l.name != "" {
			rows++
		}
	}
	room := 0.09 * float64(rows+len(c.limits)+1)
	if p.X.Max <= p.X.Min {
		p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	}
	if c.log {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
		p.Y.Min *= 0.8
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, room/(1-min(room, 0.7)))
		return
	}
	p.Y.Min = math.Min(0, p.Y.Min)
	if p.Y.Max <= p.Y.Min {
		p.Y.Max = p.Y.Min + 1
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) * room / (1 - min(room, 0.7))
	p.Y.Tick.Marker = plot.TickerFunc(roundTicks)
}

// logTicks marks 1, 2 and 5 in every decade.
func logTicks(lo, hi float64) (ticks []plot.Tick) {
	for decade := math.Floor(math.Log10(lo)); decade <= math.Log10(hi); decade++ {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * math.Pow(10, decade); v >= lo && v <= hi {
				ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
			}
		}
	}
	return ticks
}

// roundTicks marks about five round numbers.
func roundTicks(lo, hi float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/4)))
	for _, times := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*times) <= 5 {
			step *= times
			break
		}
	}
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi; k++ {
		v := k*step + 0 // no minus zero
		ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
	}
	return ticks
}

// label is a number with as few digits as tell it.
func label(v float64) string {
	switch {
	case math.Abs(v) >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case math.Abs(v) >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
