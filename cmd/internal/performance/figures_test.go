package main

import (
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		s    sample
		want float64
	}{{sample{3}, 3}, {sample{9, 1, 5}, 5}, {sample{4, 1, 2, 9}, 3}} {
		if got := row.s.median(); got != row.want {
			t.Errorf("median of %v: %v", row.s, got)
		}
	}
	if got := (sample{}).median(); !math.IsNaN(got) {
		t.Errorf("median of nothing: %v", got)
	}
}

func TestNumbers(t *testing.T) {
	for want, x := range map[string]float64{"1234": 1234.4, "12.3": 12.34, "1.23": 1.234, "0.012": 0.0123, "–": math.NaN()} {
		if got := number(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
	for want, n := range map[string]int{"7": 7, "999": 999, "1,000": 1000, "1,000,000": 1_000_000} {
		if got := whole(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestMissedBar(t *testing.T) {
	s := section{title: "speed"}
	s.bar("fast", true)
	s.bar("very fast", false)
	if len(s.missed) != 1 || !strings.Contains(s.missed[0], "very fast") {
		t.Errorf("missed: %q", s.missed)
	}
	d := document{machine: "here", rounds: 5, sections: []section{s}}
	for _, want := range []string{"## speed", "Bar: fast: **met**.", "Bar: very fast: **MISSED**."} {
		if !strings.Contains(d.String(), want) {
			t.Errorf("no %q in\n%s", want, d.String())
		}
	}
}
