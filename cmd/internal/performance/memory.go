package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/tenantstorm/tenantstorm/fixtures/codesearch"
)

// indexCommand is this program's argument in the process that indexes one repository. What it needs stands on its
// standard input: a DSN does not belong into a command line.
const indexCommand = "index"

// indexed is what that process is told.
type indexed struct {
	DSN, Prefix, Dir string
}

// indexApart indexes a repository in a process of its own and returns the most memory that had, in MB.
func (l *lab) indexApart(ctx context.Context, n int) (mb float64, err error) {
	dir := ""
	err = withTree(n, func(tree fs.FS) error {
		dir = fmt.Sprint(tree) // of os.DirFS: its path
		input, err := json.Marshal(indexed{DSN: l.server.DSN(), Prefix: l.claim.Prefix + "z_", Dir: dir})
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, l.self, indexCommand)
		cmd.Stdin, cmd.Stderr = strings.NewReader(string(input)), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		return json.Unmarshal(out, &mb)
	})
	return mb, err
}

// indexOnce is what that process does.
func indexOnce(ctx context.Context, stdin io.Reader, stdout io.Writer) (err error) {
	var what indexed
	if err := json.NewDecoder(stdin).Decode(&what); err != nil {
		return err
	}
	svc, err := codesearch.Open(ctx, codesearch.Config{DSN: what.DSN, Prefix: what.Prefix})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down(ctx, svc.Close)) }()
	_, err = svc.NewSession().Index(ctx, codesearch.IndexRequest{Project: projectName(0), FS: os.DirFS(what.Dir), Mode: codesearch.Full})
	if err != nil {
		return err
	}
	mb, err := peakMemory()
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(mb)
}
