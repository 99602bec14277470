package pgwire

import "slices"

// due is one thing that the server still has to say.
type due struct {
	steps  int  // messages that each answer one of the client's, where no Sync followed; 0 is a ReadyForQuery
	simple bool // it is the answer to a simple Query
}

// owing is what the server still has to say before it waits for the client.
type owing struct {
	down     flow
	dues     []due // in the order in which the server pays them
	copying  bool  // it takes COPY data
	simple   bool  // that COPY was begun by a simple Query
	skipping bool  // after an error it passes over everything up to a Sync that was not sent yet
	last     byte  // the kind of the message that it said last
	rows     int
}

// ready notes that the server will say that it is ready.
func (o *owing) ready(simple bool) { o.dues = append(o.dues, due{simple: simple}) }

// sent notes that a batch goes to the server.
func (o *owing) sent(b *Batch) {
	copying := o.copying
	if b.copied {
		o.copying = false
	}
	switch b.last {
	case 'S':
		o.skipping = false
		o.ready(false)
	case 'Q', 'F':
		if !o.skipping {
			o.ready(b.simple)
		}
	case 'c', 'f':
		if copying && o.simple { // otherwise the COPY has failed already, and has been answered
			o.ready(true)
		}
	default: // a Flush, or COPY data follows, for which the server answers what came before it, too
		if !o.skipping && b.steps > 0 {
			o.dues = append(o.dues, due{steps: b.steps})
		}
	}
}

// heard follows what the server says.
func (o *owing) heard(p []byte) {
	o.down.follow(p, func(kind byte, _ int) {
		o.last = kind
		switch kind {
		case 'Z':
			o.copying, o.skipping = false, false
			o.settle(true)
		case 'G', 'W':
			o.copying, o.simple = true, false
			if len(o.dues) > 0 { // a Sync that came with the COPY's Execute is ignored
				o.simple = o.dues[0].simple
				o.dues = slices.Delete(o.dues, 0, 1)
			}
		case 'E':
			o.erred()
		case '1', '2', '3', 'T', 'n', 'C', 's', 'I':
			if len(o.dues) > 0 && o.dues[0].steps > 0 {
				if o.dues[0].steps--; o.dues[0].steps == 0 {
					o.dues = slices.Delete(o.dues, 0, 1)
				}
			}
		case 'D':
			o.rows++
		}
	})
}

// erred follows an error: the server says next that it is ready, of itself after a simple Query, otherwise
// after the next Sync.
func (o *owing) erred() {
	switch {
	case o.copying && o.simple:
		o.dues = slices.Insert(o.dues, 0, due{simple: true})
	case o.copying, len(o.dues) > 0 && o.dues[0].steps > 0:
		o.skipping = !o.settle(false)
	}
	o.copying = false
}

// settle takes away what is due before the next ReadyForQuery and, if that has come, that too. It reports
// whether there is one.
func (o *owing) settle(come bool) bool {
	next := slices.IndexFunc(o.dues, func(d due) bool { return d.steps == 0 })
	if next < 0 {
		o.dues = o.dues[:0]
		return false
	}
	if come {
		next++
	}
	o.dues = slices.Delete(o.dues, 0, next)
	return true
}

// settled reports that the server has said all that it owes, and nothing by halves.
func (o *owing) settled() bool { return len(o.dues) == 0 && o.down.whole() }
