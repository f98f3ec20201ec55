// Package report writes the views of package view as text for a terminal: at most 100 columns, and colours where the
// reader has them; or as the JSON that the pages have. What strangers sent moves no cursor, turns no text round, and makes
// no line longer: characters that are not graphic are never written.
package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bitville/listener/shared/view"
)

// width is what a line has at most, in columns of a terminal.
const width = 100

// Writer writes views. The first error stays, and is Err's.
type Writer struct {
	w       io.Writer
	colours bool
	err     error
}

// New returns a Writer. Colours are ANSI's; a terminal that asks for none (NO_COLOR) should get none.
func New(w io.Writer, colours bool) *Writer { return &Writer{w: w, colours: colours} }

// Err returns the first error of writing.
func (w *Writer) Err() error { return w.err }

// The colours have one meaning each, here as on the pages.
const (
	bold     = "1"
	faint    = "2"
	php      = "34" // blue
	postgres = "32" // green
	gap      = "33" // yellow
	alarm    = "31" // red
)

// painted is text that is written as it is.
type painted string

func (w *Writer) paint(colour, text string) painted {
	text = Clean(text)
	if !w.colours || text == "" || colour == "" {
		return painted(text)
	}
	return painted("\x1b[" + colour + "m" + text + "\x1b[0m")
}

// line writes one line, without blanks at its end. Every text of it is cleaned, but what is painted is already.
func (w *Writer) line(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case painted, int, int64, float64:
		default:
			args[i] = Clean(fmt.Sprint(arg))
		}
	}
	if w.err == nil {
		_, w.err = fmt.Fprintln(w.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// wrapped writes a text in lines of at most width, each after the indent, the first after its own.
func (w *Writer) wrapped(first, indent, colour, text string) {
	line, left := "", width-columns(first)
	for _, word := range strings.Fields(text) {
		word = clip(word, width-columns(indent))
		if line != "" && columns(line)+1+columns(word) > left {
			w.line("%s%s", first, w.paint(colour, line))
			first, line, left = indent, "", width-columns(indent)
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		w.line("%s%s", first, w.paint(colour, line))
	}
}

// title writes the first line of a list.
func (w *Writer) title(format string, args ...any) {
	w.line("%s", w.paint(bold, clip(fmt.Sprintf(format, args...), width)))
}

// hint writes a line that is about the figures, or tells what to do next.
func (w *Writer) hint(format string, args ...any) {
	w.line("%s", w.paint(faint, fmt.Sprintf(format, args...)))
}

// nothing is what an empty list says.
const nothing = "Nothing began in this span. A longer one: --since 24h, or up to 90d."

// Requests writes a list of requests, two lines each: the figures and what was asked for; when, the id, what is wrong.
func (w *Writer) Requests(page *view.Requests) {
	on := ""
	if page.RouteKey != "" {
		on = " on " + cmp.Or(page.Route, page.RouteKey)
	}
	w.title("Slowest requests of %s%s, %s", page.Project, on, span(page.Span))
	if len(page.Requests) == 0 {
		w.line(nothing)
		w.late(page.Behind)
		return
	}
	w.hint("%9s %9s %9s %5s %6s  %s", "total", "Postgres", "gap", "of db", "stmts", "request")
	const left = 44 // columns before the request
	form := time.TimeOnly
	if page.To.Sub(page.From.Time) > 12*time.Hour {
		form = "Jan 02 15:04:05"
	}
	for i := range page.Requests {
		r := &page.Requests[i]
		w.line("%s %s %s %s %6d  %s", w.paint(bold, ms(r.DurationMS)), w.paint(postgres, ms(r.PostgresMS)), w.paint(gap, ms(r.GapMS)),
			w.paint(gap, percent(gapShare(r.GapMS, r.PostgresMS))), r.Statements, clip(r.Name, width-left))
		when := r.StartedAt.UTC().Format(form) + " UTC"
		w.line("%s  %s", w.paint(faint, fmt.Sprintf("%*s  %s", left-2, when, r.CorrelationID)), w.paint(alarm, marks(r.Marks, width-left-38)))
	}
	if !page.Exact {
		w.hint("Of each route and hour at least the five slowest, of a long span not all.")
	}
	w.late(page.Behind)
	w.hint("gap: outside Postgres' executor, and its share of the time in the database. Next: listener why ID")
}

// gapShare is the gap's part of the time in the database, 0 to 1.
func gapShare(gap, postgres *float64) *float64 {
	if gap == nil || postgres == nil || *gap+*postgres <= 0 {
		return nil
	}
	share := *gap / (*gap + *postgres)
	return &share
}

// Routes writes a list of routes, a line each.
func (w *Writer) Routes(page *view.Routes) {
	w.title("Routes of %s by time spent, %s", page.Project, span(page.Span))
	w.rows(page.Routes, page.LeftOut, "route", func(figures painted, text string) {
		w.line("%s  %s", figures, clip(text, width-66))
	})
	w.late(page.Behind)
	if len(page.Routes) > 0 {
		w.hint("Next: listener slowest --route ROUTE")
	}
}

// Statements writes a list of statements, two lines each: many begin with the same words.
func (w *Writer) Statements(page *view.Statements) {
	w.title("Statements of %s by time spent, %s", page.Project, span(page.Span))
	w.rows(page.Statements, page.LeftOut, "statement", func(figures painted, text string) {
		w.line("%s", figures)
		w.line("       %s", ends(text, width-7))
	})
	w.late(page.Behind)
	if len(page.Statements) > 0 {
		w.hint("Times are those in Postgres' executor.")
	}
}

// rows calls each with the figures of a row and what they are of.
func (w *Writer) rows(rows []view.Row, left int, what string, each func(figures painted, text string)) {
	if len(rows) == 0 {
		w.line(nothing)
		return
	}
	w.hint("%5s %9s %8s %9s %9s %9s %9s  %s", "spent", "total", "count", "p50", "p95", "p99", "max", what)
	for i := range rows {
		r := &rows[i]
		figures := fmt.Sprintf(" %s %8d %s %s %s %s", ms(r.TotalMS), r.Count, ms(r.P50MS), ms(r.P95MS), ms(r.P99MS), ms(r.MaxMS))
		each(w.paint(bold, percent(r.Share))+painted(figures), oneLine(cmp.Or(r.Route+r.Text, r.Key)))
	}
	if left > 0 {
		w.hint("%d more; --limit N shows up to %d.", left, view.MaxRows)
	}
}

// late tells how late figures are.
func (w *Writer) late(behind int64) {
	if behind > 0 {
		w.line("%s", w.paint(alarm, fmt.Sprintf("Late: about %d of the last records are not counted yet.", behind)))
	}
}

func span(s view.Span) string {
	from, to := "2006-01-02 15:04:05", time.TimeOnly
	switch length := s.To.Sub(s.From.Time); {
	case length > 12*time.Hour:
		from, to = "2006-01-02 15:04", "2006-01-02 15:04"
	case length >= 10*time.Minute:
		from, to = "2006-01-02 15:04", "15:04"
	}
	return fmt.Sprintf("%s to %s UTC", s.From.UTC().Format(from), s.To.UTC().Format(to))
}
