// Package check turns the history of a case into a verdict. Each invariant family is a checker of its
// own, one a file.
package check

// Status is a judgement. The zero value is unset and never passes.
type Status uint8

// The judgements.
const (
	Unset Status = iota
	Pass
	Fail
	Inconclusive  // too little was seen to say
	NotApplicable // the target lacks the capability
)

var statuses = []string{"unset", "pass", "fail", "inconclusive", "not applicable"}

func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return statuses[Unset]
}

// Violation is an invariant broken, with its evidence.
type Violation struct {
	Invariant string   `json:"invariant"` // the family: isolation, search, lru, …
	Kind      string   `json:"kind"`      // what kind of violation, within the family
	Verb      string   `json:"verb"`      // the kind of operation that suffered
	Op        int      `json:"op"`        // its ID; 0: an operation of the audit, or none
	Position  int      `json:"position"`  // index of the entry in the history; its length for what shows at rest
	Sentence  string   `json:"sentence"`  // what is wrong, for people
	Evidence  []string `json:"evidence,omitempty"`
}

// Fingerprint names the violation without ids, names, numbers or stacks: two runs of one fault give
// the same fingerprint.
func (v Violation) Fingerprint() string { return v.Invariant + "/" + v.Kind + "/" + v.Verb }

// Result is one invariant family's judgement of one case.
type Result struct {
	Invariant  string      `json:"invariant"`
	Status     Status      `json:"status"`
	Checked    int         `json:"checked"` // how many things were looked at
	Note       string      `json:"note,omitempty"`
	Violations []Violation `json:"violations,omitempty"`
}

// Verdict is the judgement of a case.
type Verdict struct {
	Status  Status   `json:"status"`
	Results []Result `json:"results"` // one a family, in the order of Families; LatencyFamily last
}

// Families are the invariant families of every case, the most telling first: where one case breaks
// several, the first names the finding. LatencyFamily is the last, where it is judged.
var Families = []string{"panic", "isolation", "search", "lru", "errors", "progress", "accounting", "leak"}

// First returns the violation that names the finding: the one of the earliest operation and, among
// those, of the first family. It returns nil when there is none.
func (v Verdict) First() *Violation {
	var first *Violation
	for _, r := range v.Results {
		for i := range r.Violations {
			if c := &r.Violations[i]; first == nil || c.Position < first.Position {
				first = c
			}
		}
	}
	return first
}
