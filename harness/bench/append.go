package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// ErrElsewhere says that two results were not measured in the same place.
var ErrElsewhere = errors.New("not measured in the same place")

// Append returns one result with the runs of two, so that a comparison which was too noisy can be made again with more
// of them. They must be of the same experiment, machine, server and versions.
func Append(r, more *Result) (*Result, error) {
	if err := sameExperiment(r, more); err != nil {
		return nil, err
	}
	if r.Kind != KindIndex && r.Kind != KindSearch {
		return nil, fmt.Errorf("%w: a %s has no runs to add to", ErrOtherExperiment, r.Kind)
	}
	if differ := elsewhere(r, more); len(differ) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrElsewhere, strings.Join(differ, "; "))
	}
	sum := *r
	sum.Recorded = more.Recorded
	sum.Metrics, sum.Bounds, sum.Histograms = nil, []Bound{}, nil
	for _, m := range r.Metrics {
		n := more.Metric(m.Name)
		if n == nil {
			return nil, fmt.Errorf("%w: only one has the metric %s", ErrOtherExperiment, m.Name)
		}
		m.Samples = slices.Concat(m.Samples, n.Samples)
		sum.metric(m)
	}
	runs := 0
	sum.Batches = slices.Clone(r.Batches)
	for _, b := range r.Batches {
		runs = max(runs, b.Run)
	}
	for _, b := range more.Batches {
		b.Run += runs
		sum.Batches = append(sum.Batches, b)
	}
	if err := sum.mergeHistograms(r.Histograms, more.Histograms); err != nil {
		return nil, err
	}
	sum.Settings, sum.Notes = maps.Clone(r.Settings), slices.Clone(r.Notes)
	switch r.Kind {
	case KindIndex:
		sum.boundIndex(limitOf(r, IndexBound))
	case KindSearch:
		sum.boundSearch(limitOf(r, SearchBound))
	}
	sum.judge()
	return &sum, sum.Validate()
}

// limitOf is what a result was bound by.
func limitOf(r *Result, standard float64) float64 {
	if len(r.Bounds) == 0 {
		return standard
	}
	return r.Bounds[0].Limit
}

func (r *Result) mergeHistograms(a, b []Histogram) error {
	for _, h := range a {
		sum, err := hdrhistogram.Decode([]byte(h.Data))
		if err != nil {
			return fmt.Errorf("histogram %s: %w", h.Name, err)
		}
		for _, g := range b {
			if g.Name != h.Name {
				continue
			}
			other, err := hdrhistogram.Decode([]byte(g.Data))
			if err != nil {
				return fmt.Errorf("histogram %s: %w", g.Name, err)
			}
			sum.Merge(other)
		}
		merged, err := histogram(h.Name, sum)
		if err != nil {
			return err
		}
		r.Histograms = append(r.Histograms, merged)
	}
	return nil
}
