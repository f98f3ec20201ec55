package view

import (
	"context"
	"time"

	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
)

// Store is what views read. Each read is bounded and none waits for a writer. Spans are from a time, which is in them, to a
// time, which is not; records count by when they began. Entries come without Payload except from Records. Snapshots of
// pg_stat_statements are in nothing but Records.
type Store interface {
	// Projects returns the projects that have records, by name. The figures are those of the span.
	Projects(ctx context.Context, from, to time.Time) ([]ProjectCount, error)

	// Minutes returns the minutes of the span that have records, in order.
	Minutes(ctx context.Context, series rollup.Series, from, to time.Time) ([]rollup.Tally, error)

	// Latest returns PHP's last records that began before a time, the latest first.
	Latest(ctx context.Context, project string, before time.Time, limit int) ([]store.Entry, error)

	// Slowest returns PHP's records that took longest, the slowest first, of one route or of all ("").
	Slowest(ctx context.Context, project string, from, to time.Time, routeKey string, limit int) (Slowest, error)

	// RecordsOf returns both halves of several requests, in any order: all in one read.
	RecordsOf(ctx context.Context, project string, correlationIDs []string) ([]store.Entry, error)

	// Groups returns the routes (php_agent) or statements (postgres_agent) that have records in the span, in any order.
	Groups(ctx context.Context, series rollup.Series, from, to time.Time) (Groups, error)

	// Hours returns the hours of one route or statement that have records, in order, and the text of the key; none when
	// there is no such key.
	Hours(ctx context.Context, series rollup.Series, key string, from, to time.Time) (Hours, error)

	// Exemplars returns the records that rollup.Exemplar names by their ids, in any order. Those that are purged are missing.
	Exemplars(ctx context.Context, project string, ids []int64) ([]store.Entry, error)

	// Records returns what a project has under one correlation id, payloads and CreatedAt too, in order of their
	// timestamps.
	Records(ctx context.Context, project, correlationID string) ([]store.Entry, error)

	// ProjectsOf returns the projects that have records under one correlation id, by name.
	ProjectsOf(ctx context.Context, correlationID string) ([]string, error)
}

// ProjectCount is one project and how many records it has in a span.
type ProjectCount struct {
	Project              string
	Requests, Statements int64
}

// Slowest is a list of the slowest requests.
type Slowest struct {
	Requests []store.Entry
	Exact    bool // false: at least the five slowest of each route and hour
}

// Group is the figures of one route or statement in a span.
type Group struct {
	Key  string // rollup.Other for those beyond the cap
	Text string // as it was sent
	Cell rollup.Cell
}

// Groups are the figures of a span.
type Groups struct {
	Groups []Group
	From   time.Time // where the figures begin: at most an hour before the span that was asked for
	Behind int64     // about how many records are not counted yet
}

// Hours are the figures of one route or statement, by the hour.
type Hours struct {
	Text   string // as it was sent
	Hours  []Hour
	Behind int64
}

// Hour is one of Hours.
type Hour struct {
	Start time.Time
	Cell  rollup.Cell
}
