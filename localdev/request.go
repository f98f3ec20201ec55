package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/view"
)

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
