package main

import (
	"time"

	"github.com/bitville/listener/localdev/report"
)

type routesCommand struct {
	Since span `default:"24h" help:"How far back: 30m, 24h, 7d."`
	list
}

// Help is what listener routes -help says more.
func (routesCommand) Help() string {
	return `It lists the routes of a project, the one that took most time first. For example:

  listener routes shop --since 7d`
}

// Run runs the command.
func (c routesCommand) Run(p program) error {
	return c.run(p, func(v views, project string) (listing, error) {
		page, err := v.Routes(p.ctx, project, time.Duration(c.Since), c.Limit)
		if err != nil {
			return listing{}, err
		}
		return listing{page, len(page.Routes), func(w *report.Writer) { w.Routes(page) }}, nil
	})
}
