package harness

import (
	"strings"

	"github.com/tenantstorm/tenantstorm/model"
)

// digestFrom is from how many operations on a program's history keeps only the canaries of what was
// found: a million answers would not fit into memory.
const digestFrom = 2000

// digests makes answers short. It keeps what it made: the same few files are found again and again.
type digests struct {
	words map[model.Canary]string
	found []model.Canary // to be used again
}

// shorten keeps of what was found only the canaries.
func (d *digests) shorten(matches []model.Match) {
	for i := range matches {
		m := &matches[i]
		switch d.found = model.AppendCanaries(d.found[:0], m.Content); len(d.found) {
		case 0:
			m.Content = ""
		case 1:
			m.Content = d.word(d.found[0])
		default:
			var kept strings.Builder
			for _, c := range d.found {
				kept.WriteString(d.word(c))
			}
			m.Content = kept.String()
		}
	}
}

// word is a canary's text, and a blank that parts it from the next.
func (d *digests) word(c model.Canary) string {
	w, known := d.words[c]
	if !known {
		if d.words == nil {
			d.words = map[model.Canary]string{}
		}
		w = c.String() + " "
		d.words[c] = w
	}
	return w
}
