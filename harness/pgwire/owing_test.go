package pgwire

import "testing"

// TestOwing lets batches, named by their messages, go to a server that answers: a capital letter before
// the colon is what is sent, after it what is heard. A dot marks where everything has been said.
func TestOwing(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"query":                        {"Q", ":TDCZ."},
		"two queries":                  {"Q", "Q", ":TDCZ", ":EZ."},
		"several statements":           {"Q", ":CTDCZ."},
		"extended":                     {"PBDES", ":12TDCZ."},
		"described statement":          {"PDH", ":1tT."},
		"flushed":                      {"PBDEH", ":12n", ":C."},
		"flushed, suspended, synced":   {"PBEH", ":12Ds.", "S", ":Z."},
		"a flush behind a sync":        {"PBES", "PBH", ":12CZ", ":1", ":2."},
		"a flush of nothing":           {"H."},
		"an error in a flush":          {"PBEH", ":1E.", "PBH.", "S", ":Z."},
		"a query after such an error":  {"PBEH", ":1E.", "Q.", "S", ":Z."},
		"flushes before an error":      {"PH", "BEH", "S", ":E", ":Z."},
		"copy in":                      {"Q", ":G.", "c", ":C", ":Z."},
		"copy in, failed at the end":   {"Q", ":G.", "f", ":EZ."},
		"copy in, failed on the way":   {"Q", ":G.", ":E", ":Z.", "c."},
		"two copies in one query":      {"Q", ":G.", "c", ":CG.", "c", ":CZ."},
		"extended copy in":             {"PBE", ":12G.", "cS", ":C", ":Z."},
		"extended copy in, synced":     {"PBES", ":12G.", "cH", ":C.", "S", ":Z."},
		"extended copy in, failed":     {"PBES", ":12G.", ":E.", "c.", "S", ":Z."},
		"extended copy in, unprepared": {"PBE", ":E.", "c.", "S", ":Z."},
		"copy out":                     {"Q", ":Hddc", ":CZ."},
		"function call":                {"F", ":VZ."},
		"out of turn":                  {":NSA.", "Q", ":NCAZ."},
	} {
		var o owing
		for i, step := range steps {
			want := step[len(step)-1] == '.'
			if want {
				step = step[:len(step)-1]
			}
			if step[0] == ':' {
				for _, kind := range []byte(step[1:]) {
					o.heard(message(kind, "x"))
				}
			} else {
				var b Batch
				for _, kind := range []byte(step) {
					b.add(message(kind, ""), o.copying && !o.simple)
				}
				o.sent(&b)
			}
			if o.settled() != want {
				t.Errorf("%s: after step %d, %s, settled is %t: %+v", name, i, step, !want, o)
			}
		}
	}
}
