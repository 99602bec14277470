package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/report"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// box is where a text of a picture stands.
type box struct {
	text                string
	left, top, right, y float64
}

// picture is what a test wants to know of an SVG.
type picture struct {
	width, height float64
	operations    map[string]int // elements by operation
	classes       map[string]int
	texts         []box
}

// read parses a picture, and measures its texts by their fonts: the letters of one are all as wide as one
// another.
func read(t *testing.T, svg []byte) picture {
	t.Helper()
	pic := picture{operations: map[string]int{}, classes: map[string]int{}}
	d := xml.NewDecoder(bytes.NewReader(svg))
	number := func(attrs map[string]string, name string) float64 {
		v, err := strconv.ParseFloat(attrs[name], 64)
		if err != nil {
			t.Fatalf("%s=%q: %v", name, attrs[name], err)
		}
		return v
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return pic
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, svg)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attrs := map[string]string{}
		for _, a := range start.Attr {
			attrs[a.Name.Local] = a.Value
		}
		for _, class := range strings.Fields(attrs["class"]) {
			pic.classes[class]++
		}
		switch {
		case start.Name.Local == "svg":
			pic.width, pic.height = number(attrs, "width"), number(attrs, "height")
		case attrs["data-operation"] != "":
			pic.operations[attrs["data-operation"]]++
		case start.Name.Local == "text":
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			size, middle := 11.0, false
			switch attrs["class"] {
			case "small", "number":
				size, middle = 9.5, true
			}
			wide := size * 0.602 * float64(len([]rune(text))) // of DejaVu Sans Mono
			left := number(attrs, "x")
			if middle {
				left -= wide / 2
			}
			y := number(attrs, "y")
			pic.texts = append(pic.texts, box{text: text, left: left, right: left + wide, top: y - 0.76*size, y: y})
		}
	}
}

// TestTimeline wants every operation in its lane, and no text over another or over the edge.
func TestTimeline(t *testing.T) {
	for name, of := range map[string]func(testing.TB) (repro.Repro, history.History){"gated": gated, "free": free, "sequential": sequential} {
		t.Run(name, func(t *testing.T) {
			r, h := of(t)
			svg := report.Timeline(r, h)
			if dir := os.Getenv("TENANTSTORM_TEST_PICTURES"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, name+".svg"), svg, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			pic := read(t, svg)
			for _, o := range r.Program.Ops() {
				if pic.operations[fmt.Sprint(o.ID)] != 1 {
					t.Errorf("#%d is drawn %d times", o.ID, pic.operations[fmt.Sprint(o.ID)])
				}
			}
			if pic.classes["moment"] != 1 || pic.classes["wrong"] != 1 {
				t.Errorf("the violation is not shown: %v", pic.classes)
			}
			for i, a := range pic.texts {
				if a.left < 0 || a.right > pic.width || a.top < 0 || a.y > pic.height {
					t.Errorf("%q is over the edge: %+v", a.text, a)
				}
				for _, b := range pic.texts[:i] {
					if a.left < b.right && b.left < a.right && a.top < b.y && b.top < a.y {
						t.Errorf("%q and %q stand over one another", a.text, b.text)
					}
				}
			}
			if again := report.Timeline(r, h); !bytes.Equal(again, svg) {
				t.Error("drawn twice, it differs")
			}
		})
	}
}

// TestTimelineShowsWhatHappened: what the schedule did, who waited, and what the statistics tell is there.
func TestTimelineShowsWhatHappened(t *testing.T) {
	r, h := gated(t)
	svg := report.Timeline(r, h)
	pic := read(t, svg)
	for class, want := range map[string]int{
		// A mark is drawn in two parts, and each shape once more to be explained.
		"preemption": 2*2 + 1, "fault": 2*1 + 1, "eviction": 2*1 + 1, "lock": 1 + 1, "wait": 1 + 1, "number": 4, "small": 7,
	} {
		if pic.classes[class] != want {
			t.Errorf("%d of %s, want %d", pic.classes[class], class, want)
		}
	}
	for _, want := range []string{
		"session 2", "background", "at the end", "#4 drop p0", "isolation/foreign/search", "wrong here",
		" 1. #2 is about to send its 3rd message (`INSERT INTO files`): #3 goes on instead",
		" 2. #3 is about to send its 2nd message: cancel",
		" 3. #2 is about to send its 3rd message (`INSERT INTO files`): #4 goes on instead",
		" 4. the statistics show 1 more evicted than before",
		"prefers-color-scheme: dark",
	} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("%q is not there", want)
		}
	}
	if bytes.Contains(svg, []byte("'x'")) {
		t.Error("a string of a statement is shown")
	}
}

// TestTimelineOfHostileTexts: what a service says cannot break the picture.
func TestTimelineOfHostileTexts(t *testing.T) {
	r, h := sequential(t)
	r.Violation.Sentence = "</text><script>alert(1)</script>]]> & \x00\x1b[31m \xff " + strings.Repeat("x", 500)
	r.History[0] += "<&\"'>\x01"
	pic := read(t, report.Timeline(r, h))
	if pic.classes["operation"] == 0 {
		t.Error("no operation")
	}
	r, h = sequential(t)
	h.Entries, r.History, r.Violation.Position = nil, nil, 9
	read(t, report.Timeline(r, h))
	empty := repro.Repro{Program: r.Program}
	read(t, report.Timeline(empty, history.History{}))
}
