package check_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/model"
)

// drawn is the data that a page shows.
type drawn struct {
	Partitions []struct {
		History []struct {
			ClientId, Start, End int
			Description          string
		}
		PartialLinearizations [][]struct{ StateDescription string }
	}
	Annotations []struct{ Tag, Description, Details string }
}

// picture is the page of the first violation of a history, and the data in it.
func picture(t *testing.T, p model.Program, h history.History) (string, drawn) {
	t.Helper()
	v := check.Judge(p, h).First()
	if v == nil {
		t.Fatal("there is no violation")
	}
	var page bytes.Buffer
	if drew, err := check.Visualize(&page, p, h, *v); err != nil || !drew {
		t.Fatalf("%s is not drawn: %v", v.Fingerprint(), err)
	}
	_, data, found := strings.Cut(page.String(), "const data = ")
	if !found {
		t.Fatal("there is no data in the page")
	}
	var d drawn
	if err := json.NewDecoder(strings.NewReader(data)).Decode(&d); err != nil {
		t.Fatalf("the data cannot be read: %v", err)
	}
	if len(d.Partitions) != 1 || len(d.Annotations) != 1 || d.Annotations[0].Tag != v.Fingerprint() {
		t.Fatalf("drawn: %+v", d)
	}
	wellFormed(t, page.String())
	return page.String(), d
}

var (
	code = regexp.MustCompile(`(?s)(<(style|script)>).*?(</(style|script)>)`)
	tag  = regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)[^<>]*?(/?)>`)
)

// wellFormed sees that every element of a page is closed in its turn, and that nothing is loaded.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	if strings.Count(page, "<script") != 1 || strings.Count(page, "</script>") != 1 || strings.Contains(page, "src=") {
		t.Error("the page is not one script of its own")
	}
	markup := code.ReplaceAllString(page, "$1$3")
	if !strings.HasPrefix(markup, "<!doctype html>") {
		t.Errorf("it begins with %.40q", markup)
	}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(markup, -1) {
		switch {
		case m[3] == "/": // <meta />
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || strings.Count(tag.ReplaceAllString(markup, ""), "<") != 1 { // the doctype's
		t.Errorf("not closed: %v", open)
	}
}

func descriptions(d drawn) string {
	var lines []string
	for _, o := range d.Partitions[0].History {
		lines = append(lines, o.Description)
	}
	return strings.Join(lines, "\n")
}

// TestVisualize: the picture of a stale answer shows the operations on its project, what they answered,
// what an order of some of them comes to, and the one that no order explains.
func TestVisualize(t *testing.T) {
	old := found(canary(0, 1, 0), canary(0, 1, 1))
	p := parse(t, racing)
	h := overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 12, ok}, span{5, 11, 14, ok}, span{3, 15, 25, old}, span{4, 30, 40, ok})
	page, d := picture(t, p, h)
	want := "#2 s0 index p0 rev=2 files=2 → ok\n" +
		"#3 s1 search p0 own → cnry_p000_r001_f000, cnry_p000_r001_f001\n" +
		"#4 s1 search p0 own → nothing"
	if got := descriptions(d); got != want {
		t.Errorf("operations:\n%s\nwant:\n%s", got, want)
	}
	if orders := d.Partitions[0].PartialLinearizations; len(orders) == 0 || orders[0][0].StateDescription != "p0: revision 2 with 2 files" {
		t.Errorf("orders: %+v", orders)
	}
	if a := d.Annotations[0]; a.Tag != "search/stale/search" || !strings.HasPrefix(a.Details, "#3 s1 search") {
		t.Errorf("marked: %+v", a)
	}
	for range 20 {
		if again, _ := picture(t, p, h); again != page {
			t.Fatal("the same history gives another page")
		}
	}
}

// TestVisualizePools: statistics that no order of the touches gives.
func TestVisualizePools(t *testing.T) {
	p := parse(t, racing)
	wrong := stats([]string{"p0"}, func(st *model.Stats) { st.CacheHits, st.CacheMisses, st.Creations = 1, 1, 1 })
	_, d := picture(t, p, overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 30, ok}, span{5, 11, 14, ok}, span{6, 15, 16, wrong}))
	want := "#2 s0 index p0 rev=2 files=2 → ok\n" +
		"#5 s2 index p1 rev=1 files=1 → ok\n" +
		"#6 s2 stats → pools p0; hits + misses 2, creations 1, evictions 0, drops 0"
	if got := descriptions(d); got != want {
		t.Errorf("operations:\n%s\nwant:\n%s", got, want)
	}
}

// TestVisualizeOverlap: what may still be under way has a row of its own, for as long as anything goes on.
func TestVisualizeOverlap(t *testing.T) {
	p := parse(t, racing)
	unknown := model.Response{Status: model.StatusUnknown, Error: model.ErrCancelled}
	torn := found(canary(0, 1, 0), canary(0, 2, 1))
	h := overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 12, unknown}, span{3, 15, 25, torn})
	h = audited(h, model.Op{Kind: model.KindSearch, Project: 0, Query: model.QueryShared, Limit: model.MaxSearchLimit}, torn)
	_, d := picture(t, p, h)
	ops := d.Partitions[0].History
	if len(ops) != 3 {
		t.Fatalf("operations:\n%s", descriptions(d))
	}
	if ops[0].Description != "#2 s0 index p0 rev=2 files=2 → unknown" || ops[0].End <= ops[2].End {
		t.Errorf("the interrupted index: %+v, the last: %+v", ops[0], ops[2])
	}
	if ops[2].ClientId == ops[0].ClientId || !strings.HasPrefix(ops[2].Description, "at the end, search p0 shared") {
		t.Errorf("the audit's: %+v over %+v", ops[2], ops[0])
	}
}

// TestVisualizeOnlyOrders: what passes, or is wrong whatever the order, has no picture.
func TestVisualizeOnlyOrders(t *testing.T) {
	old := found(canary(0, 1, 0), canary(0, 1, 1))
	p := parse(t, racing)
	good := overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 30, ok}, span{3, 15, 25, old})
	stale := check.Violation{Invariant: "search", Kind: "stale", Verb: "search", Op: 3, Position: 2}
	wrong := overlapping(t, p, span{1, 0, 1, failed(model.ErrOther)}, span{2, 10, 30, ok})
	sequential := parse(t, strings.Replace(racing, "mode free", "", 1))
	lies := record(sequential, map[int]model.Response{3: old})
	for _, row := range []struct {
		name string
		p    model.Program
		h    history.History
		v    check.Violation
	}{
		{"a history that passes", p, good, stale},
		{"a wrong answer before the race", p, wrong, *check.Judge(p, wrong).First()},
		{"one operation after the other", sequential, lies, *check.Judge(sequential, lies).First()},
		{"what shows at rest", p, good, check.Violation{Invariant: "leak", Kind: "backends", Verb: "close", Position: len(good.Entries)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var page bytes.Buffer
			if drew, err := check.Visualize(&page, row.p, row.h, row.v); drew || err != nil || page.Len() > 0 {
				t.Errorf("drawn %v, %v, %d bytes", drew, err, page.Len())
			}
		})
	}
}

// TestVisualizeIsNoLeak: what a service says in words, or calls its pools, is nowhere in the page.
func TestVisualizeIsNoLeak(t *testing.T) {
	const secret = "/home/me/hunter2<b>"
	p := parse(t, racing)
	refused := model.Response{Status: model.StatusError, Error: model.ErrOther, Text: secret}
	torn := found(canary(0, 1, 0), canary(0, 2, 1))
	torn.Matches[0].Path = secret
	torn.Matches[1].Content += secret
	for _, r := range []model.Response{refused, torn} {
		page, _ := picture(t, p, overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 30, ok}, span{3, 15, 25, r}))
		if strings.Contains(page, "hunter2") {
			t.Errorf("%s shows", r.Status)
		}
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestVisualizeCannotBeWritten(t *testing.T) {
	p := parse(t, racing)
	h := overlapping(t, p, span{1, 0, 1, ok}, span{2, 10, 30, ok}, span{3, 15, 25, ok})
	if drew, err := check.Visualize(fullDisk{}, p, h, *check.Judge(p, h).First()); drew || !errors.Is(err, errFull) {
		t.Errorf("drawn %v, %v", drew, err)
	}
}
