package report_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserLimit ends a browser that hangs.
const browserLimit = 2 * time.Minute

// browser starts a browser, or skips the test where there is none. In CI that is a failure.
func browser(t *testing.T, said *complaints) context.Context {
	t.Helper()
	at := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if at < 0 {
		if os.Getenv("TENANTSTORM_CI") != "" {
			t.Fatalf("none of %v is installed: the page must be looked at (apt-get install chromium)", browsers)
		}
		t.Skipf("SKIPPED: none of %v is installed, so nobody looked at the page (apt-get install chromium)", browsers)
	}
	limited, cancel := context.WithTimeout(t.Context(), browserLimit)
	t.Cleanup(cancel)
	// As root, in a container, Chromium has no sandbox to offer; the page is our own.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(browsers[at]), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(browserLimit))
	allocator, stop := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator, chromedp.WithListener(said.hear))
	t.Cleanup(closeTab)
	_, err := chromedp.Call(tab, runtime.Enable, cdp.Empty{})
	if err == nil {
		_, err = chromedp.Call(tab, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start %s: %v", browsers[at], err)
	}
	return tab
}

var browsers = []string{"chromium", "chromium-browser", "google-chrome"}

// complaints gathers what a page says on its console and what the browser says of it.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		c.said = append(c.said, fmt.Sprintf("console.%s %v", e.Type, e.Args))
	case *runtime.EventExceptionThrown:
		c.said = append(c.said, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		c.said = append(c.said, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// looked is what the page says of itself.
type looked struct {
	Width   float64  `json:"width"`   // of what there is to see
	Window  float64  `json:"window"`  // of what can be seen
	Figures int      `json:"figures"` // that there are
	Empty   []string `json:"empty"`   // plots with nothing drawn
	Hidden  []string `json:"hidden"`  // plots that have no size
	Tiny    float64  `json:"tiny"`    // the smallest letters of a plot, in pixels
	Ground  string   `json:"ground"`
	Ink     string   `json:"ink"`  // of the page's text
	Line    string   `json:"line"` // of the first series of a plot
}

const look = `(() => {
	const plots = [...document.querySelectorAll("figure svg")];
	const name = p => p.getAttribute("aria-label");
	const lines = p => [...p.querySelectorAll("path")].filter(x => getComputedStyle(x).stroke !== "none" && x.getTotalLength() > 20);
	const series = p => lines(p).filter(x => x.getAttribute("style").includes("--plot-1"));
	const letters = plots.flatMap(p => [...p.querySelectorAll("text")].map(x => parseFloat(getComputedStyle(x).fontSize) * p.getBoundingClientRect().width / p.viewBox.baseVal.width));
	return {
		width: document.documentElement.scrollWidth, window: window.innerWidth, figures: document.querySelectorAll("figure").length,
		empty: plots.filter(p => lines(p).length < 2).map(name), hidden: plots.filter(p => p.getBoundingClientRect().height < 100).map(name),
		tiny: Math.min(...letters), ground: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
		line: getComputedStyle(series(plots[0])[0]).stroke,
	};
})()`

// TestPageInABrowser looks at the page as people do: on a telephone and on a desk, by day and by night.
func TestPageInABrowser(t *testing.T) {
	var said complaints
	tab := browser(t, &said)
	_, page := render(t, recorded(t))
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	grounds := map[string]looked{}
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			if err == nil {
				err = chromedp.Do(tab, chromedp.EmulateViewport(width, 800), chromedp.Navigate((&url.URL{Scheme: "file", Path: path}).String()))
			}
			if err != nil {
				t.Fatal(err)
			}
			seen, err := chromedp.Run(tab, chromedp.Evaluate[looked](look))
			if err != nil {
				t.Fatal(err)
			}
			shot, err := chromedp.Run(tab, chromedp.FullScreenshot(90))
			if err != nil {
				t.Fatal(err)
			}
			keep(t, fmt.Sprintf("report-%d-%s.jpeg", width, scheme), shot)
			what := fmt.Sprintf("%d px, %s", width, scheme)
			if seen.Width > seen.Window {
				t.Errorf("%s: the page is %v px wide: it scrolls sideways", what, seen.Width)
			}
			if want := strings.Count(page, "<figure>"); seen.Figures != want || want == 0 {
				t.Errorf("%s: %d plots, want %d", what, seen.Figures, want)
			}
			if len(seen.Empty)+len(seen.Hidden) > 0 {
				t.Errorf("%s: not drawn: %v, without size: %v", what, seen.Empty, seen.Hidden)
			}
			const readable = 9
			if seen.Tiny < readable {
				t.Errorf("%s: the letters of a plot are %v px high", what, seen.Tiny)
			}
			grounds[scheme] = seen
		}
	}
	if light, dark := grounds["light"], grounds["dark"]; light.Ground == dark.Ground || light.Ink == dark.Ink || light.Line == dark.Line {
		t.Errorf("by day and by night the page looks alike: %+v, %+v", light, dark)
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	for _, complaint := range said.said {
		t.Errorf("the browser says: %s", complaint)
	}
}

// keep writes a picture of the page where somebody asked for them.
func keep(t *testing.T, name string, shot []byte) {
	t.Helper()
	dir := os.Getenv("TENANTSTORM_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), shot, 0o644); err != nil {
		t.Error(err)
	}
}
