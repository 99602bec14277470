package repro

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/tenantstorm/tenantstorm/model"
)

// maxFile is how large a file may be. The longest program there can be takes less.
const maxFile = 64 << 20

// Load reads a repro from a folder, or from a file; a file that is only a program's text is one, too. An
// error is a *SyntaxError, a *VersionError, or what reading the file gave.
func Load(path string) (Repro, error) {
	folder := ""
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		folder, path = path, filepath.Join(path, FileName)
	}
	data, err := read(path)
	if folder != "" && errors.Is(err, fs.ErrNotExist) {
		return Repro{}, fmt.Errorf("load repro: %s is a folder without %s: %w", folder, FileName, fs.ErrNotExist)
	}
	if err != nil {
		return Repro{}, fmt.Errorf("load repro: %w", err)
	}
	r, err := Parse(data)
	var syntax *SyntaxError
	var version *VersionError
	switch {
	case errors.As(err, &syntax):
		syntax.File = path
	case errors.As(err, &version):
		version.File = path
	}
	return r, err
}

func read(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: more than %d MiB, so it is no repro", path, maxFile>>20)
	}
	return data, err
}

// Parse reads a repro, or a program's text, which becomes a repro with nothing but the program. An
// error is a *SyntaxError or a *VersionError.
func Parse(data []byte) (Repro, error) {
	if isProgram(data) {
		p, err := parseProgram(data, 1)
		return Repro{Program: p}, err
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(slices.Clip(data), '\n')
	}
	a := txtar.Parse(data)
	if err := parseHeader(a.Comment); err != nil {
		return Repro{}, err
	}
	var r Repro
	next := 0 // index in parts of the first that may still come
	line := 1 + bytes.Count(a.Comment, []byte("\n"))
	for _, f := range a.Files {
		i := slices.Index(parts, f.Name)
		switch {
		case i < 0:
			return Repro{}, syntaxError(line, 1, "%q: unknown part; known: %s", f.Name, strings.Join(parts, ", "))
		case i < next:
			return Repro{}, syntaxError(line, 1, "%q: parts stand once each, in the order %s", f.Name, strings.Join(parts, ", "))
		case next <= 1 && i > 1:
			return Repro{}, syntaxError(line, 1, "%q: the program must come before it", f.Name)
		}
		next = i + 1
		if err := r.parsePart(f, line); err != nil {
			return Repro{}, err
		}
		line += 1 + bytes.Count(f.Data, []byte("\n"))
	}
	if next <= 1 {
		return Repro{}, syntaxError(line, 1, "no program: a part \"-- program --\" expected")
	}
	return r, nil
}

func syntaxError(line, column int, format string, v ...any) error {
	return &SyntaxError{Line: line, Column: column, Msg: fmt.Sprintf(format, v...)}
}

// isProgram reports whether the first word, comments apart, is that of a program's text.
func isProgram(data []byte) bool {
	for line := range bytes.Lines(data) {
		before, _, _ := bytes.Cut(line, []byte("//"))
		if words := bytes.Fields(before); len(words) > 0 {
			return string(words[0]) == "program"
		}
	}
	return false
}

func parseHeader(comment []byte) error {
	first, rest, _ := strings.Cut(string(comment), "\n")
	first = strings.TrimSuffix(first, "\r")
	number, ok := strings.CutPrefix(first, headerStart)
	v, err := strconv.Atoi(number)
	if !ok || err != nil || v < 1 || strconv.Itoa(v) != number {
		return syntaxError(1, 1, "neither a repro, which begins with \"%s%d\", nor a program, which begins with \"program v%d\"",
			headerStart, FormatVersion, model.FormatVersion)
	}
	if v > FormatVersion {
		return &VersionError{Version: v}
	}
	line := 1
	for text := range strings.Lines(rest) {
		line++
		if strings.TrimSpace(text) != "" {
			return syntaxError(line, 1, "%q: a part such as \"-- program --\" expected", strings.TrimSpace(text))
		}
	}
	return nil
}

// parsePart reads one part, whose marker stands at the line.
func (r *Repro) parsePart(f txtar.File, marker int) (err error) {
	switch f.Name {
	case partMeta:
		return parseFields(f.Data, marker, metaFields(&r.Meta))
	case partProgram:
		r.Program, err = parseProgram(f.Data, marker+1)
		return err
	case partHistory:
		return parseLines(f.Data, marker, func(line string) error {
			r.History = append(r.History, line)
			return nil
		})
	case partSteps:
		err := parseLines(f.Data, marker, r.parseStep)
		r.endWaits()
		return err
	case partTimes:
		return parseLines(f.Data, marker, r.parseSpan)
	}
	var fingerprint string
	if err := parseFields(f.Data, marker, violationFields(&r.Violation, &fingerprint)); err != nil {
		return err
	}
	if want := r.Violation.Fingerprint(); fingerprint != "" && fingerprint != want {
		return syntaxError(marker, 1, "fingerprint %s: invariant, kind and verb make it %s", fingerprint, want)
	}
	return nil
}

// parseProgram reads program text whose first line is that line of the file.
func parseProgram(data []byte, firstLine int) (model.Program, error) {
	p, err := model.Parse(string(data))
	var syntax *model.SyntaxError
	if errors.As(err, &syntax) {
		return p, syntaxError(firstLine-1+syntax.Line, syntax.Column, "%s", syntax.Msg)
	}
	return p, err
}

// parseLines hands out lines as quoted made them, without their indentation.
func parseLines(data []byte, marker int, each func(string) error) error {
	line := marker
	for raw := range strings.Lines(string(data)) {
		line++
		text := strings.TrimSpace(raw)
		if text == "" {
			continue
		}
		plain, ok := unquoted(text)
		if !ok {
			return syntaxError(line, 1, "%s: a quoted line ends with a quote", clip(text))
		}
		if err := each(plain); err != nil {
			return syntaxError(line, 1+strings.Index(raw, text), "%v", err)
		}
	}
	return nil
}

// parseFields reads lines "key: value".
func parseFields(data []byte, marker int, fields []field) error {
	seen := map[string]bool{}
	line := marker
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimRight(text, "\r\n")
		if strings.TrimSpace(text) == "" {
			continue
		}
		key, raw, ok := strings.Cut(text, ":")
		if !ok {
			return syntaxError(line, 1, "%q: \"key: value\" expected", clip(text))
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			return syntaxError(line, 1, "%q: unknown key; known: %s", clip(key), keys(fields))
		}
		if seen[key] && fields[i].texts == nil {
			return syntaxError(line, 1, "%q stands twice", key)
		}
		seen[key] = true
		value := strings.TrimSpace(raw)
		column := 1 + len(key) + 1 + len(raw) - len(strings.TrimLeft(raw, " \t"))
		if err := fields[i].set(value, line, column); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.must && !seen[f.key] {
			return syntaxError(marker, 1, "%s expected in this part", f.key)
		}
	}
	return nil
}

func (f field) set(value string, line, column int) error {
	plain, ok := unquoted(value)
	if !ok {
		return syntaxError(line, column, "%s: a quoted value ends with a quote", clip(value))
	}
	switch {
	case f.texts != nil:
		*f.texts = append(*f.texts, plain)
	case f.num != nil:
		n, err := strconv.Atoi(plain)
		if err != nil || n < 0 {
			return syntaxError(line, column, "%q: a number expected", clip(plain))
		}
		*f.num = n
	case value == "":
		return syntaxError(line, column, "a value expected")
	default:
		*f.text = plain
	}
	return nil
}

func keys(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	return strings.Join(names, ", ")
}

// clip shortens what an error quotes.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " …"
}
