package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// SchemaVersion is the version of [Result]'s JSON. It changes whenever an older reader would misread it.
const SchemaVersion = 1

// Kind is what was benchmarked.
type Kind string

// The kinds.
const (
	KindIndex  Kind = "index"
	KindSearch Kind = "search"
	KindStress Kind = "stress"
	KindTune   Kind = "tune"
)

// Verdicts of a result and of a comparison.
const (
	Pass    = "PASS"
	Fail    = "FAIL"
	Unclear = "INCONCLUSIVE"
)

// Result is what a benchmark leaves.
type Result struct {
	Schema   int       `json:"schema"`
	Kind     Kind      `json:"kind"`
	Recorded time.Time `json:"recorded"`
	Machine  Machine   `json:"machine"`
	// Versions of what took part, by name.
	Versions map[string]string `json:"versions"`
	// Settings are what was asked for. Results with other settings are other experiments.
	Settings map[string]string `json:"settings"`
	// Server holds PostgreSQL's settings that matter to speed.
	Server map[string]string `json:"server"`
	// Metrics hold a sample a run.
	Metrics []Metric `json:"metrics"`
	// Batches are the loads that the metrics were taken from, for their arithmetic to be checked.
	Batches []Batch `json:"batches,omitempty"`
	// Histograms hold every single latency.
	Histograms []Histogram `json:"histograms,omitempty"`
	// Series are what was sampled over time.
	Series []Series `json:"series,omitempty"`
	// Bounds are what was to be reached.
	Bounds []Bound `json:"bounds"`
	// Violations are invariants that were broken.
	Violations []Violation `json:"violations,omitempty"`
	// Checks count what was looked at, by family of invariants.
	Checks map[string]int `json:"checks,omitempty"`
	// Evicted are the projects in the order in which they lost their pools.
	Evicted []string `json:"evicted,omitempty"`
	// Cells are the settings that were tried, and Choice the one to take.
	Cells  []Cell  `json:"cells,omitempty"`
	Choice *Choice `json:"choice,omitempty"`
	// Notes are what a reader has to know to read the rest rightly.
	Notes   []string `json:"notes,omitempty"`
	Verdict string   `json:"verdict"`
}

// Metric is one figure, measured in every run.
type Metric struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Higher says that more is better; else less is.
	Higher bool `json:"higher_is_better,omitempty"`
	// Gate says that a comparison judges it; the others are shown.
	Gate bool `json:"gate,omitempty"`
	// Relative says that it is a quotient of two figures of the same run, which other machines may share.
	Relative bool      `json:"relative,omitempty"`
	Samples  []float64 `json:"samples"`
	Summary  Summary   `json:"summary"`
}

// Batch is one load: so many requests by so many clients.
type Batch struct {
	Name    string  `json:"name"`
	Run     int     `json:"run"`
	Clients int     `json:"clients"`
	Rate    float64 `json:"rate_per_s,omitempty"` // of arrivals; 0: each client asks when it has its answer
	Latency
}

// Latency sums up the latencies of a batch, in milliseconds from when each request was meant to begin.
type Latency struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"` // from the first request's beginning to the last one's end
	Mean     float64 `json:"mean_ms"`
	P50      float64 `json:"p50_ms"`
	P95      float64 `json:"p95_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
	// Service is the mean time from the request's being sent, which is later than meant where no client was free.
	Service float64 `json:"service_mean_ms"`
}

// Histogram holds the latencies of all runs, as HdrHistogram writes them (V2, compressed), in microseconds.
type Histogram struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
	Data  string  `json:"hdr"`
}

// Series is a figure over time.
type Series struct {
	Name   string       `json:"name"`
	Unit   string       `json:"unit"`
	Points [][2]float64 `json:"points"` // seconds since the load began, value
}

// Bound is a figure that has to be reached.
type Bound struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Rule  string  `json:"rule"` // "<", "<=" or "=="
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit,omitempty"`
	Met   bool    `json:"met"`
}

// Violation is an invariant that was broken.
type Violation struct {
	Phase       string   `json:"phase"`
	Fingerprint string   `json:"fingerprint"`
	Sentence    string   `json:"sentence"`
	Evidence    []string `json:"evidence,omitempty"`
}

func newResult(kind Kind, l *Lab, server map[string]string) Result {
	return Result{
		Schema: SchemaVersion, Kind: kind, Recorded: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine(), Versions: l.Versions,
		Settings: map[string]string{"target": l.Target.Name}, Server: server, Bounds: []Bound{},
	}
}

func (r *Result) set(name string, value any) { r.Settings[name] = fmt.Sprint(value) }

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// metric adds a figure; one that could not be measured has no samples and is left out.
func (r *Result) metric(m Metric) {
	if len(m.Samples) > 0 {
		m.Summary = Summarize(m.Samples)
		r.Metrics = append(r.Metrics, m)
	}
}

// Metric returns the metric of a name, or nil.
func (r *Result) Metric(name string) *Metric {
	for i := range r.Metrics {
		if r.Metrics[i].Name == name {
			return &r.Metrics[i]
		}
	}
	return nil
}

// below adds a bound that is met by less.
func (r *Result) below(what, unit string, value, limit float64) {
	r.Bounds = append(r.Bounds, Bound{What: what, Value: value, Rule: "<", Limit: limit, Unit: unit, Met: value < limit})
}

// equal adds a bound that is met by nothing else.
func (r *Result) equal(what string, value, limit int64) {
	r.Bounds = append(r.Bounds, Bound{What: what, Value: float64(value), Rule: "==", Limit: float64(limit), Met: value == limit})
}

// atMost adds a bound that is met by as much or less.
func (r *Result) atMost(what string, value, limit int64) {
	r.Bounds = append(r.Bounds, Bound{What: what, Value: float64(value), Rule: "<=", Limit: float64(limit), Met: value <= limit})
}

// judge sets the verdict.
func (r *Result) judge() {
	r.Verdict = Pass
	for _, b := range r.Bounds {
		if !b.Met {
			r.Verdict = Fail
		}
	}
	if len(r.Violations) > 0 {
		r.Verdict = Fail
	}
}

// ErrSchema says that a file holds a result of another version of the schema, or none at all.
var ErrSchema = errors.New("not a result of this version")

// Encode returns the result's JSON.
func (r *Result) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	return append(data, '\n'), nil
}

// Decode reads a result and checks its arithmetic.
func Decode(data []byte) (*Result, error) {
	var head struct {
		Schema int  `json:"schema"`
		Kind   Kind `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if head.Schema != SchemaVersion {
		return nil, fmt.Errorf("%w: it has schema %d, and %d is understood", ErrSchema, head.Schema, SchemaVersion)
	}
	var r Result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return &r, r.Validate()
}

// Load reads a result from a file.
func Load(path string) (*Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
