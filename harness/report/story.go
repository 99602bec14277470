package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
	"github.com/tenantstorm/tenantstorm/model"
)

// Story tells a repro's course in sentences, one an element: what ran before, who went on and how far, who
// stood where meanwhile, and what was wrong in the end.
func Story(r repro.Repro) []string {
	t := &teller{
		r: r, answers: answers(r), happened: happenings(r), ops: map[int]model.Op{}, told: map[int]bool{}, ended: map[int]bool{},
	}
	for _, o := range r.Program.Ops() {
		t.ops[o.ID] = o
	}
	stepped := map[int]bool{}
	for _, s := range r.Steps {
		stepped[s.Point.Op] = true
	}
	for _, e := range entries(r) {
		if e.op != 0 && !stepped[e.op] {
			t.say("%s: %s", t.name(e.op), told(e.answer))
		}
	}
	for from := 0; from < len(r.Steps); {
		to := from + 1
		for to < len(r.Steps) && r.Steps[to].Point.Op == r.Steps[from].Point.Op && !t.preempted(to) {
			to++
		}
		t.stretch(from, to)
		from = to
	}
	for _, e := range entries(r) {
		if e.op == 0 && strings.HasPrefix(e.asked, "at rest") {
			t.say("%s", quoteless(e.asked))
		}
	}
	if v := r.Violation; v.Sentence != "" {
		t.say("That is wrong: %s", quoteless(v.Sentence))
	}
	return t.lines
}

// teller tells a story.
type teller struct {
	r        repro.Repro
	answers  map[int]string
	happened []happening
	ops      map[int]model.Op
	told     map[int]bool // operations that were named in full
	ended    map[int]bool
	lines    []string
}

func (t *teller) say(format string, v ...any) { t.lines = append(t.lines, fmt.Sprintf(format, v...)) }

// name is an operation in full where it is first named, and its ID from then on.
func (t *teller) name(id int) string {
	o, ok := t.ops[id]
	switch {
	case id == 0:
		return "the service, in the background,"
	case t.told[id] || !ok:
		return fmt.Sprintf("#%d", id)
	}
	t.told[id] = true
	return fmt.Sprintf("#%d %s (session %d)", id, bare(o.String()), o.Session)
}

// preempted reports whether somebody was preempted before a step.
func (t *teller) preempted(step int) bool {
	return slices.ContainsFunc(t.happened, func(h happening) bool { return h.step == step && h.in.Kind == model.Preempt })
}

// stretch tells of steps that one operation took in a row.
func (t *teller) stretch(from, to int) {
	op := t.r.Steps[from].Point.Op
	var did []string
	for begin := from; begin < to; {
		did = append(did, t.faults(begin, op)...)
		end := begin + 1
		for end < to && len(t.faults(end, op)) == 0 {
			end++
		}
		did = append(did, deeds(t.r.Steps[begin:end])...)
		begin = end
	}
	if to == len(t.r.Steps) || t.r.Steps[to].Point.Op != op {
		did = append(did, t.faults(to, op)...) // at a point that it never went on from
	}
	if end := t.end(op, to); end != "" {
		did = append(did, end)
	}
	if len(did) == 0 {
		return
	}
	t.say("%s%s %s", t.instead(from), t.name(op), list(did))
	t.woken(from, to)
}

// instead tells in whose place the operation of a step goes on.
func (t *teller) instead(step int) string {
	for _, h := range t.happened {
		switch {
		case h.step == step && h.in.Pauses():
			return fmt.Sprintf("%s stops as it is about to %s, and what it has started goes on; then ", t.name(h.in.At.Op), t.about(h.in.At))
		case h.step == step && h.in.Kind == model.Preempt:
			return fmt.Sprintf("%s is about to %s; instead, ", t.name(h.in.At.Op), t.about(h.in.At))
		}
	}
	return ""
}

// faults tells what harm was done to an operation before a step.
func (t *teller) faults(step, op int) []string {
	var did []string
	for _, h := range t.happened {
		if h.step != step || h.in.Kind != model.Fault || h.in.At.Op != op {
			continue
		}
		if h.in.Fault == "cancel" {
			did = append(did, fmt.Sprintf("has its context cancelled as it is about to %s", t.about(h.in.At)))
		} else {
			did = append(did, fmt.Sprintf("suffers %q as it is about to %s", h.in.Fault, t.about(h.in.At)))
		}
	}
	return did
}

// few is how many things of a kind are told one by one.
const few = 3

// deeds tells what steps did. That connections are taken and given back happens all the time, and is of no
// interest where nobody was stopped there.
func deeds(steps []history.Step) []string {
	of := map[model.PointKind][]history.Step{}
	for _, s := range steps {
		of[s.Point.Kind] = append(of[s.Point.Kind], s)
	}
	var did []string
	if len(of[model.AtStart]) > 0 {
		did = append(did, "begins")
	}
	switch n := len(of[model.AtConnect]); n {
	case 0:
	case 1:
		did = append(did, "opens a connection")
	default:
		did = append(did, fmt.Sprintf("opens %d connections", n))
	}
	did = append(did, messages(of[model.AtMessage])...)
	did = append(did, places(of[model.AtCode])...)
	if len(of[model.AtCancel]) > 0 {
		did = append(did, "asks PostgreSQL to cancel a query")
	}
	return did
}

// messages tells a few messages one by one, and of many the first and the last.
func messages(steps []history.Step) []string {
	if len(steps) > few {
		first, last := steps[0], steps[len(steps)-1]
		return []string{fmt.Sprintf("sends its %s to %s messages (%s … %s)", nth(first.Point.Nth), nth(last.Point.Nth), quote(first.Label), quote(last.Label))}
	}
	var did []string
	for _, s := range steps {
		did = append(did, fmt.Sprintf("sends its %s message%s", nth(s.Point.Nth), inBrackets(s.Label)))
	}
	return did
}

// places tells the last of the points in the code that it went on from.
func places(steps []history.Step) []string {
	if len(steps) == 0 {
		return nil
	}
	last := steps[len(steps)-1]
	return []string{"goes on from " + last.Point.Site + inBrackets(last.Label)}
}

// about is what an operation that stands at a point is about to do.
func (t *teller) about(p model.Point) string {
	label := ""
	if i := slices.IndexFunc(t.r.Steps, func(s history.Step) bool { return s.Point == p }); i >= 0 {
		label = t.r.Steps[i].Label
	}
	switch p.Kind {
	case model.AtStart:
		return "begin"
	case model.AtMessage:
		return fmt.Sprintf("send its %s message%s", nth(p.Nth), inBrackets(label))
	case model.AtConnect:
		return fmt.Sprintf("open its %s connection", nth(p.Nth))
	case model.AtAcquire:
		return fmt.Sprintf("take a connection for the %s time", nth(p.Nth))
	case model.AtRelease:
		return fmt.Sprintf("give a connection back for the %s time", nth(p.Nth))
	case model.AtCancel:
		return "ask PostgreSQL to cancel a query"
	}
	return fmt.Sprintf("go on from %s for the %s time%s", p.Site, nth(p.Nth), inBrackets(label))
}

// end tells how a stretch ended: by a wait, by the end of the operation, or in the middle.
func (t *teller) end(op, to int) string {
	if op == 0 {
		return ""
	}
	for _, w := range t.r.Waits {
		if w.Op != op || w.From != to {
			continue
		}
		if w.Lock {
			return "waits for a lock in PostgreSQL"
		}
		return "waits for something inside the service"
	}
	return t.over(op, to)
}

// over tells that an operation, which has nothing more to do after a step, ended.
func (t *teller) over(op, to int) string {
	later := func(s history.Step) bool { return s.Point.Op == op }
	answer, answered := t.answers[op]
	if slices.ContainsFunc(t.r.Steps[to:], later) || t.ended[op] || !answered {
		return ""
	}
	t.ended[op] = true
	return "ends: " + told(answer)
}

// woken tells of others that went on to their end without a step of their own, having waited.
func (t *teller) woken(from, to int) {
	for _, w := range t.r.Waits {
		if w.To <= from || w.To > to || w.Op == t.r.Steps[from].Point.Op {
			continue
		}
		if slices.ContainsFunc(t.r.Waits, func(v history.Wait) bool { return v.Op == w.Op && v.From >= w.To }) {
			continue
		}
		if end := t.over(w.Op, to); end != "" {
			t.say("%s, which waited, %s", t.name(w.Op), end)
		}
	}
}

// list joins what somebody did.
func list(did []string) string {
	if len(did) < 2 {
		return strings.Join(did, "")
	}
	return strings.Join(did[:len(did)-1], ", ") + ", and " + did[len(did)-1]
}

func inBrackets(label string) string {
	if label == "" {
		return ""
	}
	return " (" + quote(label) + ")"
}

// quote shows a statement as it stands; backticks would end what a reader of Markdown takes for code.
func quote(label string) string { return "`" + quoteless(label) + "`" }

// nth is an ordinal number.
func nth(n int) string {
	suffix := "th"
	if n%100/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// told is an answer as a sentence may hold it.
func told(answer string) string { return quoteless(clip(answer, 120)) }

// clip shortens a text to so many characters.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return strings.TrimRight(string(r[:most-2]), " ") + " …"
	}
	return s
}
