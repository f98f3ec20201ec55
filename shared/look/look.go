// Package look lays both halves of one request side by side: PHP's record and the statements that it ran in Postgres.
// It computes where the time went, what is wrong, in which order, and what is missing.
//
// The records come from strangers, and either half may be missing: New never fails. A figure that is not known is
// absent, never 0, no figure is negative, and each says where it came from. The package knows no HTTP and no SQL.
package look

import (
	"time"

	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/store"
)

// What a look lists at most. It counts, and says, what it leaves out.
const (
	maxFindings   = 12
	maxGroups     = 500
	maxExecutions = 1_000
	maxLanes      = 50
	maxBlocks     = 1_000
	maxFunctions  = 50
	maxSteps      = 50
	maxOthers     = 10
	maxAttributes = 100
	maxPlans      = 1_000    // plans that are read: those of the longest statements
	maxPlanBytes  = 6 << 20  // bytes of them: some 80 ms
	maxTextBytes  = 4 << 10  // of one statement, attribute or name
	maxTexts      = 64 << 10 // of all statements; behind it each has shortText
	shortText     = 200
)

// Options choose what is shown.
type Options struct {
	Values bool // show literals, values of query strings and secrets, which are masked otherwise
}

// Look is one request as a page, JSON or a terminal shows it. Times are milliseconds, rounded to the microsecond.
type Look struct {
	CorrelationID string    `json:"correlation_id"`
	Project       string    `json:"project"`
	StartedAt     Timestamp `json:"started_at"` // of PHP's record; without one, of the first statement
	Name          string    `json:"name,omitzero"`
	Route         string    `json:"route,omitzero"`
	RouteKey      string    `json:"route_key,omitzero"`
	DurationMS    *float64  `json:"duration_ms,omitzero"`

	Time    Time      `json:"time"`
	Bar     []Segment `json:"bar"` // what Time says, from left to right
	Verdict string    `json:"verdict"`

	Findings        []Finding `json:"findings"`                   // those that explain most come first
	FindingsLeftOut int       `json:"findings_left_out,omitzero"` // smaller ones
	Counts          Counts    `json:"counts"`
	Missing         []string  `json:"missing"` // "php", "postgres": nothing of that half came within a minute
	Notes           []string  `json:"notes"`   // sentences: what is missing, left out or assumed

	Timeline          Timeline    `json:"timeline"`
	Statements        []Statement `json:"statements"` // most time first
	StatementsLeftOut int         `json:"statements_left_out,omitzero"`
	Profile           *Profile    `json:"profile,omitzero"`

	Attributes []Attribute `json:"attributes"`     // the other fields of PHP's record, by name
	Other      []Page      `json:"other,omitzero"` // other PHP records under the same id, which are shorter
}

// Page is a PHP record that the look is not of.
type Page struct {
	StartedAt  Timestamp `json:"started_at"`
	Name       string    `json:"name"`
	DurationMS *float64  `json:"duration_ms,omitzero"`
}

// Timestamp is a time that JSON has as RFC 3339 in UTC with microseconds.
type Timestamp struct{ time.Time }

// String returns what MarshalJSON writes, without the quotes.
func (t Timestamp) String() string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// New computes the look of the records that one project has under one correlation id. It returns nil when none of
// them is of a request: rows of pg_stat_statements are not. now decides whether something is missing or on its way.
func New(entries []store.Entry, now time.Time, options Options) *Look {
	r := sortOut(entries)
	if r.page == nil && len(r.statements) == 0 {
		return nil
	}
	l := &Look{Findings: []Finding{}, Missing: []string{}, Notes: []string{}, Attributes: []Attribute{}, Statements: []Statement{}}
	first := r.page
	if first == nil {
		first = r.statements[0]
	}
	l.CorrelationID, l.Project, l.StartedAt = first.CorrelationID, first.Project, Timestamp{first.Timestamp}
	if r.page != nil {
		l.describe(&r, options)
	}
	l.readPlans(&r)
	l.measure(&r)
	l.bar()
	l.group(&r, options)
	l.timeline(&r)
	l.complete(&r, now)
	l.find(&r)
	l.conclude(&r)
	return l
}

// describe fills what PHP's record says of itself.
func (l *Look) describe(r *request, options Options) {
	p := r.page
	uri := func(name string) string {
		if !options.Values {
			name = mask.URI(name)
		}
		return clip(name, maxTextBytes)
	}
	l.Name, l.DurationMS = uri(p.Name), p.ms
	named := p.attributes.text("route")
	l.Route = route.Name(named, p.Name)
	l.RouteKey = route.Key(l.Route)
	if named == "" {
		l.Route = uri(l.Route) // a command's arguments, and what follows /reset/, are no names
	}
	l.list(p.attributes, options)
	l.readProfile(r, options)
	if p.attributes.is("truncated") {
		l.note("The PHP agent cut this record.")
	}
	for _, o := range r.others[:min(len(r.others), maxOthers)] {
		l.Other = append(l.Other, Page{Timestamp{o.Timestamp}, uri(o.Name), o.ms})
	}
	if n := len(r.others); n > 0 {
		l.note("%s other PHP %s this id: this is the longest, and the statements may belong to any.", count(n), plural(n, "record has", "records have"))
	}
}
