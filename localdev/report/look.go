package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/view"
)

// Why writes what made a request slow: where its time went, the findings, and what to know of them.
func (w *Writer) Why(l *view.Look) {
	w.heading(l)
	w.line("")
	w.wrapped("", "", bold, l.Verdict)
	w.bar(l)
	w.findings(l)
	w.notes(l)
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
	tail := fmt.Sprintf("%s · %s UTC · %s", total, l.StartedAt.UTC().Format("2006-01-02 15:04:05.000"), l.Project)
	w.line("%s%s", w.paint(bold, clip(name, max(20, width-columns(tail)))), tail)
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
func (w *Writer) bar(l *view.Look) {
	if len(l.Bar) == 0 {
		return
	}
	w.line("")
	drawn, share, end := painted(""), 0.0, 0
	for _, p := range l.Bar {
		share += p.Share
		next := min(barWidth, int(share*barWidth+0.5))
		drawn += w.paint(segments[p.Kind].colour, strings.Repeat(segments[p.Kind].fill, max(0, next-end)))
		end = max(end, next)
	}
	w.line("  [%s]", drawn)
	for _, p := range l.Bar {
		s := segments[p.Kind]
		w.line("  %s %-12s %s %s  %s", w.paint(s.colour, s.fill), s.name, ms(&p.MS), percent(&p.Share), w.paint(faint, clip(p.Source, width-35)))
	}
	if t := &l.Time; t.GapShare != nil && t.DatabaseMS != nil {
		w.line("  %.0f%% of the %s that PHP waited for the database is between them.", *t.GapShare*100, duration(*t.DatabaseMS))
	}
}

func (w *Writer) findings(l *view.Look) {
	if len(l.Findings) == 0 {
		w.line("")
		w.line("No findings.")
	}
	for i := range l.Findings {
		f := &l.Findings[i]
		w.line("")
		w.line("%s  %s", w.paint(alarm, ms(f.ExplainsMS)), w.paint(bold, marks([]string{f.Kind}, 40)))
		const indent = "           "
		w.wrapped(indent, indent, "", f.Text)
		if f.StatementText != "" {
			text := f.StatementText
			if f.Plan > 0 {
				text = fmt.Sprintf("plan %d: %s", f.Plan, text)
			}
			w.line("%s%s", indent, w.paint(faint, clip(oneLine(text), width-len(indent))))
		}
		if f.Advice != "" {
			w.wrapped(indent+"-> ", indent+"   ", "", f.Advice)
		}
	}
	if l.FindingsLeftOut > 0 {
		w.line("")
		w.hint("%d smaller findings are left out.", l.FindingsLeftOut)
	}
}

func (w *Writer) section(format string, args ...any) {
	w.line("")
	w.line("%s", w.paint(bold, fmt.Sprintf(format, args...)))
}

func (w *Writer) statements(l *view.Look) {
	if len(l.Statements) == 0 {
		return
	}
	w.section("Statements")
	w.hint("%9s %9s %6s %6s  %s", "total", "max", "times", "plan", "statement")
	for i := range l.Statements {
		s := &l.Statements[i]
		plan, text := "–", oneLine(s.Text)
		if s.Slowest > 0 {
			plan = fmt.Sprint(s.Slowest)
		}
		if s.Nested {
			text = "(nested) " + text
		}
		w.line("%s %s %6d %s  %s", w.paint(postgres, ms(s.TotalMS)), ms(s.MaxMS), s.Count, pad(plan, 6), ends(text, width-36))
		if len(s.Marks) > 0 {
			w.line("%36s%s", "", w.paint(alarm, marks(s.Marks, width-36)))
		}
	}
	if l.StatementsLeftOut > 0 {
		w.hint("%d more are left out.", l.StatementsLeftOut)
	}
	w.hint("A whole plan: listener trace ID --plan N, with N of the column plan.")
}

// topFunctions is how many functions of a profile a look has.
const topFunctions = 15

func (w *Writer) profile(p *look.Profile) {
	if p == nil || len(p.Functions) == 0 {
		return
	}
	w.section("Functions by their own time, of %s in the profile (%s)", duration(p.TotalMS), p.Kind)
	w.hint("%9s %9s %7s  %s", "self", "total", "calls", "function")
	for _, f := range p.Functions[:min(len(p.Functions), topFunctions)] {
		calls := "–"
		if f.Calls > 0 {
			calls = fmt.Sprint(f.Calls)
		}
		w.line("%s %s %s  %s", w.paint(php, ms(&f.SelfMS)), ms(&f.TotalMS), pad(calls, 7), ends(f.Name, width-29))
	}
	if left := len(p.Functions) - topFunctions + p.LeftOut; left > 0 {
		w.hint("%d more functions.", left)
	}
}

func (w *Writer) sent(l *view.Look) {
	if len(l.Attributes) > 0 {
		w.section("Sent with the page")
	}
	for _, a := range l.Attributes {
		name, value := clip(a.Name, 16), a.Value
		if value == "" && a.Masked {
			value = "(masked)"
		}
		w.line("  %s%s %s", name, strings.Repeat(" ", 16-columns(name)), clip(value, width-19))
	}
}

func (w *Writer) notes(l *view.Look) {
	if len(l.Notes)+len(l.Other) > 0 {
		w.section("To know")
	}
	for _, n := range l.Notes {
		w.wrapped("  - ", "    ", "", n)
	}
	for _, o := range l.Other {
		w.wrapped("  - ", "    ", "", fmt.Sprintf("Another page has the same id: %s of %s.", o.Name, o.StartedAt))
	}
}

// Plan writes a whole plan, of each node what it says beside its rows and times too. The worst node has its mark behind it.
func (w *Writer) Plan(p *view.Plan) {
	took := ""
	if p.DurationMS != nil {
		took = ", " + duration(*p.DurationMS)
	}
	w.title("Plan of statement %d of %s%s", p.N, p.CorrelationID, took)
	w.wrapped("", "", faint, p.Text)
	if len(p.Lines) > 0 {
		w.line("")
		w.hint("%10s %5s %9s %9s %6s %s", "own time", "share", "rows est.", "came", "loops", "node")
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		colour := ""
		if len(l.Marks) > 0 {
			colour = alarm
		}
		w.line("%s", w.paint(colour, clip(l.String(), width)))
		indent := strings.Repeat(" ", 46+2*min(max(l.Depth, 0), 20))
		for _, more := range slices.Concat(l.Conditions, l.Details) {
			w.line("%s%s", indent, w.paint(faint, clip(oneLine(more), width-len(indent))))
		}
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
