package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/store"
)

// exemplars is of how many requests a page of one route or statement tells what runs what.
const exemplars = 50

// Routes are a project's routes, most time spent first.
type Routes struct {
	Project string `json:"project"`
	Span
	Behind  int64 `json:"behind,omitzero"` // about how many records are not counted yet
	Routes  []Row `json:"routes"`
	LeftOut int   `json:"left_out,omitzero"`
}

// Statements are a project's statements, most time spent first.
type Statements struct {
	Project string `json:"project"`
	Span
	Behind     int64 `json:"behind,omitzero"` // about how many records are not counted yet
	Statements []Row `json:"statements"`
	LeftOut    int   `json:"left_out,omitzero"`
}

// Routes returns the routes of a span.
func (v *Views) Routes(ctx context.Context, project string, since time.Duration, limit int) (*Routes, error) {
	span, groups, err := v.groups(ctx, project, PHP, since)
	if err != nil {
		return nil, err
	}
	page := &Routes{Project: project, Span: span, Behind: groups.Behind}
	page.Routes, page.LeftOut = v.rows(PHP, groups.Groups, limit)
	return page, nil
}

// Statements returns the statements of a span.
func (v *Views) Statements(ctx context.Context, project string, since time.Duration, limit int) (*Statements, error) {
	span, groups, err := v.groups(ctx, project, Postgres, since)
	if err != nil {
		return nil, err
	}
	page := &Statements{Project: project, Span: span, Behind: groups.Behind}
	page.Statements, page.LeftOut = v.rows(Postgres, groups.Groups, limit)
	return page, nil
}

func (v *Views) groups(ctx context.Context, project, source string, since time.Duration) (Span, Groups, error) {
	span := v.until(since)
	groups, err := v.Store.Groups(ctx, rollup.Series{Project: project, Source: source}, span.From.Time, span.To.Time)
	if err != nil {
		return span, groups, fmt.Errorf("read the figures by key: %w", err)
	}
	if !groups.From.IsZero() {
		span.From = stamp(groups.From)
	}
	return span, groups, nil
}

// Route is one route: its hours, its slowest requests, and the statements that these ran.
type Route struct {
	Project string `json:"project"`
	Span
	Key    string `json:"key"`
	Route  string `json:"route"`
	Behind int64  `json:"behind,omitzero"` // about how many records are not counted yet
	Figures
	Hours      []Hourly  `json:"hours"`
	Slowest    []Request `json:"slowest_requests"`
	Exact      bool      `json:"exact"`      // see Requests
	Statements []Use     `json:"statements"` // of the slowest requests, most time first
}

// Use says how often something ran something else, in a sample of requests.
type Use struct {
	Key      string   `json:"key"`
	Route    string   `json:"route,omitzero"`
	Text     string   `json:"text,omitzero"`
	Requests int      `json:"requests"` // of the sample, that have it
	Count    int      `json:"count"`    // executions
	TotalMS  *float64 `json:"total_ms,omitzero"`
}

// Route returns one route.
func (v *Views) Route(ctx context.Context, project, key string, since time.Duration) (*Route, error) {
	span := v.until(since)
	hours, err := v.hours(ctx, project, PHP, key, span)
	if err != nil {
		return nil, err
	}
	page := &Route{Project: project, Span: span, Key: key, Route: v.uri(hours.Text), Behind: hours.Behind}
	page.Hours, page.Figures, _ = hourly(hours.Hours)
	slowest, err := v.Store.Slowest(ctx, project, span.From.Time, span.To.Time, key, exemplars)
	if err != nil {
		return nil, fmt.Errorf("read the slowest requests: %w", err)
	}
	list, records, err := v.requests(ctx, project, slowest.Requests)
	if err != nil {
		return nil, err
	}
	page.Slowest, page.Exact = list[:min(len(list), shortList)], slowest.Exact
	if len(list) > 0 {
		page.Route = list[0].Route
	}
	page.Statements = v.statementsOf(records)
	return page, nil
}

func (v *Views) hours(ctx context.Context, project, source, key string, span Span) (Hours, error) {
	hours, err := v.Store.Hours(ctx, rollup.Series{Project: project, Source: source}, key, span.From.Time, span.To.Time)
	if err != nil {
		return hours, fmt.Errorf("read the hours of a key: %w", err)
	}
	if len(hours.Hours) == 0 {
		return hours, ErrNotFound
	}
	return hours, nil
}

// statementsOf sums up what some requests ran.
func (v *Views) statementsOf(records map[string][]store.Entry) []Use {
	uses := map[string]*Use{}
	for _, all := range records {
		seen := map[string]bool{}
		for i := range all {
			e := &all[i]
			if e.Source != Postgres {
				continue
			}
			key := statementKey(e)
			u := uses[key]
			if u == nil {
				u = &Use{Key: key, Text: v.sql(e.Name)}
				uses[key] = u
			}
			u.add(e, seen)
		}
	}
	return sortUses(uses)
}

func (u *Use) add(e *store.Entry, seen map[string]bool) {
	u.Count++
	if !seen[u.Key] {
		seen[u.Key] = true
		u.Requests++
	}
	if e.DurationMS != nil {
		sum := value(u.TotalMS) + *e.DurationMS
		u.TotalMS = rounded(&sum)
	}
}

func sortUses(uses map[string]*Use) []Use {
	list := make([]Use, 0, len(uses))
	for _, u := range uses {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b Use) int {
		return cmp.Or(cmp.Compare(value(b.TotalMS), value(a.TotalMS)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), exemplars)]
}

// Statement is one statement: its hours, its slowest executions, and the routes that ran these.
type Statement struct {
	Project string `json:"project"`
	Span
	Key    string `json:"key"`
	Text   string `json:"text"`
	Behind int64  `json:"behind,omitzero"` // about how many records are not counted yet
	Figures
	Hours   []Hourly `json:"hours"`
	Slowest []Run    `json:"slowest"` // of each hour the five slowest at most
	Routes  []Use    `json:"routes"`  // that ran the slowest ones
}

// Run is one execution of a statement.
type Run struct {
	CorrelationID string         `json:"correlation_id"`
	StartedAt     look.Timestamp `json:"started_at"`
	DurationMS    *float64       `json:"duration_ms,omitzero"`
	Name          string         `json:"name,omitzero"` // of the page that ran it
	Route         string         `json:"route,omitzero"`
	RouteKey      string         `json:"route_key,omitzero"`
}

// Statement returns one statement.
func (v *Views) Statement(ctx context.Context, project, key string, since time.Duration) (*Statement, error) {
	span := v.until(since)
	hours, err := v.hours(ctx, project, Postgres, key, span)
	if err != nil {
		return nil, err
	}
	page := &Statement{Project: project, Span: span, Key: key, Text: v.sql(hours.Text), Behind: hours.Behind, Slowest: []Run{}, Routes: []Use{}}
	page.Hours, page.Figures, _ = hourly(hours.Hours)
	var slowest []rollup.Exemplar
	for i := range hours.Hours {
		slowest = append(slowest, hours.Hours[i].Cell.Slowest()...)
	}
	slices.SortFunc(slowest, func(a, b rollup.Exemplar) int {
		return cmp.Or(cmp.Compare(b.Micros, a.Micros), cmp.Compare(a.ID, b.ID))
	})
	var ids []int64
	for _, e := range slowest[:min(len(slowest), exemplars)] {
		ids = append(ids, e.ID)
	}
	return page, v.ran(ctx, page, ids)
}

// ran fills which executions were slowest and what ran them.
func (v *Views) ran(ctx context.Context, page *Statement, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	runs, err := v.Store.Exemplars(ctx, page.Project, ids)
	if err != nil {
		return fmt.Errorf("read the slowest executions: %w", err)
	}
	slices.SortFunc(runs, func(a, b store.Entry) int {
		return cmp.Or(cmp.Compare(value(b.DurationMS), value(a.DurationMS)), a.Timestamp.Compare(b.Timestamp))
	})
	var requests []string
	for _, r := range runs {
		if !slices.Contains(requests, r.CorrelationID) {
			requests = append(requests, r.CorrelationID)
		}
	}
	records, err := v.Store.RecordsOf(ctx, page.Project, requests)
	if err != nil {
		return fmt.Errorf("read the requests of the executions: %w", err)
	}
	pages := map[string]*store.Entry{}
	for i := range records {
		if e := &records[i]; e.Source == PHP {
			pages[e.CorrelationID] = e
		}
	}
	uses, seen := map[string]*Use{}, map[string]map[string]bool{}
	for i := range runs {
		r := &runs[i]
		run := Run{CorrelationID: r.CorrelationID, StartedAt: stamp(r.Timestamp), DurationMS: rounded(r.DurationMS)}
		if p := pages[r.CorrelationID]; p != nil {
			run.Name = v.uri(p.Name)
			run.Route, run.RouteKey = v.routeOf(p)
			if uses[run.RouteKey] == nil {
				uses[run.RouteKey] = &Use{Key: run.RouteKey, Route: run.Route}
			}
			if seen[r.CorrelationID] == nil {
				seen[r.CorrelationID] = map[string]bool{}
			}
			uses[run.RouteKey].add(r, seen[r.CorrelationID])
		}
		page.Slowest = append(page.Slowest, run)
	}
	page.Slowest = page.Slowest[:min(len(page.Slowest), 2*shortList)]
	page.Routes = sortUses(uses)
	return nil
}

// statementKey returns the key of a statement's record.
func statementKey(e *store.Entry) string {
	a := attributesOf(e)
	return statement.Key(a.id("query_id"), string(a["nested"]) == "true", e.Name)
}
