package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tenantstorm/tenantstorm/harness/bench"
)

// evidenceSuffix ends the name of the folder beside a result that holds its evidence.
const evidenceSuffix = "-evidence"

// examine gathers evidence where a result failed. The result stands whatever becomes of that.
func (f *measureFlags) examine(ctx context.Context, m *meter, lab *bench.Lab, r *bench.Result, err error, o bench.DiagnoseOptions) (*bench.Result, error) {
	if err != nil || r.Verdict != bench.Fail || f.noEvidence {
		return r, err
	}
	f.diagnose(ctx, m, lab, r.Missed(), o)
	return r, nil
}

// diagnose gathers evidence of what failed. Where there is none to be had, that is told.
func (f *measureFlags) diagnose(ctx context.Context, m *meter, lab *bench.Lab, because []string, o bench.DiagnoseOptions) {
	m.say("gathering evidence, as something failed")
	o.Because, o.Log = because, f.log
	found, err := lab.Diagnose(ctx, o)
	switch {
	case ctx.Err() != nil:
		m.say("interrupted: there is no evidence")
	case err != nil:
		m.say("there is no evidence: " + err.Error())
	default:
		f.evidence = found
	}
}

// deliverEvidence puts evidence into a folder beside the result, or prints it where the result is kept nowhere.
func (f *measureFlags) deliverEvidence(s streams) error {
	if f.evidence == nil {
		return nil
	}
	w := s.out
	if f.json {
		w = s.err
	}
	if f.output == "" {
		_, err := fmt.Fprintf(w, "\n%s\nWith --output, this is kept in a folder beside the result, with profiles of the client.\n", f.evidence.Markdown(1))
		return err
	}
	dir := evidenceFolder(f.output)
	if err := writeEvidence(dir, f.evidence); err != nil {
		return err
	}
	return printEvidence(s, f.json, dir, f.evidence)
}

func printEvidence(s streams, toStderr bool, dir string, e *bench.Evidence) error {
	w := s.out
	if toStderr {
		w = s.err
	}
	_, err := fmt.Fprintf(w, "evidence: %s\n  %s\n", filepath.Join(dir, "evidence.md"), strings.Join(e.Advice, "\n  "))
	return err
}

// evidenceFolder is the folder beside a result for its evidence.
func evidenceFolder(result string) string {
	return strings.TrimSuffix(result, filepath.Ext(result)) + evidenceSuffix
}

// evidenceFiles are what a folder of evidence holds.
func evidenceFiles(e *bench.Evidence) (map[string][]byte, error) {
	data, err := e.Encode()
	return map[string][]byte{"evidence.json": data, "evidence.md": []byte(e.Markdown(1)), "cpu.pprof": e.CPU, "heap.pprof": e.Heap}, err
}

// writeEvidence writes evidence to a folder, which is made. Each file is whole; what an earlier run left there is removed.
func writeEvidence(dir string, e *bench.Evidence) error {
	files, err := evidenceFiles(e)
	if err != nil {
		return err
	}
	if err := errors.Join(removeEvidence(dir), os.MkdirAll(dir, 0o777)); err != nil {
		return fmt.Errorf("write the evidence: %w", err)
	}
	for name, data := range files {
		if len(data) == 0 {
			continue
		}
		if err := writeWhole(filepath.Join(dir, name), data); err != nil {
			return fmt.Errorf("write the evidence: %w", err)
		}
	}
	return nil
}

// removeEvidence removes what writeEvidence writes, and the folder if nothing else is in it.
func removeEvidence(dir string) error {
	files, err := evidenceFiles(&bench.Evidence{})
	if err != nil {
		return err
	}
	for name := range files {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
