package look

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// When something is a finding.
const (
	gapShare      = 0.3 // of the request's time
	gapMS         = 20  // and that much
	repeats       = 5   // executions of one SELECT
	repeatedMS    = 10  // that PHP waited for them
	repeatedShare = 0.1 // or that share of the request's time
	loggingMS     = 0.5 // at most, for logging the plan of one statement with ANALYZE: not the application's fault
	patience      = time.Minute
)

// Finding says one thing that is wrong, or missing.
type Finding struct {
	Kind       string   `json:"kind"` // gap, repeated, missing_half, and the kinds of plan.Finding
	ExplainsMS *float64 `json:"explains_ms,omitzero"`
	Text       string   `json:"text"` // what was seen, a sentence with its figures; no literals
	Advice     string   `json:"advice,omitzero"`

	Statement     string `json:"statement,omitzero"`      // key of the statement that it is about
	StatementText string `json:"statement_text,omitzero"` // the beginning of its text, in one line
	Nested        bool   `json:"nested,omitzero"`         // of that statement
	Times         int    `json:"times,omitzero"`          // executions that show it
	Plan          int    `json:"plan,omitzero"`           // N of the one that shows it most
	Node          *int   `json:"node,omitzero"`           // of that plan, see plan.Finding; nil: the whole plan
	Level         int    `json:"level,omitzero"`          // of rows_off, see plan.Finding
}

// complete tells what is missing. Halves come one after the other: a minute after the last record nothing more is awaited.
func (l *Look) complete(r *request, now time.Time) {
	switch gone, derived := r.gone(now), r.derived(); {
	case r.page == nil && !derived && !gone:
		l.note("The page's record may still be on its way.")
	case r.page == nil && !derived:
		l.Missing = append(l.Missing, "php")
	case len(r.statements) == 0 && l.expected(1) && !gone, l.Counts.Announced != nil && l.Counts.Arrived < *l.Counts.Announced && !gone:
		l.note("Statements may still be on their way.")
	case len(r.statements) == 0 && l.expected(1):
		l.Missing = append(l.Missing, "postgres")
	}
	if f := r.missing(l.Counts.Announced, now); f != nil {
		l.Findings = append(l.Findings, *f)
	}
}

// expected tells whether n statements may have run, as far as PHP says.
func (l *Look) expected(n int) bool {
	return l.Counts.Announced == nil || *l.Counts.Announced >= n
}

// gone tells whether the last record came so long ago that nothing more is awaited.
func (r *request) gone(now time.Time) bool {
	var last time.Time
	for _, h := range r.statements {
		if came := h.came(); came.After(last) {
			last = came
		}
	}
	if r.page != nil && r.page.came().After(last) {
		last = r.page.came()
	}
	return now.Sub(last) >= patience
}

// came returns when a record was stored; in a list, which does not read that, when it began: an agent sends soon after.
func (h *half) came() time.Time {
	if h.CreatedAt.IsZero() {
		return h.Timestamp
	}
	return h.CreatedAt
}

// derived tells whether the Postgres agent made the id itself, since no request had caused the statements.
func (r *request) derived() bool {
	return !slices.ContainsFunc(r.statements, func(h *half) bool { return h.attributes.text("correlation") != "derived" })
}

// missing finds that fewer statements came than PHP announced, or no page.
func (r *request) missing(announced *int, now time.Time) *Finding {
	arrived := 0
	for _, h := range r.statements {
		if !h.group.nested {
			arrived++
		}
	}
	switch {
	case !r.gone(now):
	case r.page == nil && !r.derived():
		return &Finding{Kind: "missing_half", Text: statements(len(r.statements)) + " and no record of the page that ran " + plural(len(r.statements), "it.", "them."),
			Advice: "The PHP agent may not have chosen this request, or could not send its record."}
	case r.page != nil && announced != nil && *announced > 0 && arrived == 0:
		return &Finding{Kind: "missing_half", Text: fmt.Sprintf("PHP ran %s and none came.", statements(*announced)),
			Advice: "The Postgres agent may not run, or auto_explain.log_min_duration is above their durations."}
	case r.page != nil && announced != nil && arrived < *announced:
		return &Finding{Kind: "missing_half", Text: fmt.Sprintf("%s of %s came: those under log_min_duration are not logged.", count(arrived), statements(*announced)),
			Advice: "auto_explain.log_min_duration = 0 for the requests that the PHP agent chooses logs all of theirs."}
	}
	return nil
}

// find fills Findings.
func (l *Look) find(r *request) {
	rest := spare(r, l.Time.GapMS)
	if f := findGap(l, rest); f != nil {
		l.Findings = append(l.Findings, *f)
	}
	for i := range l.Statements {
		s := &l.Statements[i]
		found := s.findings()
		if f := repeated(s.group, s.all, rest, l.Counts.Arrived, l.DurationMS); f != nil {
			f.Plan = s.Slowest
			found = append(found, *f)
		}
		for _, f := range found {
			f.Statement, f.StatementText, f.Nested = s.Key, line(s.Text), s.Nested
			l.Findings = append(l.Findings, f)
			if !slices.Contains(s.Marks, f.Kind) {
				s.Marks = append(s.Marks, f.Kind)
			}
		}
		s.all = nil
	}
	slices.SortStableFunc(l.Findings, func(a, b Finding) int { return cmp.Compare(value(b.ExplainsMS), value(a.ExplainsMS)) })
	if n := len(l.Findings); n > maxFindings {
		l.Findings, l.FindingsLeftOut = l.Findings[:maxFindings], n-maxFindings
	}
	if n := len(l.Statements); n > maxGroups {
		l.Statements, l.StatementsLeftOut = l.Statements[:maxGroups], n-maxGroups
	}
}

// spare is the gap less what logging the plans may have taken of it, nil when the gap is not known.
func spare(r *request, gap *float64) *float64 {
	if gap == nil {
		return nil
	}
	rest := *gap
	for _, h := range r.statements {
		if h.analyzed && !h.group.nested {
			rest -= loggingMS
		}
	}
	return known(max(rest, 0))
}

// largeGap tells whether the gap is a finding.
func largeGap(rest, duration, inDatabase *float64) bool {
	if duration == nil {
		duration = inDatabase
	}
	return rest != nil && duration != nil && *rest >= gapMS && *rest >= gapShare**duration
}

func findGap(l *Look, rest *float64) *Finding {
	t := &l.Time
	if !largeGap(rest, l.DurationMS, t.DatabaseMS) {
		return nil
	}
	text := fmt.Sprintf("PHP waited %s for %s that ran %s in Postgres. Between them: %s", millis(*t.DatabaseMS), statements(l.Counts.Arrived), millis(*t.PostgresMS), inGap)
	if logged := *t.GapMS - *rest; logged > 0 {
		text += fmt.Sprintf(", for which %s are taken off here", millis(logged))
	}
	text += "."
	if s := t.ServerMS; s != nil && *s <= *t.DatabaseMS {
		text += fmt.Sprintf(" The server had the statements for %s, so that %s passed outside it.", millis(*s), millis(*t.DatabaseMS-*s))
	}
	return &Finding{Kind: "gap", ExplainsMS: rest, Text: text, Advice: "Fewer statements, connections that are kept, and a pooler close to PHP make it smaller."}
}

// repeated finds one SELECT that ran many times: weighed by what PHP waited, which is their time in Postgres and their
// part of the gap, since Postgres' time alone hides it.
func repeated(g group, all []*half, rest *float64, arrived int, duration *float64) *Finding {
	if len(all) < repeats || g.nested || !reads(all[0].Name) {
		return nil
	}
	inPostgres := 0.0
	for _, h := range all {
		inPostgres += max(value(h.ms), 0)
	}
	waited := inPostgres
	text := fmt.Sprintf("%s times, %s in Postgres", count(len(all)), millis(inPostgres))
	if rest != nil {
		waited += *rest * float64(len(all)) / float64(arrived)
		text = fmt.Sprintf("%s times, %s, of which %s in Postgres", count(len(all)), millis(waited), figure(inPostgres))
	}
	if waited < repeatedMS && (duration == nil || waited < repeatedShare**duration || waited == 0) {
		return nil
	}
	return &Finding{Kind: "repeated", ExplainsMS: known(waited), Text: text, Advice: "Load them at once: one statement with all the values, or a join.", Times: len(all)}
}
