package traces

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/view"
)

// What the look's HTML has at most, so that it stays small.
const (
	lookPlans     = 20  // statements with their plan tree; others link to it
	lookNodes     = 40  // nodes of each
	lookBoxes     = 500 // of the flame graph
	lookRuns      = 50  // executions of each statement
	lookFunctions = 15
	chartBars     = 96
	maxLines      = 10_000 // functions, spans or nodes of the whole profile or plan
	minFlameShare = 0.001
)

// lookHTML is the look with what is drawn.
type lookHTML struct {
	*look.Look
	Offsets       []string // where each part of the bar begins
	Sources       []string // of the figures, sentences
	Lanes         []laneRow
	Ticks         []tick
	Rows          []statementRow
	Flame         *profile.Flame
	Functions     []profile.Function // the first of the profile\'s
	MoreFunctions int
	Page          string // its path
}

// laneRow is a lane of the time line.
type laneRow struct {
	look.Lane
	Label  string
	Anchor string
	Rects  []rect
}

// rect is a block in per cent of its picture's width.
type rect struct {
	X, Width  string
	Y, Height string // of a chart's bar
	Kind      string
	Title     string
	Text      string // in it
}

// tick is a mark of an axis.
type tick struct{ X, Anchor, Text string }

// statementRow is a statement of the look.
type statementRow struct {
	look.Statement
	Anchor string
	Runs   []look.Execution
	Plan   []planRow
	More   int // nodes that are not drawn here
}

func share(x, of float64) string {
	if of <= 0 {
		return "0%"
	}
	return fmt.Sprintf("%.3f%%", 100*min(1, max(0, x/of)))
}

func anchorOf(key string, nested bool) string {
	if nested {
		key += "-nested"
	}
	return "s-" + key
}

// drawLook lays out what the look's page draws.
func drawLook(l *view.Look, values bool) *lookHTML {
	page := &lookHTML{Look: l.Look, Page: projectPath(l.Project) + "/" + l.CorrelationID}
	x := 0.0
	for _, s := range l.Bar {
		page.Offsets = append(page.Offsets, share(x, 1))
		x += s.Share
	}
	for _, s := range []struct{ what, source string }{{"PHP itself", l.Time.Sources.PHP}, {"In the database", l.Time.Sources.Database}, {"In Postgres", l.Time.Sources.Postgres}, {"The gap", l.Time.Sources.Gap}} {
		if s.source != "" {
			page.Sources = append(page.Sources, s.what+": "+s.source+".")
		}
	}
	texts := map[string]string{}
	for _, s := range l.Statements {
		texts[anchorOf(s.Key, s.Nested)] = s.Text
		row := statementRow{Statement: s, Anchor: anchorOf(s.Key, s.Nested), Runs: s.Executions[:min(len(s.Executions), lookRuns)]}
		if s.SlowestPlan != nil && len(page.Rows) < lookPlans {
			lines := s.SlowestPlan.Lines(values)
			row.Plan = planRows(lines, lookNodes)
			row.More = len(lines) - len(row.Plan)
		}
		page.Rows = append(page.Rows, row)
	}
	t := &l.Timeline
	length := t.ToMS - t.FromMS
	for _, lane := range t.Lanes {
		row := laneRow{Lane: lane, Label: "PHP", Anchor: "profile"}
		if lane.Kind != "php" {
			row.Anchor = anchorOf(lane.Key, lane.Nested)
			row.Label = cmp.Or(oneLine(texts[row.Anchor], 90), lane.Key)
		}
		for _, b := range lane.Blocks {
			kind, times := lane.Kind, ""
			title := milliseconds(b.DurationMS) + " ms, from " + milliseconds(b.StartMS) + " ms"
			if b.Count > 1 {
				kind, times = kind+" many", "×"+thousands(fmt.Sprint(b.Count))
				title = fmt.Sprintf("%s times, %s ms of %s ms in Postgres, from %s ms", thousands(fmt.Sprint(b.Count)), milliseconds(b.BusyMS), milliseconds(b.DurationMS), milliseconds(b.StartMS))
			}
			row.Rects = append(row.Rects, rect{X: share(b.StartMS-t.FromMS, length), Width: share(b.DurationMS, length), Kind: kind, Title: title, Text: times})
		}
		page.Lanes = append(page.Lanes, row)
	}
	if length > 0 {
		for i, anchor := range []string{"start", "middle", "middle", "middle", "end"} {
			at := float64(i) / 4
			page.Ticks = append(page.Ticks, tick{share(at, 1), anchor, milliseconds(t.FromMS+at*length) + " ms"})
		}
	}
	if p := l.Profile; p != nil {
		page.Functions = p.Functions[:min(len(p.Functions), lookFunctions)]
		page.MoreFunctions = len(p.Functions) - len(page.Functions) + p.LeftOut
	}
	if l.Profile != nil && l.Profile.Kind == profile.Samples {
		f := l.Profile.Whole.Flame(minFlameShare, lookBoxes)
		page.Flame = &f
	}
	return page
}

// splitOf draws a request's time as a list has it: PHP, Postgres and the gap, of the list's longest.
func splitOf(r view.Request, longest *float64) []rect {
	if r.DurationMS == nil || longest == nil || *longest <= 0 {
		return nil
	}
	parts := []struct {
		kind, name string
		ms         float64
	}{{"postgres", "Postgres", float(r.PostgresMS)}, {"gap", "gap", float(r.GapMS)}}
	inDatabase := parts[0].ms + parts[1].ms
	rest := struct {
		kind, name string
		ms         float64
	}{"php", "PHP itself", *r.DurationMS - inDatabase}
	if r.GapMS == nil || rest.ms < 0 {
		rest.kind, rest.name, rest.ms = "unknown", "not known", max(0, *r.DurationMS-parts[0].ms)
	}
	x := 0.0
	var rects []rect
	for _, p := range append(parts[:0:0], rest, parts[0], parts[1]) {
		if p.ms > 0 {
			rects = append(rects, rect{X: share(x, *longest), Width: share(p.ms, *longest), Kind: p.kind, Title: p.name + " " + milliseconds(p.ms) + " ms"})
		}
		x += p.ms
	}
	return rects
}

// planRow is a node of a plan.
type planRow struct {
	plan.Line
	Indent string
	Worst  bool   // most time of its own
	Factor string // by how much the estimate of rows is off; "" below ten times
}

func planRows(lines []plan.Line, most int) []planRow {
	rows := make([]planRow, 0, min(len(lines), most))
	worst := -1
	for i, l := range lines {
		if l.ExclusiveMS != nil && *l.ExclusiveMS > 0 && (worst < 0 || *l.ExclusiveMS > *lines[worst].ExclusiveMS) {
			worst = i
		}
	}
	for i, l := range lines[:min(len(lines), most)] {
		row := planRow{Line: l, Worst: i == worst && len(lines) > 1}
		row.Indent = indent(l.Depth)
		if l.EstimatedRows != nil && l.ActualRows != nil && float(l.Loops) > 0 {
			a, b := max(1, *l.EstimatedRows), max(1, *l.ActualRows)
			if f := max(a/b, b/a); f >= 10 {
				row.Factor = "×" + number(float64(int(f)))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// indent draws how deep something stands.
func indent(depth int) string {
	if depth <= 0 {
		return ""
	}
	return strings.Repeat("\u00a0\u00a0", min(depth, 40)-1) + "└\u00a0"
}

// spanRow is an OpenTelemetry span.
type spanRow struct {
	profile.Span
	Indent string
}

func spanRows(spans []profile.Span) []spanRow {
	rows := make([]spanRow, min(len(spans), maxLines))
	for i := range rows {
		rows[i] = spanRow{spans[i], indent(spans[i].Depth)}
	}
	return rows
}

// flameBox is a box of a flame graph.
type flameBox struct {
	profile.Box
	X, Width string
	Y        int
	Kind     string
}

// flameRow is the height of a row in pixels.
const flameRow = 18

// flamePicture is a flame graph.
type flamePicture struct {
	Boxes  []flameBox
	Height int
}

func drawFlame(f *profile.Flame) flamePicture {
	p := flamePicture{Height: f.Rows * flameRow}
	for _, b := range f.Boxes {
		kind := cmp.Or(string(b.Origin), "unknown")
		if isDatabase(b.Name) {
			kind = "database"
		}
		b.Name = oneLine(b.Name, 120)
		p.Boxes = append(p.Boxes, flameBox{b, share(b.X, 1), share(b.Width, 1), b.Depth * flameRow, kind})
	}
	return p
}

func isDatabase(name string) bool {
	for _, prefix := range []string{"PDO", `Pdo\`, "pg_", "mysqli"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// chartPicture counts something over a span.
type chartPicture struct {
	What  string
	Bars  []rect
	Most  int64
	Total int64
	Step  string // what a bar stands for
	Ticks []tick
}

// drawChart draws an overview's minutes: "requests" or "statements".
func drawChart(o *view.Overview, what string) chartPicture {
	step := o.To.Sub(o.From.Time) / chartBars
	counts := make([]int64, chartBars)
	p := chartPicture{What: what, Step: sinceText(step)}
	for _, m := range o.Minutes {
		n := m.Requests
		if what == "statements" {
			n = m.Statements
		}
		at := min(chartBars-1, max(0, int(m.Start.Sub(o.From.Time)/step)))
		counts[at] += n
		p.Total += n
	}
	for _, n := range counts {
		p.Most = max(p.Most, n)
	}
	for i, n := range counts {
		if n > 0 {
			from := o.From.Add(time.Duration(i) * step).UTC().Format("15:04")
			p.Bars = append(p.Bars, rect{
				X: share(float64(i), chartBars), Width: share(0.8, chartBars), Y: share(float64(p.Most-n), float64(p.Most)), Height: share(float64(n), float64(p.Most)),
				Kind: what, Title: fmt.Sprintf("%s %s from %s UTC", thousands(fmt.Sprint(n)), what, from),
			})
		}
	}
	for i, anchor := range []string{"start", "middle", "middle", "middle", "end"} {
		at := o.From.Add(time.Duration(i) * o.To.Sub(o.From.Time) / 4)
		p.Ticks = append(p.Ticks, tick{share(float64(i), 4), anchor, at.UTC().Format("15:04")})
	}
	return p
}

// hourRow is an hour with its bars.
type hourRow struct {
	view.Hourly
	P50, P95 string
}

// drawHours draws the hours of one route or statement, the latest first.
func drawHours(hours []view.Hourly) []hourRow {
	most := 0.0
	for _, h := range hours {
		most = max(most, float(h.P95MS))
	}
	rows := make([]hourRow, 0, len(hours))
	for i := len(hours) - 1; i >= 0; i-- {
		rows = append(rows, hourRow{hours[i], share(float(hours[i].P50MS), most), share(float(hours[i].P95MS), most)})
	}
	return rows
}
