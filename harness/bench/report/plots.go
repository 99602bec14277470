package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// nines are the percentiles that are drawn, as the logarithm of how many requests are slower: each nine is as wide.
var nines = []struct {
	percentile float64
	name       string // of those that are marked
}{{10, ""}, {25, ""}, {50, "50"}, {75, ""}, {90, "90"}, {95, "95"}, {99, "99"}, {99.5, ""}, {99.9, "99.9"}}

func position(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

func nineTicks(float64, float64) (ticks []plot.Tick) {
	for _, n := range nines {
		if n.name != "" {
			ticks = append(ticks, plot.Tick{Value: position(n.percentile), Label: n.name})
		}
	}
	return ticks
}

// latencies draws the percentiles of all requests. A percentile that fewer than five requests lie beyond is left out.
func latencies(title string, r *bench.Result) (chart, error) {
	c := chart{title: title, x: "percentile", y: "ms", log: true, xTicks: plot.TickerFunc(nineTicks)}
	if r == nil {
		return c, nil
	}
	inks := map[string]ink{}
	for _, h := range r.Histograms {
		by, load, _ := strings.Cut(h.Name, "_")
		if _, ok := inks[load]; !ok {
			inks[load] = series(len(inks))
		}
		l := line{name: seriesName(h.Name), ink: inks[load], dashed: by == "bare"}
		for _, n := range nines {
			if float64(h.Count)*(1-n.percentile/100) < 5 {
				break
			}
			ms, err := h.Percentile(n.percentile)
			if err != nil {
				return c, err
			}
			l.xy = append(l.xy, plotter.XY{X: position(n.percentile), Y: ms})
		}
		c.lines = append(c.lines, l)
	}
	return c, nil
}

// seriesName is a load's name in words.
func seriesName(name string) string {
	by, rest, ok := strings.Cut(name, "_c")
	if n, err := strconv.Atoi(rest); ok && err == nil {
		who := map[string]string{"search": "service", "bare": "bare SQL"}[by]
		return fmt.Sprintf("%s, %s", who, plural(n, "client"))
	}
	return strings.ReplaceAll(strings.TrimPrefix(name, "load_"), "_", " ")
}

// runs draws some metrics' samples, run by run.
func runs(title, unit string, r *bench.Result, names map[string]string) chart {
	c := chart{title: title, x: "run", y: unit, xTicks: plot.TickerFunc(wholeTicks)}
	if r == nil {
		return c
	}
	for _, m := range r.Metrics {
		name, ok := names[m.Name]
		if !ok {
			continue
		}
		l := line{name: name, ink: series(len(c.lines)), dots: true}
		for i, x := range m.Samples {
			l.xy = append(l.xy, plotter.XY{X: float64(i + 1), Y: x})
		}
		c.lines = append(c.lines, l)
	}
	return c
}

// wholeTicks marks whole numbers only.
func wholeTicks(lo, hi float64) (ticks []plot.Tick) {
	return slices.DeleteFunc(roundTicks(lo, hi), func(t plot.Tick) bool { return t.Value != math.Trunc(t.Value) })
}

// overTime draws what was sampled during a load.
func overTime(title, unit string, r *bench.Result, scale float64, names [][2]string) chart {
	c := chart{title: title, x: "seconds", y: unit}
	if r == nil {
		return c
	}
	for i, n := range names {
		if s := sampled(r, n[0]); s != nil {
			l := line{name: n[1], ink: series(i)}
			for _, p := range s.Points {
				l.xy = append(l.xy, plotter.XY{X: p[0], Y: p[1] * scale})
			}
			c.lines = append(c.lines, l)
		}
	}
	return c
}

func sampled(r *bench.Result, name string) *bench.Series {
	for i := range r.Series {
		if r.Series[i].Name == name {
			return &r.Series[i]
		}
	}
	return nil
}

// rateOver is how long a rate is taken over, in seconds: single looks are too close to one another to divide by.
const rateOver = 1.0

// rate draws how fast a counter grew.
func rate(title, unit string, r *bench.Result, name string, with ink) chart {
	c := chart{title: title, x: "seconds", y: unit}
	if r == nil {
		return c
	}
	s := sampled(r, name)
	if s == nil || len(s.Points) < 2 {
		return c
	}
	l := line{ink: with}
	from := 0
	for _, p := range s.Points[1:] {
		for p[0]-s.Points[from][0] > rateOver {
			from++
		}
		before := s.Points[from]
		if p[0] > before[0] {
			l.xy = append(l.xy, plotter.XY{X: p[0], Y: (p[1] - before[1]) / (p[0] - before[0])})
		}
	}
	c.lines = append(c.lines, l)
	return c
}

// cells draws one metric of everything that tune tried, over MAX_PROJECTS.
func cells(title, unit string, r *bench.Result, metric string) chart {
	c := chart{title: title, x: "MAX_PROJECTS", y: unit, xTicks: plot.TickerFunc(wholeTicks)}
	if r == nil {
		return c
	}
	at := map[string]int{}
	many := false
	for _, cell := range r.Cells {
		many = many || cell.SharedBuffers != r.Cells[0].SharedBuffers
	}
	var tried []float64
	for _, cell := range r.Cells {
		y, ok := r.Of(cell, metric)
		if !ok {
			continue
		}
		name := plural(cell.Conns, "connection") + " a pool"
		if many {
			name = fmt.Sprintf("%d conns, %s", cell.Conns, cell.SharedBuffers)
		}
		i, ok := at[name]
		if !ok {
			i = len(c.lines)
			at[name] = i
			c.lines = append(c.lines, line{name: name, ink: series(i), dots: true, dashed: i >= seriesInks})
		}
		c.lines[i].xy = append(c.lines[i].xy, plotter.XY{X: float64(cell.MaxProjects), Y: y})
		tried = append(tried, float64(cell.MaxProjects))
	}
	for _, l := range c.lines {
		slices.SortFunc(l.xy, func(a, b plotter.XY) int { return int(a.X - b.X) })
	}
	slices.Sort(tried)
	tried = slices.Compact(tried)
	c.xTicks = plot.TickerFunc(func(float64, float64) (ticks []plot.Tick) {
		for _, x := range tried {
			ticks = append(ticks, plot.Tick{Value: x, Label: label(x)})
		}
		return ticks
	})
	return c
}

// tuneCharts are what is drawn of a tuning.
func tuneCharts(r *bench.Result) []chart {
	return []chart{
		cells("Throughput", "searches/s", r, bench.CellPerSecond), cells("p95, at the same rate for all", "ms", r, bench.CellP95),
		cells("Evictions", "per 1,000 searches", r, bench.CellEvictions), cells("Backends", "at most", r, bench.CellBackends),
	}
}

// TunePlot draws what a tuning measured, as an SVG file.
func TunePlot(r *bench.Result) ([]byte, error) {
	const across = 2
	charts := slices.DeleteFunc(tuneCharts(r), func(c chart) bool { return !c.drawn() })
	var plots []*plot.Plot
	for _, c := range charts {
		p, err := c.plot()
		if err != nil {
			return nil, fmt.Errorf("draw %q: %w", c.title, err)
		}
		plots = append(plots, p)
	}
	down := (len(plots) + across - 1) / across
	width, height := float64(across*chartWidth), float64(down*chartHeight)
	svg, err := drawSVG(width, height, "what tune measured", func(on draw.Canvas) {
		for i, p := range plots {
			left, top := points(float64(i%across)*chartWidth), points(float64(i/across)*chartHeight)
			p.Draw(draw.Crop(on, left+2, left+chartWidth-6-on.Max.X, points(height)-top-chartHeight+2, -top-2))
		}
	})
	if err != nil {
		return nil, err
	}
	return standalone(svg, 1.5*width, 1.5*height), nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
