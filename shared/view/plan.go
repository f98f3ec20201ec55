package view

import (
	"context"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
)

// Plan is the whole plan of one statement of a request.
type Plan struct {
	Project       string         `json:"project"`
	CorrelationID string         `json:"correlation_id"`
	N             int            `json:"n"` // its place among the request's statements in order of start, from 1
	Key           string         `json:"key"`
	Text          string         `json:"text"`
	StartedAt     look.Timestamp `json:"started_at"`
	DurationMS    *float64       `json:"duration_ms,omitzero"`
	PlanningMS    *float64       `json:"planning_ms,omitzero"` // absent where the plan does not give it: auto_explain's never does
	JITMS         *float64       `json:"jit_ms,omitzero"`
	TriggersMS    *float64       `json:"triggers_ms,omitzero"`

	Lines    []plan.Line    `json:"lines"`
	Findings []plan.Finding `json:"findings"`
	Notes    []string       `json:"notes"`
	Settings []Setting      `json:"settings,omitzero"` // that differed from the server's defaults
	Shape    string         `json:"shape,omitzero"`
	Copy     string         `json:"plan"` // EXPLAIN's JSON, to paste into another viewer
}

// Setting is a server's setting.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Plan returns the plan of the n-th statement of a request, from 1.
func (v *Views) Plan(ctx context.Context, project, id string, n int) (*Plan, error) {
	entries, err := v.records(ctx, project, id)
	if err != nil {
		return nil, err
	}
	statements := look.Statements(entries)
	if n < 1 || n > len(statements) {
		return nil, ErrNotFound
	}
	e := &statements[n-1]
	p := plan.Parse([]byte(e.Payload))
	page := &Plan{Project: project, CorrelationID: id, N: n, Key: statementKey(e), Text: v.sql(e.Name), StartedAt: stamp(e.Timestamp), DurationMS: rounded(e.DurationMS),
		PlanningMS: positive(p.PlanningMS), JITMS: positive(p.JITMS), TriggersMS: positive(p.TriggersMS),
		Lines: list(p.Lines(v.Values)), Findings: list(p.Findings), Notes: list(p.Notes), Shape: p.Shape(), Copy: e.Payload}
	if !v.Values {
		page.Copy = plan.Mask(page.Copy)
	}
	for _, s := range p.Settings {
		page.Settings = append(page.Settings, Setting{s.Name, s.Value})
	}
	return page, nil
}

// positive is nil for 0, which stands for what is not given.
func positive(ms float64) *float64 {
	if ms <= 0 {
		return nil
	}
	return &ms
}
