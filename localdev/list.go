package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/view"
)

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
	Limit   int    `short:"n" default:"20" help:"How many at most, up to 500."`
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
