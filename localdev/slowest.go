package main

import (
	"time"

	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/route"
)

type slowestCommand struct {
	Since span   `default:"1h" help:"How far back: 30m, 24h, 7d."`
	Route string `help:"Only those of one route, by its name or key, such as /product/*."`
	list
}

// Help is what listener slowest -help says more.
func (slowestCommand) Help() string {
	return `It lists the slowest requests of a project: where the time of each went, and its id for listener why. For example:

  listener slowest shop --since 24h --route '/product/*'`
}

// Run runs the command.
func (c slowestCommand) Run(p program) error {
	return c.run(p, func(v views, project string) (listing, error) {
		page, err := v.Requests(p.ctx, project, time.Duration(c.Since), route.KeyOf(c.Route), c.Limit)
		if err != nil {
			return listing{}, err
		}
		return listing{page, len(page.Requests), func(w *report.Writer) { w.Requests(page) }}, nil
	})
}
