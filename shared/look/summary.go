package look

import (
	"time"

	"github.com/bitville/listener/shared/store"
)

// Summary is what a list says of one request.
type Summary struct {
	Statements int      `json:"statements"` // that came, nested ones not counted
	PostgresMS *float64 `json:"postgres_ms,omitzero"`
	GapMS      *float64 `json:"gap_ms,omitzero"`
	Marks      []string `json:"marks"` // kinds of findings: gap, repeated, missing_half
}

// Summarize computes the summary of the records that one project has under one correlation id, from everything but
// their payloads: those may be left out. So a gap is known only where the agent sends queries and db_ms, kinds of
// findings about plans are not among the marks, and each plan is taken for one with ANALYZE.
func Summarize(entries []store.Entry, now time.Time) Summary {
	r := sortOut(entries)
	l := &Look{}
	if r.page != nil {
		l.DurationMS = r.page.ms
	}
	l.measure(&r)
	s := Summary{Statements: l.Counts.Arrived, PostgresMS: l.Time.PostgresMS, GapMS: l.Time.GapMS, Marks: []string{}}
	rest := spare(&r, l.Time.GapMS)
	if largeGap(rest, l.DurationMS, l.Time.DatabaseMS) {
		s.Marks = append(s.Marks, "gap")
	}
	groups := make(map[group][]*half)
	for _, h := range r.statements {
		groups[h.group] = append(groups[h.group], h)
	}
	for g, all := range groups {
		if repeated(g, all, rest, l.Counts.Arrived, l.DurationMS) != nil {
			s.Marks = append(s.Marks, "repeated")
			break
		}
	}
	if r.missing(l.Counts.Announced, now) != nil {
		s.Marks = append(s.Marks, "missing_half")
	}
	return s
}
