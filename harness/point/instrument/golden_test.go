package instrument

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What the rewriting makes of every construct, and that the compiler and vet take it.
func TestRewrite(t *testing.T) {
	archives, err := filepath.Glob("testdata/rewrite/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("golden files: %v, %v", archives, err)
	}
	files := map[string]string{}
	golden := map[string]*txtar.Archive{}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		golden[name] = a
		files[name+"/"+name+".go"] = string(archived(a, "in.go"))
	}
	files["untouched/empty.s"] = "// A function without a body needs a file of assembly beside it.\n"
	dir := module(t, "example.com/golden", files)
	r := write(t, Options{Dir: dir, Patterns: []string{"./..."}})
	for name, a := range golden {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name, name+".go")
			out, err := os.ReadFile(r.Files[path])
			if err != nil {
				t.Fatal(err)
			}
			out = bytes.ReplaceAll(out, []byte(dir), []byte("/module"))
			got := &txtar.Archive{Files: []txtar.File{
				{Name: "in.go", Data: archived(a, "in.go")},
				{Name: "out.go", Data: out},
				{Name: "notes", Data: notes(path, r)},
			}}
			if *update {
				if err := os.WriteFile("testdata/rewrite/"+name+".txtar", txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	goCommand(t, r, "build", "./...")
	goCommand(t, r, "vet", "-copylocks", "-atomic", "-lostcancel", "-nilfunc", "./...")
}

func archived(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// notes are what a result says of a file.
func notes(path string, r Result) []byte {
	var b bytes.Buffer
	for _, list := range []struct {
		name  string
		notes []Note
	}{{"refused", r.Refused}, {"skipped", r.Skipped}, {"divergent", r.Divergent}} {
		for _, n := range list.notes {
			if n.File == path {
				fmt.Fprintf(&b, "%s %d:%d: %s\n", list.name, n.Line, n.Column, n.Text)
			}
		}
	}
	return b.Bytes()
}
