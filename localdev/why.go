package main

import "github.com/bitville/listener/localdev/report"

type whyCommand struct{ request }

// Help is what listener why -help says more.
func (whyCommand) Help() string {
	return `It prints what made a request slow: where its time went, and what to do. For example:

  listener why d37cc455-87f5-457f-b02d-86776b296414`
}

// Run runs the command.
func (c whyCommand) Run(p program) error {
	return c.run(p, func(v views, project, id string) (any, func(*report.Writer), error) {
		page, err := v.Look(p.ctx, project, id)
		return page, func(w *report.Writer) { w.Why(page) }, err
	})
}
