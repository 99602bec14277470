package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// CompareOptions say how strict a comparison is.
type CompareOptions struct {
	// Tolerance is how much worse a metric may be, as a fraction; 0 means DefaultTolerance.
	Tolerance float64
}

// DefaultTolerance is a tenth.
const DefaultTolerance = 0.10

// FalseAlarm is how often a comparison of a service with itself may fail, all metrics together.
const FalseAlarm = 0.01

// displayConfidence is that of the intervals around each side's median, which are for people.
const displayConfidence = 0.95

// Comparison is one result judged against another.
type Comparison struct {
	Kind      Kind    `json:"kind"`
	Tolerance float64 `json:"tolerance"`
	// Confidence is that of each row's interval: higher, the more rows there are.
	Confidence float64 `json:"confidence"`
	// Elsewhere says how the two were measured on other machines, servers or versions. Where the machine or the server
	// differs, only relative metrics are judged.
	Elsewhere []string `json:"elsewhere,omitempty"`
	Rows      []Row    `json:"rows"`
	Verdict   string   `json:"verdict"`
}

// Row is one metric judged. Change and its interval are fractions, above zero for worse or better as the figure says:
// 0.1 is a tenth more.
type Row struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Before Middle `json:"before"`
	After  Middle `json:"after"`
	// Change of the median, by all pairs (Hodges and Lehmann), and where it lies with the comparison's confidence.
	Change float64 `json:"change"`
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
	// Bounded says that there were samples enough for Lo and Hi to mean something.
	Bounded bool `json:"bounded"`
	// P of the Mann-Whitney U-test that both are the same.
	P float64 `json:"p"`
	// Judged says that the metric is a gate, and that it can be compared.
	Judged  bool   `json:"judged"`
	Verdict string `json:"verdict,omitempty"`
	// More is how many more runs each side needs, about, where it is too noisy to tell.
	More int    `json:"more_runs,omitempty"`
	Why  string `json:"why"`
}

// Middle is a median with the interval it lies in.
type Middle struct {
	Runs   int     `json:"runs"`
	Median float64 `json:"median"`
	// Lo and Hi bound the median with 95 % confidence; both are the median where there are too few runs to say.
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// ErrOtherExperiment says that two results cannot be compared, since they are not of the same experiment.
var ErrOtherExperiment = errors.New("not the same experiment")

// Compare judges after against before.
//
// A metric fails when it is certainly worse and may be worse by the tolerance or more; it passes when it is certainly
// not worse by the tolerance; else it is too noisy to tell. "Certainly" means that the chance of a false alarm, over
// all metrics together, is at most [FalseAlarm].
func Compare(before, after *Result, o CompareOptions) (*Comparison, error) {
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	if math.IsNaN(o.Tolerance) || o.Tolerance <= 0 || o.Tolerance >= 1 {
		return nil, fmt.Errorf("tolerance %v: must be above 0 and below 1", o.Tolerance)
	}
	if err := sameExperiment(before, after); err != nil {
		return nil, err
	}
	c := &Comparison{Kind: before.Kind, Tolerance: o.Tolerance, Elsewhere: elsewhere(before, after)}
	foreign := before.Machine != after.Machine || !maps.Equal(before.Server, after.Server)
	judged := 0
	for _, m := range before.Metrics {
		n := after.Metric(m.Name)
		if n == nil {
			continue
		}
		row := Row{Name: m.Name, Unit: m.Unit, Judged: m.Gate && (m.Relative || !foreign)}
		if row.Judged {
			judged++
		} else if m.Gate {
			row.Why = "not judged: measured elsewhere"
		} else {
			row.Why = "shown only"
		}
		c.Rows = append(c.Rows, row)
	}
	if judged == 0 {
		c.Verdict = Unclear
	}
	// Only what is worse fails, so half of each interval's error counts.
	alpha := 2 * FalseAlarm / float64(max(1, judged))
	c.Confidence = 1 - alpha
	for i := range c.Rows {
		c.Rows[i].judge(before.Metric(c.Rows[i].Name), after.Metric(c.Rows[i].Name), alpha, o.Tolerance)
	}
	if judged > 0 {
		c.Verdict = verdictOf(c.Rows)
	}
	return c, nil
}

func verdictOf(rows []Row) string {
	verdict := Pass
	for _, r := range rows {
		switch {
		case !r.Judged:
		case r.Verdict == Fail:
			return Fail
		case r.Verdict != Pass:
			verdict = Unclear
		}
	}
	return verdict
}

func (r *Row) judge(before, after *Metric, alpha, tolerance float64) {
	thresholds := &benchmath.Thresholds{CompareAlpha: alpha}
	a := benchmath.NewSample(slices.Clone(before.Samples), thresholds)
	b := benchmath.NewSample(slices.Clone(after.Samples), thresholds)
	r.Before, r.After = middle(a), middle(b)
	r.P = benchmath.AssumeNothing.Compare(a, b).P
	if slices.Min(a.Values) <= 0 || slices.Min(b.Values) <= 0 {
		r.zeros(a.Values, b.Values)
		return
	}
	w := interval(a.Values, b.Values, alpha)
	r.Change, r.Bounded = math.Exp(w.mid)-1, w.bounded
	if w.bounded {
		r.Lo, r.Hi = math.Exp(w.lo)-1, math.Exp(w.hi)-1
	}
	if !r.Judged {
		return
	}
	if before.Higher { // worse is less
		w.lo, w.mid, w.hi = -w.hi, -w.mid, -w.lo
	}
	most := math.Log1p(tolerance)
	switch {
	case w.bounded && w.hi < most:
		r.Verdict, r.Why = Pass, "not worse by the tolerance"
		if w.lo > 0 {
			r.Why = "worse, but by less than the tolerance"
		} else if w.hi < 0 {
			r.Why = "better"
		}
	case w.bounded && w.lo > 0 && r.P < alpha:
		r.Verdict, r.Why = Fail, "worse, and by the tolerance or more for all one can tell"
	default:
		r.Verdict = Unclear
		r.More = moreRuns(w, most, alpha, min(len(a.Values), len(b.Values)))
		r.Why = fmt.Sprintf("too noisy to tell, needs %d more runs", r.More)
	}
}

// zeros judges samples that cannot be divided: only equal ones are equal.
func (r *Row) zeros(a, b []float64) {
	if !r.Judged {
		return
	}
	if slices.Max(a) == slices.Min(b) && slices.Max(b) == slices.Min(a) {
		r.Verdict, r.Why = Pass, "the same"
		return
	}
	r.Verdict, r.Why = Unclear, "a sample is zero: there is no quotient"
}

func middle(s *benchmath.Sample) Middle {
	sum := benchmath.AssumeNothing.Summary(s, displayConfidence)
	m := Middle{Runs: len(s.Values), Median: sum.Center, Lo: sum.Lo, Hi: sum.Hi}
	if math.IsInf(m.Lo, 0) || math.IsInf(m.Hi, 0) {
		m.Lo, m.Hi = m.Median, m.Median
	}
	return m
}

// sameExperiment refuses to compare what was not asked for alike.
func sameExperiment(before, after *Result) error {
	var differ []string
	if before.Kind != after.Kind {
		differ = append(differ, fmt.Sprintf("one is of %s, the other of %s", before.Kind, after.Kind))
	}
	differ = append(differ, differences(before.Settings, after.Settings)...)
	if len(differ) > 0 {
		return fmt.Errorf("%w: %s", ErrOtherExperiment, strings.Join(differ, "; "))
	}
	return nil
}

// elsewhere says how machine, server and versions differ.
func elsewhere(before, after *Result) []string {
	var differ []string
	if before.Machine != after.Machine {
		differ = append(differ, fmt.Sprintf("machine: %v, and %v", before.Machine, after.Machine))
	}
	differ = append(differ, differences(before.Server, after.Server)...)
	return append(differ, differences(before.Versions, after.Versions)...)
}

func differences(a, b map[string]string) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if a[name] != b[name] {
			differ = append(differ, fmt.Sprintf("%s: %q, and %q", name, a[name], b[name]))
		}
	}
	return differ
}

// String is the machine in a few words.
func (m Machine) String() string {
	return fmt.Sprintf("%s (%s/%s), %d cores, %d MB", m.Processor, m.OS, m.Arch, m.Cores, m.MemoryMB)
}
