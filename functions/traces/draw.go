package traces

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/view"
)

// What the look's page draws at most, as long as that fits into maxPage.
const (
	lookStatements = 200
	lookPlans      = 20      // statements with their plan tree; others link to it
	lookNodes      = 40      // nodes of each
	lookRuns       = 50      // executions of each statement
	lookText       = 4 << 10 // characters of a statement
	lookBlocks     = 600     // of the time line
	lookBoxes      = 500     // of the flame graph
	lookFunctions  = 15
	lookAttribute  = 1 << 10 // characters of an attribute

	minorShare    = 0.01
	minFlameShare = 0.001
	chartBars     = 96
	maxLines      = 250       // functions, spans or nodes of the whole profile or plan; JSON has all
	maxCopy       = 100 << 10 // bytes of a plan that the page has to be copied
	maxSteps      = 100       // of the hot path
)

// lookHTML is the look with what is drawn.
type lookHTML struct {
	*look.Look
	Offsets       []string // where each part of the bar begins
	Sources       []string // of the figures, sentences
	Lanes         []laneRow
	Ticks         []tick
	Rows          []statementRow
	MoreRows      int  // statements that are not drawn
	MoreBlocks    bool // blocks of the time line are not drawn
	AttributeText int  // characters of an attribute that are drawn
	Flame         *profile.Flame
	Functions     []profile.Function // the first of the profile's
	MoreFunctions int
	Page          string // its path

	Main  []look.Finding
	Minor []look.Finding // which explain less than minorShare of the request
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
type tick struct {
	X, Anchor, Text string
	At              look.Timestamp // of a chart's axis
}

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

// drawLook lays out what the look's page draws: the part-th part of what it may have.
func drawLook(l *view.Look, values bool, part int) *lookHTML {
	page := &lookHTML{Look: l.Look, Page: projectPath(l.Project) + "/" + l.CorrelationID, AttributeText: lookAttribute / part}
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
	}
	page.sortFindings()
	page.drawStatements(values, part)
	page.drawLanes(texts, lookBlocks/part)
	t := &l.Timeline
	length := t.ToMS - t.FromMS
	if length > 0 {
		for i, anchor := range []string{"start", "middle", "middle", "middle", "end"} {
			at := float64(i) / 4
			page.Ticks = append(page.Ticks, tick{X: share(at, 1), Anchor: anchor, Text: milliseconds(t.FromMS+at*length) + " ms"})
		}
	}
	if p := l.Profile; p != nil {
		page.Functions = p.Functions[:min(len(p.Functions), lookFunctions)]
		page.MoreFunctions = len(p.Functions) - len(page.Functions) + p.LeftOut
	}
	if l.Profile != nil && l.Profile.Kind == profile.Samples {
		f := l.Profile.Whole.Flame(minFlameShare, lookBoxes/part)
		page.Flame = &f
	}
	return page
}

// sortFindings keeps what hardly matters out of the way, as long as something matters more.
func (page *lookHTML) sortFindings() {
	whole := float(page.DurationMS)
	for _, f := range page.Findings {
		if len(page.Main) > 0 && f.ExplainsMS != nil && *f.ExplainsMS < minorShare*whole {
			page.Minor = append(page.Minor, f)
		} else {
			page.Main = append(page.Main, f)
		}
	}
}

func (page *lookHTML) drawStatements(values bool, part int) {
	all := page.Look.Statements
	shown := all[:min(len(all), lookStatements/part)]
	page.MoreRows = len(all) - len(shown) + page.StatementsLeftOut
	for i, s := range shown {
		row := statementRow{Statement: s, Anchor: anchorOf(s.Key, s.Nested), Runs: s.Executions[:min(len(s.Executions), lookRuns/part)]}
		row.Text = cut(s.Text, lookText/part)
		if s.SlowestPlan != nil && i < lookPlans/part {
			lines := s.SlowestPlan.Lines(values)
			row.Plan = planRows(lines, lookNodes/part)
			row.More = len(lines) - len(row.Plan)
		}
		page.Rows = append(page.Rows, row)
	}
}

func (page *lookHTML) drawLanes(texts map[string]string, most int) {
	t := &page.Timeline
	length := t.ToMS - t.FromMS
	for _, lane := range t.Lanes {
		row := laneRow{Lane: lane, Label: "PHP", Anchor: "profile"}
		if lane.Kind != "php" {
			row.Anchor = anchorOf(lane.Key, lane.Nested)
			row.Label = cmp.Or(oneLine(texts[row.Anchor], 60), lane.Key)
		}
		for _, b := range lane.Blocks {
			if most--; most < 0 {
				page.MoreBlocks = true
				break
			}
			row.Rects = append(row.Rects, block(b, lane.Kind, t.FromMS, length))
		}
		page.Lanes = append(page.Lanes, row)
	}
}

func block(b look.Block, kind string, from, length float64) rect {
	r := rect{X: share(b.StartMS-from, length), Width: share(b.DurationMS, length), Kind: kind,
		Title: milliseconds(b.DurationMS) + " ms, from " + milliseconds(b.StartMS) + " ms"}
	if b.Count > 1 {
		r.Kind, r.Text = kind+" many", "×"+count(b.Count)
		r.Title = fmt.Sprintf("%s times, %s ms of %s ms in Postgres, from %s ms", count(b.Count), milliseconds(b.BusyMS), milliseconds(b.DurationMS), milliseconds(b.StartMS))
	}
	return r
}

// splitOf draws where a request's time went: PHP, Postgres and the gap.
func splitOf(r view.Request) []rect {
	if r.DurationMS == nil || *r.DurationMS <= 0 {
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
	x, whole := 0.0, max(*r.DurationMS, inDatabase)
	var rects []rect
	for _, p := range append(parts[:0:0], rest, parts[0], parts[1]) {
		if p.ms > 0 {
			rects = append(rects, rect{X: share(x, whole), Width: share(p.ms, whole), Kind: p.kind, Title: p.name + " " + milliseconds(p.ms) + " ms"})
		}
		x += p.ms
	}
	return rects
}

// planRow is a node of a plan.
type planRow struct {
	plan.Line
	Indent   string
	Worst    bool   // most time of its own
	MostTime bool   // say so
	Factor   string // by how much the estimate of rows is off, where that is a finding
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
		row.MostTime = row.Worst && !slices.Contains(l.Marks, "worst_node") // which says so already
		row.Indent = indent(l.Depth)
		if slices.Contains(l.Marks, "rows_off") { // elsewhere a node may have been stopped early
			a, b := max(1, float(l.EstimatedRows)), max(1, float(l.ActualRows))
			row.Factor = "×" + number(math.Floor(max(a/b, b/a)))
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

// callRow is a caller or callee.
type callRow struct {
	profile.Call
	N int // its place among the profile's functions, from 1; 0: it is not there
}

func callRows(functions []profile.Function, calls []profile.Call) []callRow {
	places := make(map[string]int, len(functions))
	for i, f := range functions {
		places[f.Name] = i + 1
	}
	rows := make([]callRow, len(calls))
	for i, c := range calls {
		rows[i] = callRow{c, places[c.Name]}
	}
	return rows
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
	Label    string // as much of the name as may be seen
}

const (
	flameRow     = 18  // height of a row in pixels
	flameColumns = 300 // characters that a wide screen has in a row
)

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
		b.Name = oneLine(b.Name, 100)
		label := ""
		if seen := int(b.Width * flameColumns); seen >= 3 {
			label = cut(shortName(b.Name), seen)
		}
		p.Boxes = append(p.Boxes, flameBox{b, share(b.X, 1), share(b.Width, 1), b.Depth * flameRow, kind, label})
	}
	return p
}

// shortName is a function's name as it fits into a box: without its namespace, or its file's folder.
func shortName(name string) string {
	tail := func(text string) string { return text[strings.LastIndexAny(text, `\/`)+1:] }
	class, method, isMethod := strings.Cut(name, "::")
	short := tail(class)
	if strings.HasPrefix(name, "{") && !strings.HasPrefix(short, "{") {
		short = "{" + short // a closure, by its place
	}
	if isMethod {
		short += "::" + tail(method)
	}
	return short
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
		p.Ticks = append(p.Ticks, tick{X: share(float64(i), 4), Anchor: anchor, Text: at.UTC().Format("15:04"), At: look.Timestamp{Time: at}})
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
