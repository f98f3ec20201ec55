// Package rollup sums records up by the hour and the day of each route and statement, and by the minute, so that a page
// reads some thousand rows instead of the records of a week.
//
// Derive tells in which cells a record counts. Deltas holds what is not written yet, and Batch.Apply adds it to what a
// store has. Everything is integers, merged by operations that commute: records in any grouping, with flushes that fail
// and crashes between them, come to the same bytes as all of them at once, in the order of their ids.
package rollup

import (
	"math"
	"unicode/utf8"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/statement"
)

const (
	php      = "php_agent"
	postgres = "postgres_agent"
	snapshot = "pg_stat_statements" // the kind of a record that is no execution

	maxText   = 4 << 10 // bytes of a point's text
	maxMicros = 1 << 50 // of one duration, 35 years: what is longer counts as that
	untimed   = -1      // the Micros of a record without a duration
)

// Span is a length of time that figures are kept by, in seconds. Spans begin at whole ones in UTC.
type Span int64

// The spans.
const (
	Minute Span = 60
	Hour   Span = 60 * Minute
	Day    Span = 24 * Hour
)

// Start returns the start of the span that a time lies in, both in Unix seconds.
func (s Span) Start(seconds int64) int64 { return seconds - seconds%int64(s) }

// Series is what is summed up apart from everything else: the routes or the statements of one project.
type Series struct {
	Project string
	Source  string // php_agent: its keys are routes; postgres_agent: statements
}

// Point is what the rollups take from one record.
type Point struct {
	Series
	Key    string // route.Key or statement.Key; "" for a record that counts in no rollup
	Text   string // the name of the route, or the statement as it was sent, of which 4 KB
	Time   int64  // when it began: Unix seconds
	Micros int64  // how long it took: µs, negative when that is not known
}

// Derive returns the point of a record, stored or not: its payload is not read. A snapshot of pg_stat_statements, which is
// no execution, counts in no rollup.
func Derive(r *record.Record) Point {
	p := Point{Series: Series{r.Project, r.Source}, Time: r.Timestamp / 1e6, Micros: micros(r.DurationMS)}
	switch r.Source {
	case php:
		var name string
		for key, value := range record.Members(r.Attributes) {
			if string(key) == "route" {
				name = record.Text(value)
			}
		}
		p.Text = route.Name(name, r.Name)
		p.Key = route.Key(p.Text)
	case postgres:
		var queryID, kind string
		nested := false
		for key, value := range record.Members(r.Attributes) { // of equal names the last counts, as in encoding/json
			switch string(key) {
			case "query_id":
				if queryID = string(value); value[0] == '"' {
					queryID = record.Text(value)
				}
			case "nested":
				nested = string(value) == "true"
			case "kind":
				kind = record.Text(value)
			}
		}
		if kind != snapshot {
			p.Text = clip(r.Name)
			p.Key = statement.Key(queryID, nested, r.Name)
		}
	}
	return p
}

// micros returns a duration as whole microseconds.
func micros(ms *float64) int64 {
	if ms == nil {
		return untimed
	}
	return int64(math.Round(min(max(0, *ms)*1000, maxMicros)))
}

// clip cuts a text between two characters.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
