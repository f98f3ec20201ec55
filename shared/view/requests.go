package view

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/store"
)

// Request is one request of a list. What it says beside the page's own record is from both halves, without their payloads.
type Request struct {
	CorrelationID string         `json:"correlation_id"`
	StartedAt     look.Timestamp `json:"started_at"`
	Name          string         `json:"name"`
	Route         string         `json:"route"`
	RouteKey      string         `json:"route_key"`
	DurationMS    *float64       `json:"duration_ms,omitzero"`
	look.Summary
}

// Requests are the slowest requests of a span.
type Requests struct {
	Project string `json:"project"`
	Span
	Route    string    `json:"route,omitzero"` // when the list is of one
	RouteKey string    `json:"route_key,omitzero"`
	Exact    bool      `json:"exact"`           // false: at least the five slowest of each route and hour
	Behind   int64     `json:"behind,omitzero"` // about how many records are not counted yet
	Requests []Request `json:"requests"`
}

// Requests returns the slowest requests of a project, of one route or of all ("").
func (v *Views) Requests(ctx context.Context, project string, since time.Duration, routeKey string, limit int) (*Requests, error) {
	span := v.until(since)
	found, err := v.Store.Slowest(ctx, project, span.From.Time, span.To.Time, routeKey, limit)
	if err != nil {
		return nil, fmt.Errorf("read the slowest requests: %w", err)
	}
	list, _, err := v.requests(ctx, project, found.Requests)
	if err != nil {
		return nil, err
	}
	page := &Requests{Project: project, Span: span, RouteKey: routeKey, Exact: found.Exact, Behind: found.Behind, Requests: list}
	if routeKey != "" && len(list) > 0 {
		page.Route = list[0].Route
	}
	return page, nil
}

// requests lists PHP's records, each id once, and returns both halves of each by id.
func (v *Views) requests(ctx context.Context, project string, pages []store.Entry) ([]Request, map[string][]store.Entry, error) {
	var ids []string
	for _, p := range pages {
		if !slices.Contains(ids, p.CorrelationID) {
			ids = append(ids, p.CorrelationID)
		}
	}
	records := make(map[string][]store.Entry, len(ids))
	if len(ids) > 0 {
		all, err := v.Store.RecordsOf(ctx, project, ids)
		if err != nil {
			return nil, nil, fmt.Errorf("read the statements of the requests: %w", err)
		}
		for _, e := range all {
			records[e.CorrelationID] = append(records[e.CorrelationID], e)
		}
	}
	list := make([]Request, 0, len(ids))
	for i := range pages {
		p := &pages[i]
		if len(list) == len(ids) || p.CorrelationID != ids[len(list)] {
			continue
		}
		r := Request{CorrelationID: p.CorrelationID, StartedAt: stamp(p.Timestamp), Name: v.uri(p.Name), DurationMS: rounded(p.DurationMS)}
		r.Route, r.RouteKey = v.routeOf(p)
		r.Summary = look.Summarize(records[p.CorrelationID], v.Now())
		list = append(list, r)
	}
	return list, records, nil
}

// records returns what is stored under an id.
func (v *Views) records(ctx context.Context, project, id string) ([]store.Entry, error) {
	entries, err := v.Store.Records(ctx, project, id)
	if err != nil {
		return nil, fmt.Errorf("read the records of a request: %w", err)
	}
	if len(entries) == 0 {
		return nil, ErrNotFound
	}
	return entries, nil
}
