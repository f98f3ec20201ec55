// Package view fills what a page shows: one struct a page, which HTML, JSON and the command line render, and one method of
// Views that reads it from a Store.
//
// What is shown is masked unless Views.Values says otherwise. A figure that is not known is absent, never 0. The package
// knows no HTTP and no SQL.
package view

import (
	"context"
	"errors"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/store"
)

// ErrNotFound is the error of a view of something that is not there.
var ErrNotFound = errors.New("nothing is stored under this")

// Sources of records.
const (
	PHP      = "php_agent"
	Postgres = "postgres_agent"
)

// Views fill the pages.
type Views struct {
	Store Store
	Now   func() time.Time
	// Retention is how long records are kept; no span reaches behind it, though figures by the day live longer. 0: as long
	// as somebody asks.
	Retention time.Duration
	Values    bool // show literals, values of query strings and secrets
}

// Span is what a list is of.
type Span struct {
	From look.Timestamp `json:"from"`
	To   look.Timestamp `json:"to"`
}

// until returns the span that ends now.
func (v *Views) until(since time.Duration) Span {
	now := v.Now()
	if v.Retention > 0 {
		since = min(since, v.Retention)
	}
	return Span{look.Timestamp{Time: now.Add(-since)}, look.Timestamp{Time: now}}
}

// uri returns what was asked for as it may be shown.
func (v *Views) uri(name string) string {
	if !v.Values {
		name = mask.URI(name)
	}
	return clip(name)
}

// sql returns a statement as it may be shown. What is cut off is masked behind the cut: a literal cut in two is masked to
// its end.
func (v *Views) sql(text string) string {
	cut := clip(text)
	if v.Values {
		return cut
	}
	if cut != text {
		return statement.Mask(cut[:len(cut)-len("…")]) + "…"
	}
	return statement.Mask(cut)
}

// routeOf returns the name of a route as it may be shown, and its key.
func (v *Views) routeOf(page *store.Entry) (name, key string) {
	named := attributesOf(page).text("route")
	name = route.Name(named, page.Name)
	key = route.Key(name)
	if named == "" {
		name = v.uri(name) // a command's arguments, and what follows /reset/, are no names
	}
	return name, key
}

// Look returns the look of one request.
func (v *Views) Look(ctx context.Context, project, id string) (*Look, error) {
	entries, err := v.records(ctx, project, id)
	if err != nil {
		return nil, err
	}
	l := look.New(entries, v.Now(), look.Options{Values: v.Values})
	if l == nil {
		return nil, ErrNotFound
	}
	return &Look{l}, nil
}

// Look is one request.
type Look struct{ *look.Look }
