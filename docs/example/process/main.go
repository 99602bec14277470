// Command process is the worker of a service that runs in a process of its own, as one in another language
// would: it starts the service, tells it where its database is, and passes operations on over HTTP.
//
//	go build -o /tmp/worker ./docs/example/process
//	tenantstorm storm --worker /tmp/worker
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/tenantstorm/tenantstorm/harness"
	"github.com/tenantstorm/tenantstorm/harness/worker"
	"github.com/tenantstorm/tenantstorm/model"
)

// What the service is told in its environment.
const (
	dsnVariable      = "NOTES_DSN"
	databaseVariable = "NOTES_DATABASE"
)

func main() {
	if dsn := os.Getenv(dsnVariable); dsn != "" { // the service; yours would be another program
		if err := serve(dsn, os.Getenv(databaseVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(worker.Main(harness.Target{Name: "notes in a process", New: func(ctx context.Context, env harness.Env) (harness.System, error) {
		return start(ctx, env)
	}}))
}

// process is the service as tenantstorm sees it.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	client http.Client
	url    string
}

func start(ctx context.Context, env harness.Env) (*process, error) {
	dsn, err := env.DSNForProcess() // not env.DSN: what goes past the gate cannot be scheduled
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), self)}
	// Not in its arguments, which others on the machine can see: the DSN may hold a password.
	p.cmd.Env = append(os.Environ(), dsnVariable+"="+dsn, databaseVariable+"="+env.Prefix+"notes")
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n') // it says where it listens once it is ready
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the service did not start: %w", err), p.Close(ctx))
	}
	p.url = "http://" + strings.TrimSpace(address)
	p.client.Transport = &http.Transport{DisableKeepAlives: true}
	return p, nil
}

func (p *process) Session(context.Context) (harness.Session, error) { return &client{process: p}, nil }

// Close ends the service, which goes by its standard input.
func (p *process) Close(context.Context) error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

// client is a session: it remembers the active project.
type client struct {
	*process
	active string
}

func (c *client) Switch(_ context.Context, project string) error {
	c.active = project
	return nil
}

func (c *client) Index(ctx context.Context, req harness.IndexRequest) error {
	files := map[string]string{}
	err := fs.WalkDir(req.Repo, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(req.Repo, path)
		files[path] = string(body)
		return err
	})
	if err != nil {
		return err
	}
	return c.call(ctx, "/index", req.Project, nil, files, nil)
}

func (c *client) Search(ctx context.Context, req harness.SearchRequest) ([]model.Match, error) {
	limit := req.Limit
	switch {
	case limit == 0:
		limit = model.DefaultLimit
	case limit > model.MaxSearchLimit:
		return nil, fmt.Errorf("%w: %d", harness.ErrBadLimit, limit)
	}
	var notes []note
	if err := c.call(ctx, "/search", req.Project, url.Values{"query": {req.Query}}, nil, &notes); err != nil {
		return nil, err
	}
	var found []model.Match
	for _, n := range notes {
		if strings.Contains(n.Path, req.Path) && len(found) < limit {
			found = append(found, model.Match{Path: n.Path, Content: n.Body, StartLine: 1, EndLine: strings.Count(n.Body, "\n") + 1})
		}
	}
	return found, nil
}

// call posts in as JSON, and reads the answer into out. Project "" means the active one.
func (c *client) call(ctx context.Context, path, project string, values url.Values, in, out any) error {
	if project == "" {
		project = c.active
	}
	if project == "" {
		return harness.ErrNoActiveProject
	}
	if values == nil {
		values = url.Values{}
	}
	values.Set("project", project)
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path+"?"+values.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound:
		return harness.ErrUnknownProject
	case resp.StatusCode != http.StatusOK:
		return errors.New("the service says " + strconv.Itoa(resp.StatusCode) + ": " + strings.TrimSpace(string(text)))
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}
