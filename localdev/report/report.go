// Package report writes the views of package view as text for a terminal: at most 100 columns, plain ASCII rules, and
// colours where the reader has them. Control characters of what strangers sent are never written.
package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bitville/listener/shared/view"
)

// width is what a line has at most, in characters.
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

func (w *Writer) paint(colour, text string) string {
	if !w.colours || text == "" || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// line writes one line, without blanks at its end.
func (w *Writer) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintln(w.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// wrapped writes a text in lines of at most width, each after the indent, the first after its own.
func (w *Writer) wrapped(first, indent, colour, text string) {
	line, left := "", width-utf8.RuneCountInString(first)
	for _, word := range strings.Fields(clean(text)) {
		word = clip(word, width-utf8.RuneCountInString(indent))
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > left {
			w.line("%s%s", first, w.paint(colour, line))
			first, line, left = indent, "", width-utf8.RuneCountInString(indent)
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		w.line("%s%s", first, w.paint(colour, line))
	}
}

// Requests writes a list of requests.
func (w *Writer) Requests(page *view.Requests) {
	w.line("%s", w.paint(bold, clip(clean(fmt.Sprintf("Slowest requests of %s%s, %s", page.Project, of(page.Route), span(page.Span))), width)))
	if len(page.Requests) == 0 {
		w.line("Nothing yet in this span.")
		return
	}
	w.line("%s", w.paint(faint, fmt.Sprintf("%9s %9s %9s %5s  %-8s  %s", "total", "Postgres", "gap", "stmts", "at (UTC)", "request")))
	for i := range page.Requests {
		r := &page.Requests[i]
		w.line("%s %s %s %5d  %s  %s", w.paint(bold, ms(r.DurationMS)), w.paint(postgres, ms(r.PostgresMS)), w.paint(gap, ms(r.GapMS)), r.Statements,
			r.StartedAt.UTC().Format(time.TimeOnly), clip(clean(r.Name), width-47))
		marks := ""
		if len(r.Marks) > 0 {
			marks = strings.Join(r.Marks, ", ")
		}
		w.line("%47s%s  %s", "", w.paint(faint, r.CorrelationID), w.paint(alarm, clip(clean(marks), width-47-38)))
	}
	if !page.Exact {
		w.line("%s", w.paint(faint, "Over more than an hour: at least the five slowest of each route and hour."))
	}
}

// Routes writes a list of routes.
func (w *Writer) Routes(page *view.Routes) {
	w.rows("Routes", page.Project, page.Span, page.Routes, page.LeftOut, page.Behind)
}

// Statements writes a list of statements.
func (w *Writer) Statements(page *view.Statements) {
	w.rows("Statements", page.Project, page.Span, page.Statements, page.LeftOut, page.Behind)
}

func (w *Writer) rows(what, project string, during view.Span, rows []view.Row, left int, behind int64) {
	w.line("%s", w.paint(bold, clip(clean(fmt.Sprintf("%s of %s by time spent, %s", what, project, span(during))), width)))
	if len(rows) == 0 {
		w.line("Nothing yet in this span.")
	} else {
		w.line("%s", w.paint(faint, fmt.Sprintf("%5s %8s %9s %9s %9s %9s  %s", "spent", "count", "p50", "p95", "p99", "max", strings.ToLower(what[:len(what)-1]))))
	}
	for i := range rows {
		r := &rows[i]
		share := "    –"
		if r.Share != nil {
			share = fmt.Sprintf("%4.0f%%", *r.Share*100)
		}
		text := r.Route + r.Text
		if text == "" {
			text = r.Key
		}
		w.line("%s %8d %s %s %s %s  %s", w.paint(bold, share), r.Count, ms(r.P50MS), ms(r.P95MS), ms(r.P99MS), ms(r.MaxMS),
			clip(strings.Join(strings.Fields(clean(text)), " "), width-56))
	}
	if left > 0 {
		w.line("%s", w.paint(faint, fmt.Sprintf("%d more; --limit shows them.", left)))
	}
	if behind > 0 {
		w.line("%s", w.paint(faint, fmt.Sprintf("%d records are not counted yet.", behind)))
	}
}

// ms writes a duration in nine characters: milliseconds to the digit that matters, a dash for one that is not known.
func ms(v *float64) string {
	text := "–"
	if v != nil {
		text = duration(*v)
	}
	return strings.Repeat(" ", max(0, 9-utf8.RuneCountInString(text))) + text
}

func duration(ms float64) string {
	switch abs := math.Abs(ms); {
	case abs >= 1e9:
		return fmt.Sprintf("%.0e s", ms/1000)
	case abs >= 100_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case abs >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case abs >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case abs >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

func of(route string) string {
	if route == "" {
		return ""
	}
	return " on " + route
}

func span(s view.Span) string {
	return fmt.Sprintf("%s to %s UTC", s.From.UTC().Format("2006-01-02 15:04"), s.To.UTC().Format("15:04"))
}

// clean takes out what could move a terminal's cursor or turn its text round.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return '·'
		}
		return r
	}, text)
}

// clip cuts a text to so many characters.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
