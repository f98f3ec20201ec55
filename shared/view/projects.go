package view

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/rollup"
)

const (
	day          = 24 * time.Hour
	halvesOf     = 100             // requests by which a project is judged
	halvesSettle = 2 * time.Minute // for which the other half of a request may be on its way
	shortList    = 10
	latestList   = 5
)

// Projects are those that a reader may see. The figures are of the last 24 hours.
type Projects struct {
	Projects []Project `json:"projects"`
}

// Project is one of them.
type Project struct {
	Project    string   `json:"project"`
	Requests   int64    `json:"requests"`
	Statements int64    `json:"statements"`
	BothHalves *float64 `json:"both_halves,omitzero"` // of its last 100 requests: those with every statement, 0 to 1
}

// Projects returns the projects that sees allows.
func (v *Views) Projects(ctx context.Context, sees func(project string) bool) (*Projects, error) {
	span := v.until(day)
	found, err := v.Store.Projects(ctx, span.From.Time, span.To.Time)
	if err != nil {
		return nil, fmt.Errorf("read the projects: %w", err)
	}
	page := &Projects{Projects: []Project{}}
	for _, p := range found {
		if !sees(p.Project) {
			continue
		}
		one := Project{Project: p.Project, Requests: p.Requests, Statements: p.Statements}
		if one.BothHalves, err = v.bothHalves(ctx, p.Project); err != nil {
			return nil, err
		}
		page.Projects = append(page.Projects, one)
	}
	return page, nil
}

// bothHalves is nil for a project without a request that has settled.
func (v *Views) bothHalves(ctx context.Context, project string) (*float64, error) {
	pages, err := v.Store.Latest(ctx, project, v.Now().Add(-halvesSettle), halvesOf)
	if err != nil {
		return nil, fmt.Errorf("read the latest requests: %w", err)
	}
	list, _, err := v.requests(ctx, project, pages)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	whole := 0
	for _, r := range list {
		if !slices.Contains(r.Marks, "missing_half") {
			whole++
		}
	}
	share := float64(whole) / float64(len(list))
	return &share, nil
}

// Overview is one project at a glance: the last 24 hours.
type Overview struct {
	Project
	Span
	Minutes       []Minute  `json:"minutes"` // those that have records
	Slowest       []Request `json:"slowest_requests"`
	Exact         bool      `json:"exact"` // see Requests
	Latest        []Request `json:"latest_requests"`
	TopStatements []Row     `json:"top_statements"`  // by time spent
	Behind        int64     `json:"behind,omitzero"` // about how many records are not counted yet
}

// Minute counts the records that began in it.
type Minute struct {
	Start      look.Timestamp `json:"start"`
	Requests   int64          `json:"requests"`
	Statements int64          `json:"statements"`
}

// Overview returns a project's overview. One without records is a page too: it says how to send the first.
func (v *Views) Overview(ctx context.Context, project string) (*Overview, error) {
	span := v.until(day)
	page := &Overview{Project: Project{Project: project}, Span: span, Minutes: []Minute{}}
	var err error
	if page.BothHalves, err = v.bothHalves(ctx, project); err != nil {
		return nil, err
	}
	if err := v.minutes(ctx, page); err != nil {
		return nil, err
	}
	slowest, err := v.Requests(ctx, project, day, "", shortList)
	if err != nil {
		return nil, err
	}
	page.Slowest, page.Exact = slowest.Requests, slowest.Exact
	pages, err := v.Store.Latest(ctx, project, span.To.Add(time.Hour), latestList) // a client's clock may be ahead
	if err != nil {
		return nil, fmt.Errorf("read the latest requests: %w", err)
	}
	if page.Latest, _, err = v.requests(ctx, project, pages); err != nil {
		return nil, err
	}
	groups, err := v.Store.Groups(ctx, rollup.Series{Project: project, Source: Postgres}, span.From.Time, span.To.Time)
	if err != nil {
		return nil, fmt.Errorf("read the statements: %w", err)
	}
	page.TopStatements, _ = v.rows(Postgres, groups.Groups, shortList)
	page.Behind = groups.Behind
	return page, nil
}

func (v *Views) minutes(ctx context.Context, page *Overview) error {
	at := map[int64]*Minute{}
	for _, source := range []string{PHP, Postgres} {
		tallies, err := v.Store.Minutes(ctx, rollup.Series{Project: page.Project.Project, Source: source}, page.From.Time, page.To.Time)
		if err != nil {
			return fmt.Errorf("read the minutes: %w", err)
		}
		for _, t := range tallies {
			m := at[t.Minute]
			if m == nil {
				m = &Minute{Start: stamp(time.Unix(t.Minute, 0))}
				at[t.Minute] = m
			}
			if source == PHP {
				m.Requests += t.Count
				page.Requests += t.Count
			} else {
				m.Statements += t.Count
				page.Statements += t.Count
			}
		}
	}
	for _, m := range at {
		page.Minutes = append(page.Minutes, *m)
	}
	slices.SortFunc(page.Minutes, func(a, b Minute) int { return a.Start.Compare(b.Start.Time) })
	return nil
}
