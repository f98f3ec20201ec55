package main

import (
	"errors"
	"fmt"

	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/view"
)

type traceCommand struct {
	Plan *int `placeholder:"N" help:"Print the whole plan of the statement with this number, and nothing else."`
	request
}

// Help is what listener trace -help says more.
func (traceCommand) Help() string {
	return `It prints a request whole: where its time went, what to do, its statements, its functions. For example:

  listener trace d37cc455-87f5-457f-b02d-86776b296414
  listener trace d37cc455-87f5-457f-b02d-86776b296414 --plan 2`
}

// Run runs the command.
func (c traceCommand) Run(p program) error {
	return c.run(p, func(v views, project, id string) (any, func(*report.Writer), error) {
		page, err := v.Look(p.ctx, project, id)
		if err != nil || c.Plan == nil {
			return page, func(w *report.Writer) { w.Look(page) }, err
		}
		plan, err := v.Plan(p.ctx, project, id, *c.Plan)
		if errors.Is(err, view.ErrNotFound) {
			err = fmt.Errorf("--plan is %d: the request has %s", *c.Plan, plans(page))
		}
		return plan, func(w *report.Writer) { w.Plan(plan) }, err
	})
}

// plans says which numbers there are.
func plans(l *view.Look) string {
	if n := l.Counts.Arrived + l.Counts.Nested; n > 0 {
		return fmt.Sprintf("statements from 1 to %d", n)
	}
	return "no statement"
}
