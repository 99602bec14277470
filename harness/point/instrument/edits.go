package instrument

import (
	"bytes"
	"cmp"
	"fmt"
	"go/token"
	"slices"
)

// edit replaces the bytes between two offsets of a file.
type edit struct {
	at, end int
	text    string
	closes  bool
	other   int // where the construct begins that it closes, or ends that it opens
}

// edits are the changes to one file. None overlaps with another, but many may be at one place.
type edits struct {
	file *token.File
	list []edit
}

func (e *edits) offset(p token.Pos) int { return e.file.Offset(p) }

// around puts text before and behind what lies between two positions.
func (e *edits) around(from, to token.Pos, before, behind string) {
	a, b := e.offset(from), e.offset(to)
	e.list = append(e.list, edit{at: a, end: a, text: before, other: b}, edit{at: b, end: b, text: behind, closes: true, other: a})
}

// call makes a call without arguments, x.M(), an argument itself: f(…, x.M).
func (e *edits) call(fun, funEnd, end token.Pos, before string) {
	a, b, c := e.offset(fun), e.offset(funEnd), e.offset(end)
	e.list = append(e.list, edit{at: a, end: a, text: before, other: c}, edit{at: b, end: c, text: ")", closes: true, other: a})
}

// replace puts text in the place of what lies between two positions and begins a construct.
func (e *edits) replace(from, to token.Pos, end token.Pos, text string) {
	e.list = append(e.list, edit{at: e.offset(from), end: e.offset(to), text: text, other: e.offset(end)})
}

func (e *edits) insert(at token.Pos, text string) {
	a := e.offset(at)
	e.list = append(e.list, edit{at: a, end: a, text: text, closes: true, other: a})
}

// apply returns the source with the changes made, what is not changed being where it was.
func (e *edits) apply(src []byte) []byte {
	slices.SortStableFunc(e.list, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		// What ends here ends before what begins here; the inner ends first and begins last.
		if a.closes != b.closes {
			if a.closes {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.other, a.other)
	})
	var out bytes.Buffer
	last := 0
	for i, ed := range e.list {
		out.Write(src[last:ed.at])
		out.WriteString(ed.text)
		last = ed.end
		if i+1 < len(e.list) && e.list[i+1].at == last {
			continue
		}
		if rest := restOfLine(src[last:]); rest != "" {
			p := e.file.PositionFor(e.file.Pos(last), false)
			fmt.Fprintf(&out, "/*line :%d:%d*/", p.Line, p.Column)
		} else if n := bytes.Count(src[ed.at:ed.end], []byte("\n")); n > 0 {
			out.WriteString("\n") // lines that were replaced must not make the following ones move up
			p := e.file.PositionFor(e.file.Pos(last), false)
			fmt.Fprintf(&out, "/*line :%d:%d*/", p.Line, p.Column)
		}
	}
	out.Write(src[last:])
	return out.Bytes()
}

// restOfLine returns what follows on the line, but for space and a comment to its end.
func restOfLine(src []byte) string {
	line, _, _ := bytes.Cut(src, []byte("\n"))
	line = bytes.TrimSpace(line)
	if bytes.HasPrefix(line, []byte("//")) {
		return ""
	}
	return string(line)
}
