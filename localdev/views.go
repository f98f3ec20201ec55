package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/remote"
	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/view"
)

// views are what the commands read that show what the pages show: from a file, or from a listener that runs elsewhere.
type views interface {
	// Projects returns the names of the projects that may be seen.
	Projects(ctx context.Context) ([]string, error)
	// ProjectsOf returns those that have records under a correlation id.
	ProjectsOf(ctx context.Context, id string) ([]string, error)

	Requests(ctx context.Context, project string, since time.Duration, routeKey string, limit int) (*view.Requests, error)
	Routes(ctx context.Context, project string, since time.Duration, limit int) (*view.Routes, error)
	Statements(ctx context.Context, project string, since time.Duration, limit int) (*view.Statements, error)
	Look(ctx context.Context, project, id string) (*view.Look, error)
	Plan(ctx context.Context, project, id string, n int) (*view.Plan, error)

	Close() error
}

// fileViews are of a database file. A listener may be writing it.
type fileViews struct {
	*view.Views
	*sqlite.Reader
}

func (v fileViews) Projects(ctx context.Context) (names []string, err error) {
	found, err := v.Reader.Projects(ctx, v.Now(), v.Now())
	for _, p := range found {
		names = append(names, p.Project)
	}
	return names, err
}

// source is where a command reads, and how it prints.
type source struct {
	URL  string `name:"url" placeholder:"https://HOST:PORT" help:"Ask the listener there, with the read key in BITVILLE_READ_KEY. Otherwise the file that BITVILLE_DB_PATH names is read."`
	JSON bool   `name:"json" help:"Print the JSON of the page under /traces."`
}

func (s source) open(p program) (views, error) {
	if s.URL != "" {
		cfg, _, problems := load(config.LoadClient, p)
		if problems != nil {
			return nil, *problems
		}
		return remote.New(s.URL, cfg.ReadKey, cfg.CAPath)
	}
	cfg, _, problems := load(config.LoadCommand, p)
	switch {
	case problems != nil:
		return nil, *problems
	case cfg.DBURL != "":
		return nil, errors.New("BITVILLE_DB_URL names a server, of which there are no pages yet: set BITVILLE_DB_PATH to a file, or name a listener that has one by --url; listener show ID reads records from the server")
	}
	reader, err := sqlite.OpenReader(p.ctx, cfg.DBPath)
	if err != nil {
		return nil, cannotOpen(cfg.DBPath, err)
	}
	return fileViews{&view.Views{Store: reader, Now: now, Values: cfg.ShowValues()}, reader}, nil
}

// print prints a page, which text writes for people.
func (s source) print(p program, page any, text func(*report.Writer)) error {
	out := bufio.NewWriter(p.stdout)
	w := report.New(out, p.colours())
	if s.JSON {
		w.JSON(page)
	} else {
		text(w)
	}
	if err := cmp.Or(w.Err(), out.Flush()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// colours tells whether standard output is a terminal whose user has not set NO_COLOR.
func (p program) colours() bool {
	for _, v := range p.environ {
		name, value, _ := strings.Cut(v, "=")
		if name == "NO_COLOR" && value != "" || name == "TERM" && value == "dumb" {
			return false
		}
	}
	file, ok := p.stdout.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
