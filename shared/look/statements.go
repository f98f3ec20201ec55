package look

import (
	"cmp"
	"slices"

	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/statement"
)

// Statement is one statement with all its executions in the request.
type Statement struct {
	Key     string   `json:"key"` // see statement.Key
	Text    string   `json:"text"`
	Nested  bool     `json:"nested,omitzero"` // ran within other statements, whose times contain it
	Count   int      `json:"count"`
	TotalMS *float64 `json:"total_ms,omitzero"`
	MaxMS   *float64 `json:"max_ms,omitzero"`
	Share   *float64 `json:"share,omitzero"` // of the request's time in Postgres, 0 to 1; nested ones have none
	Rows    *float64 `json:"rows,omitzero"`  // that all executions returned
	Failed  int      `json:"failed,omitzero"`
	Plans   []int    `json:"plans"`            // executions that have a plan, by N
	Marks   []string `json:"marks,omitzero"`   // kinds of the findings
	Slowest int      `json:"slowest,omitzero"` // N of the slowest execution that has a plan

	Executions        []Execution `json:"executions"` // in order of start
	ExecutionsLeftOut int         `json:"executions_left_out,omitzero"`

	SlowestPlan *plan.Plan `json:"-"`

	group     group
	all       []*half // until the findings are found: their plans are large
	slowestMS float64
}

// Execution is one run of a statement.
type Execution struct {
	N          int      `json:"n"`        // its place among the request's statements in order of start, from 1
	StartMS    float64  `json:"start_ms"` // since the look's StartedAt, ±1 ms; may be below 0 by as much
	DurationMS *float64 `json:"duration_ms,omitzero"`
	Rows       *float64 `json:"rows,omitzero"`
	Plan       bool     `json:"plan,omitzero"`
	ErrorCode  string   `json:"error_code,omitzero"` // SQLSTATE of one that failed
	Error      string   `json:"error,omitzero"`      // its message, which may hold literals: only with values
}

// group fills Statements, a group of equal ones each.
func (l *Look) group(r *request, options Options) {
	index := make(map[group]int)
	listed := 0
	for _, h := range r.statements {
		at, ok := index[h.group]
		if !ok {
			at = len(l.Statements)
			index[h.group] = at
			l.Statements = append(l.Statements, Statement{Key: h.group.key, Nested: h.group.nested, Plans: []int{}, Executions: []Execution{}, group: h.group})
		}
		s := &l.Statements[at]
		s.all = append(s.all, h)
		e := l.execution(h, options)
		s.add(h, e)
		if listed == maxExecutions {
			s.ExecutionsLeftOut++
			continue
		}
		listed++
		s.Executions = append(s.Executions, e)
		if e.Plan {
			s.Plans = append(s.Plans, e.N)
		}
	}
	if left := len(r.statements) - listed; left > 0 {
		l.note("Only the first %s executions are listed; %s are counted and left out.", count(listed), count(left))
	}
	slices.SortStableFunc(l.Statements, func(a, b Statement) int {
		return cmp.Or(cmp.Compare(value(b.TotalMS), value(a.TotalMS)), cmp.Compare(b.Count, a.Count))
	})
	texts := 0
	for i := range l.Statements {
		s := &l.Statements[i]
		if !s.Nested && s.TotalMS != nil && value(l.Time.PostgresMS) > 0 {
			share := *s.TotalMS / *l.Time.PostgresMS
			s.Share = &share
		}
		limit := maxTextBytes
		if texts > maxTexts {
			limit = shortText
		}
		s.Text = shown(s.all[0].Name, limit, options)
		texts += len(s.Text)
	}
}

// shown is a statement's text as it may be shown. What is cut off is not masked first: a literal cut in two is masked to its end.
func shown(text string, bytes int, options Options) string {
	cut := clip(text, bytes)
	if !options.Values {
		if cut != text {
			return statement.Mask(cut[:len(cut)-len("…")]) + "…"
		}
		return statement.Mask(cut)
	}
	return cut
}

// execution describes one statement.
func (l *Look) execution(h *half, options Options) Execution {
	e := Execution{N: h.n, StartMS: l.since(h), DurationMS: h.ms, ErrorCode: clip(h.attributes.text("sql_error_code"), 5)}
	if options.Values {
		e.Error = clip(h.attributes.text("error"), maxTextBytes)
	}
	if p := h.plan; p != nil && (len(p.Nodes) > 0 || p.Text != "") {
		e.Plan = true
		if len(p.Nodes) > 0 && p.Nodes[0].Analyzed {
			e.Rows = known(p.Nodes[0].ActualRows * p.Nodes[0].Loops)
		}
	}
	return e
}

// add adds one execution to the figures.
func (s *Statement) add(h *half, e Execution) {
	s.Count++
	if h.ms != nil {
		s.TotalMS = known(max(value(s.TotalMS), 0) + *h.ms)
		s.MaxMS = known(max(value(s.MaxMS), *h.ms))
	}
	if e.ErrorCode != "" || h.attributes["error"] != nil {
		s.Failed++
	}
	switch {
	case e.Rows != nil && s.Count == 1:
		s.Rows = e.Rows
	case e.Rows != nil && s.Rows != nil:
		s.Rows = known(*s.Rows + *e.Rows)
	default:
		s.Rows = nil
	}
	if e.Plan && (s.SlowestPlan == nil || value(h.ms) > s.slowestMS) {
		s.SlowestPlan, s.Slowest, s.slowestMS = h.plan, e.N, value(h.ms)
	}
}
