package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/view"
)

// Why writes what made a request slow: where its time went and the findings.
func (w *Writer) Why(l *view.Look) {
	w.heading(l)
	w.line("")
	w.wrapped("", "", bold, l.Verdict)
	w.bar(l.Bar)
	w.findings(l)
}

// Look writes a whole request.
func (w *Writer) Look(l *view.Look) {
	w.Why(l)
	w.statements(l)
	w.profile(l.Profile)
	w.sent(l)
}

func (w *Writer) heading(l *view.Look) {
	total := ""
	if l.DurationMS != nil {
		total = " · " + duration(*l.DurationMS)
	}
	name := l.Name
	if name == "" {
		name = "(no page)"
	}
	tail := fmt.Sprintf("%s · %s UTC · %s", total, l.StartedAt.UTC().Format("2006-01-02 15:04:05.000"), clean(l.Project))
	w.line("%s%s", w.paint(bold, clip(clean(name), max(20, width-utf8.RuneCountInString(tail)))), tail)
	w.line("%s", w.paint(faint, l.CorrelationID))
}

// barWidth is what the bar has, in characters.
const barWidth = 60

var segments = map[string]struct{ colour, fill, name string }{
	"php":      {php, "#", "PHP itself"},
	"postgres": {postgres, "=", "Postgres"},
	"gap":      {gap, "~", "between them"},
	"unknown":  {faint, ".", "unknown"},
}

// bar draws where the time went: each part has a letter of its own, for colours alone tell too little.
func (w *Writer) bar(parts []look.Segment) {
	if len(parts) == 0 {
		return
	}
	w.line("")
	drawn, share, end := "", 0.0, 0
	for _, p := range parts {
		share += p.Share
		next := min(barWidth, int(share*barWidth+0.5))
		drawn += w.paint(segments[p.Kind].colour, strings.Repeat(segments[p.Kind].fill, max(0, next-end)))
		end = max(end, next)
	}
	w.line("  [%s]", drawn)
	for _, p := range parts {
		s := segments[p.Kind]
		w.line("  %s %-12s %9s %4.0f%%  %s", w.paint(s.colour, s.fill), s.name, duration(p.MS), p.Share*100, w.paint(faint, clip(clean(p.Source), width-35)))
	}
}

func (w *Writer) findings(l *view.Look) {
	if len(l.Findings) == 0 {
		w.line("")
		w.line("No findings.")
	}
	for i := range l.Findings {
		f := &l.Findings[i]
		explains := strings.Repeat(" ", 9)
		if f.ExplainsMS != nil {
			explains = ms(f.ExplainsMS)
		}
		w.line("")
		w.line("%s  %s", w.paint(alarm, explains), w.paint(bold, clip(strings.ReplaceAll(clean(f.Kind), "_", " "), 40)))
		const indent = "           "
		w.wrapped(indent, indent, "", f.Text)
		if f.StatementText != "" {
			w.line("%s%s", indent, w.paint(faint, clip(clean(f.StatementText), width-len(indent))))
		}
		if f.Advice != "" {
			w.wrapped(indent+"-> ", indent+"   ", "", f.Advice)
		}
	}
	if l.FindingsLeftOut > 0 {
		w.line("")
		w.line("%s", w.paint(faint, fmt.Sprintf("%d smaller findings are left out.", l.FindingsLeftOut)))
	}
}

func (w *Writer) title(format string, args ...any) {
	w.line("")
	w.line("%s", w.paint(bold, fmt.Sprintf(format, args...)))
}

func (w *Writer) statements(l *view.Look) {
	if len(l.Statements) == 0 {
		return
	}
	w.title("Statements")
	w.line("%s", w.paint(faint, fmt.Sprintf("%9s %9s %6s %8s  %s", "total", "max", "times", "plan", "statement")))
	for i := range l.Statements {
		s := &l.Statements[i]
		plans := "–"
		if s.Slowest > 0 {
			plans = fmt.Sprint(s.Slowest)
		}
		text := strings.Join(strings.Fields(clean(s.Text)), " ")
		if s.Nested {
			text = "(nested) " + text
		}
		pad := strings.Repeat(" ", max(0, 8-utf8.RuneCountInString(plans)))
		w.line("%s %s %6d %s%s  %s", w.paint(postgres, ms(s.TotalMS)), ms(s.MaxMS), s.Count, pad, plans, clip(text, width-38))
		if len(s.Marks) > 0 {
			w.line("%38s%s", "", w.paint(alarm, clip(clean(strings.Join(s.Marks, ", ")), width-38)))
		}
	}
	if l.StatementsLeftOut > 0 {
		w.line("%s", w.paint(faint, fmt.Sprintf("%d more are left out.", l.StatementsLeftOut)))
	}
	w.line("%s", w.paint(faint, "listener trace ID --plan N prints the whole plan of the N in the column plan."))
}

// topFunctions is how many functions of a profile a look has.
const topFunctions = 15

func (w *Writer) profile(p *look.Profile) {
	if p == nil || len(p.Functions) == 0 {
		return
	}
	w.title("Functions by their own time, of %s in the profile (%s)", duration(p.TotalMS), p.Kind)
	w.line("%s", w.paint(faint, fmt.Sprintf("%9s %9s %7s  %s", "self", "total", "calls", "function")))
	for _, f := range p.Functions[:min(len(p.Functions), topFunctions)] {
		calls := "–"
		if f.Calls > 0 {
			calls = fmt.Sprint(f.Calls)
		}
		pad := strings.Repeat(" ", max(0, 7-utf8.RuneCountInString(calls)))
		w.line("%s %s %s%s  %s", w.paint(php, ms(&f.SelfMS)), ms(&f.TotalMS), pad, calls, clip(clean(f.Name), width-29))
	}
	if left := len(p.Functions) - topFunctions + p.LeftOut; left > 0 {
		w.line("%s", w.paint(faint, fmt.Sprintf("%d more functions.", left)))
	}
}

func (w *Writer) sent(l *view.Look) {
	if len(l.Attributes) > 0 {
		w.title("Sent with the page")
	}
	for _, a := range l.Attributes {
		w.line("  %-16s %s", clip(clean(a.Name), 16), clip(clean(a.Value), width-19))
	}
	if len(l.Notes)+len(l.Other) > 0 {
		w.title("To know")
	}
	for _, n := range l.Notes {
		w.wrapped("  - ", "    ", "", n)
	}
	for _, o := range l.Other {
		w.wrapped("  - ", "    ", "", fmt.Sprintf("Another page has the same id: %s of %s.", o.Name, o.StartedAt))
	}
}

// Plan writes a whole plan. The worst node has its mark behind it.
func (w *Writer) Plan(p *view.Plan) {
	w.line("%s", w.paint(bold, fmt.Sprintf("Plan of statement %d of %s", p.N, p.CorrelationID)))
	w.wrapped("", "", faint, p.Text)
	w.line("")
	for i := range p.Lines {
		colour := ""
		if len(p.Lines[i].Marks) > 0 {
			colour = alarm
		}
		w.line("%s", w.paint(colour, clean(p.Lines[i].String())))
	}
	for _, n := range p.Notes {
		w.wrapped("- ", "  ", "", n)
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		w.line("")
		w.wrapped("", "", bold, f.Text)
		if f.Advice != "" {
			w.wrapped("-> ", "   ", "", f.Advice)
		}
	}
}
