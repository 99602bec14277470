package cli

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness/check"
	"github.com/tenantstorm/tenantstorm/harness/hunt"
)

// The parts of JUnit's XML that continuous integration systems read: a test case an invariant family.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
	Error    string      `xml:"system-err,omitempty"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Failure *junitNote `xml:"failure"`
	Error   *junitNote `xml:"error"`
	Skipped *junitNote `xml:"skipped"`
	Out     string     `xml:"system-out,omitempty"`
}

type junitNote struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// writeJUnit writes a storm's outcome, whole or not at all. What is inconclusive is an error and what
// is not applicable is skipped: neither passes.
func writeJUnit(path string, sum hunt.Summary, worker string, stopped error) error {
	s := junitSuite{Name: "tenantstorm storm", Time: fmt.Sprintf("%.3f", sum.Elapsed.Seconds())}
	for _, row := range sum.Invariants {
		s.add(row, sum.Findings, worker)
	}
	for _, u := range sum.Unconfirmed {
		s.Tests++
		s.Errors++
		s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: "unconfirmed",
			Error: &junitNote{Message: u, Type: check.Inconclusive.String()}})
	}
	if stopped != nil {
		s.Error = stopped.Error()
	}
	data, err := xml.MarshalIndent(s, "", "  ")
	if err == nil {
		err = writeWhole(path, append([]byte(xml.Header), append(data, '\n')...))
	}
	if err != nil {
		return fmt.Errorf("--junit: %w", err)
	}
	return nil
}

func (s *junitSuite) add(row hunt.Invariant, findings []hunt.Finding, worker string) {
	c := junitCase{Class: s.Name, Name: row.Name, Out: "checked " + count(row.Checked, "time")}
	s.Tests++
	switch row.Status {
	case check.Pass:
	case check.Fail:
		s.Failures++
		c.Failure = failure(row.Name, findings, worker)
	case check.NotApplicable:
		s.Skipped++
		c.Skipped = &junitNote{Message: noted(row)}
	default:
		s.Errors++
		c.Error = &junitNote{Message: noted(row), Type: row.Status.String()}
	}
	s.Cases = append(s.Cases, c)
}

// failure is one note for all findings of a family.
func failure(family string, findings []hunt.Finding, worker string) *junitNote {
	var note junitNote
	var b strings.Builder
	for i, f := range findings {
		if f.Violation.Invariant != family {
			continue
		}
		if note.Message == "" {
			note.Message, note.Type = f.Fingerprint+": "+f.Violation.Sentence, f.Fingerprint
		}
		writeFinding(&b, i+1, f, worker)
	}
	note.Text = b.String()
	return &note
}

// noted is a row's judgement and what it rests on.
func noted(row hunt.Invariant) string {
	if row.Note == "" {
		return row.Status.String()
	}
	return row.Status.String() + ": " + row.Note
}
