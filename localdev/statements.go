package main

import (
	"time"

	"github.com/bitville/listener/localdev/report"
)

type statementsCommand struct {
	Since span `default:"24h" help:"How far back: 30m, 24h, 7d."`
	list
}

// Help is what listener statements -help says more.
func (statementsCommand) Help() string {
	return `It lists the statements of a project, the one that took Postgres most time first. For example:

  listener statements shop --since 7d --limit 50`
}

// Run runs the command.
func (c statementsCommand) Run(p program) error {
	return c.run(p, func(v views, project string) (listing, error) {
		page, err := v.Statements(p.ctx, project, time.Duration(c.Since), c.Limit)
		if err != nil {
			return listing{}, err
		}
		return listing{page, len(page.Statements), func(w *report.Writer) { w.Statements(page) }}, nil
	})
}
