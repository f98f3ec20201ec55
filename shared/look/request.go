package look

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/store"
)

const (
	php      = "php_agent"
	postgres = "postgres_agent"
	snapshot = "pg_stat_statements" // the kind of a record that is no execution
)

// request is the records of one id, sorted out.
type request struct {
	page       *half   // PHP's record, the longest of several; may be nil
	others     []*half // the other PHP records
	statements []*half // in order of start; the n-th is that at n-1

	profile *profile.Profile // of the page; nil without a page, and for a summary
}

// half is one record with what its attributes say.
type half struct {
	*store.Entry
	attributes attributes
	ms         *float64 // DurationMS, rounded

	// Of a statement:
	n        int // its place in order of start, from 1
	group    group
	line     int // of the log, 0 where it is not known
	session  string
	plan     *plan.Plan // until it is known which are shown; nil when it was not read
	analyzed bool       // ANALYZE ran, or may have
}

// group tells which statements are one.
type group struct {
	key    string
	nested bool // ran within another statement, whose time contains it
}

// sortOut tells the records apart.
func sortOut(entries []store.Entry) (r request) {
	for i := range entries {
		h := &half{Entry: &entries[i], attributes: parseAttributes(entries[i].Attributes), analyzed: true}
		if h.DurationMS != nil {
			h.ms = known(*h.DurationMS)
		}
		a := h.attributes
		switch {
		case h.Source == php && (r.page == nil || cmp.Compare(value(h.ms), value(r.page.ms)) > 0):
			if r.page != nil {
				r.others = append(r.others, r.page)
			}
			r.page = h
		case h.Source == php:
			r.others = append(r.others, h)
		case h.Source == postgres && a.text("kind") != snapshot:
			nested := a.is("nested")
			h.group = group{statement.Key(a.id("query_id"), nested, h.Name), nested}
			h.session = a.text("session_id")
			if h.line, _ = a.count("line_num"); h.line == 0 {
				h.line, _ = a.count("log_line")
			}
			r.statements = append(r.statements, h)
		}
	}
	// A start is the log's stamp, which is cut to the millisecond, less the duration: within a millisecond only the log's
	// lines tell the order.
	slices.SortStableFunc(r.statements, func(a, b *half) int {
		return cmp.Or(cmp.Compare(a.Timestamp.UnixMilli(), b.Timestamp.UnixMilli()), strings.Compare(a.session, b.session),
			cmp.Compare(a.line, b.line), a.Timestamp.Compare(b.Timestamp))
	})
	for i, h := range r.statements {
		h.n = i + 1
	}
	return r
}

// Statements returns the statements of a request in order of start: the n-th, as a look counts them, is at n-1.
func Statements(entries []store.Entry) []store.Entry {
	sorted := sortOut(entries).statements
	found := make([]store.Entry, len(sorted))
	for i, h := range sorted {
		found[i] = *h.Entry
	}
	return found
}

// value is -1 for what is not known.
func value(ms *float64) float64 {
	if ms == nil {
		return -1
	}
	return *ms
}

// reads tells whether a statement only reads: its first word is SELECT.
func reads(text string) bool {
	text = strings.TrimLeft(statement.Mask(clip(text, maxTextBytes)), "( \t\r\n")
	return len(text) > 6 && strings.EqualFold(text[:6], "select")
}

// readPlans reads the plans, those of the longest statements first.
func (l *Look) readPlans(r *request) {
	byTime := slices.Clone(r.statements)
	slices.SortStableFunc(byTime, func(a, b *half) int { return cmp.Compare(value(b.ms), value(a.ms)) })
	bytes, left := 0, 0
	for i, h := range byTime {
		if bytes += len(h.Payload); i >= maxPlans || bytes > maxPlanBytes {
			bytes -= len(h.Payload)
			left++
			continue
		}
		h.plan = plan.Parse([]byte(h.Payload))
		h.analyzed = slices.ContainsFunc(h.plan.Nodes, func(n plan.Node) bool { return n.Analyzed })
	}
	if left > 0 {
		l.note("%s plans of the shortest statements are not read here.", count(left))
	}
}
