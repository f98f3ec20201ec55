package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/remote"
	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/record"
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

// span is how far back a list goes.
type span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	d, err := view.ParseSpan(string(text))
	if err != nil {
		return fmt.Errorf("%q is not %w", text, err)
	}
	*s = span(d)
	return nil
}

// list is a command that lists something of one project.
type list struct {
	Project string `arg:"" optional:"" help:"The project; may be left out when there is only one."`
	Limit   int    `short:"n" aliases:"n" default:"20" help:"How many at most, up to 500."`
	source
}

// listing is what a list found.
type listing struct {
	page any
	rows int
	text func(*report.Writer)
}

// run reads a project's list and prints it.
func (l list) run(p program, read func(v views, project string) (listing, error)) error {
	if l.Limit < 1 || l.Limit > view.MaxRows {
		return fmt.Errorf("--limit is %d: set a number from 1 to %d", l.Limit, view.MaxRows)
	}
	v, err := l.open(p)
	if err != nil {
		return err
	}
	defer v.Close()
	project := record.Project(l.Project)
	if project == "" {
		if project, err = onlyProject(p.ctx, v); err != nil {
			return err
		}
	}
	found, err := read(v, project)
	if errors.Is(err, view.ErrNotFound) || err == nil && found.rows == 0 {
		if err := isProject(p.ctx, v, project); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return l.print(p, found.page, found.text)
}

var errNoRecords = errors.New("there are no records yet; the README and infra/agents.md say how to post the first")

// onlyProject returns the one project that there is.
func onlyProject(ctx context.Context, v views) (string, error) {
	names, err := v.Projects(ctx)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", errNoRecords
	case len(names) > 1:
		return "", fmt.Errorf("there are several projects: name one of %s", quoted(names))
	}
	return names[0], nil
}

// isProject returns an error that names the projects there are when none has the name.
func isProject(ctx context.Context, v views, name string) error {
	names, err := v.Projects(ctx)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return errNoRecords
	case !slices.Contains(names, name):
		return fmt.Errorf("there is no project %q; there is %s", name, quoted(names))
	}
	return nil
}

// quoted lists names, which are strangers' texts.
func quoted(names []string) string {
	const most = 20
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	if len(names) > most {
		fmt.Fprintf(&b, " and %d more", len(names)-most)
	}
	return b.String()
}

// request is a command on one request.
type request struct {
	ID      string `arg:"" help:"The correlation id: a UUID, or 32 hexadecimal digits."`
	Project string `placeholder:"PROJECT" help:"The project; needed when several have the id."`
	source
}

// run finds the request and prints what read makes of it.
func (r request) run(p program, read func(v views, project, id string) (page any, text func(*report.Writer), err error)) error {
	id, ok := record.CorrelationID(r.ID)
	if !ok {
		return fmt.Errorf("%q is no correlation id: that is a UUID such as d37cc455-87f5-457f-b02d-86776b296414, or 32 hexadecimal digits", r.ID)
	}
	v, err := r.open(p)
	if err != nil {
		return err
	}
	defer v.Close()
	project := record.Project(r.Project)
	if project == "" {
		if project, err = projectOf(p.ctx, v, id); err != nil {
			return err
		}
	}
	page, text, err := read(v, project, id)
	if errors.Is(err, view.ErrNotFound) {
		if err := isProject(p.ctx, v, project); err != nil {
			return err
		}
		return fmt.Errorf("nothing is stored under %s in the project %q", id, project)
	}
	if err != nil {
		return err
	}
	return r.print(p, page, text)
}

// projectOf returns the one project that has the id.
func projectOf(ctx context.Context, v views, id string) (string, error) {
	names, err := v.ProjectsOf(ctx, id)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fmt.Errorf("nothing is stored under %s", id)
	case len(names) > 1:
		return "", fmt.Errorf("several projects have %s: choose by --project one of %s", id, quoted(names))
	}
	return names[0], nil
}
