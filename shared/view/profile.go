package view

import (
	"context"
	"slices"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/store"
)

// Profile is the whole profile of a request's page.
type Profile struct {
	Project       string             `json:"project"`
	CorrelationID string             `json:"correlation_id"`
	Name          string             `json:"name"`
	StartedAt     look.Timestamp     `json:"started_at"`
	DurationMS    *float64           `json:"duration_ms,omitzero"`
	Kind          profile.Kind       `json:"kind"`
	TotalMS       float64            `json:"total_ms"`
	Functions     []profile.Function `json:"functions"` // most self time first
	HotPath       []profile.Step     `json:"hot_path,omitzero"`
	Spans         []profile.Span     `json:"spans,omitzero"`
	Flame         *profile.Flame     `json:"flame,omitzero"` // of samples
	Notes         []string           `json:"notes"`
	Function      *Function          `json:"function,omitzero"` // the one that was asked for
}

// Function is one function with what called it and what it called.
type Function struct {
	N int `json:"n"` // its place in Functions, from 1
	profile.Function
	Callers []profile.Call `json:"callers"` // longest first
	Callees []profile.Call `json:"callees"`
}

// What a flame graph has at most: what is narrower than half a pixel of a wide screen is not seen.
const (
	minShare = 0.0004
	maxBoxes = 800
)

// Profile returns the profile of a request. function, from 1, is the place of one of its functions to tell more of; 0 is
// none.
func (v *Views) Profile(ctx context.Context, project, id string, function int) (*Profile, error) {
	entries, err := v.records(ctx, project, id)
	if err != nil {
		return nil, err
	}
	var of *store.Entry
	for i := range entries {
		if e := &entries[i]; e.Source == PHP && (of == nil || value(e.DurationMS) > value(of.DurationMS)) {
			of = e
		}
	}
	if of == nil {
		return nil, ErrNotFound
	}
	p := profile.Parse([]byte(of.Payload))
	if function < 0 || function > len(p.Functions) {
		return nil, ErrNotFound
	}
	page := &Profile{Project: project, CorrelationID: id, Name: v.uri(of.Name), StartedAt: stamp(of.Timestamp), DurationMS: rounded(of.DurationMS),
		Kind: p.Kind, TotalMS: p.TotalMS, Functions: list(p.Functions), HotPath: slices.Clone(p.HotPath), Spans: slices.Clone(p.Spans), Notes: list(p.Notes)}
	switch p.Kind {
	case profile.Samples:
		flame := p.Flame(minShare, maxBoxes)
		flame.Boxes = list(flame.Boxes)
		page.Flame = &flame
	case profile.Edges:
		page.Notes = append(page.Notes, profile.NoFlameGraph)
	}
	if function > 0 {
		page.Function = &Function{N: function, Function: p.Functions[function-1]}
		callers, callees := p.Butterfly(page.Function.Name)
		page.Function.Callers, page.Function.Callees = list(callers), list(callees)
	}
	v.clipNames(page)
	return page, nil
}

// list returns a copy that JSON has as a list, never as null.
func list[T any](s []T) []T { return append([]T{}, s...) }

// clipNames makes the names of a profile such as may be shown. Spans are often named by their SQL.
func (v *Views) clipNames(page *Profile) {
	name := func(s *string) {
		if page.Kind == profile.Spans && !v.Values {
			*s = statement.Mask(*s)
		}
		*s = clip(*s)
	}
	for i := range page.Functions {
		name(&page.Functions[i].Name)
	}
	for i := range page.HotPath {
		name(&page.HotPath[i].Name)
	}
	for i := range page.Spans {
		name(&page.Spans[i].Name)
	}
	if f := page.Function; f != nil {
		name(&f.Name)
		for _, calls := range [][]profile.Call{f.Callers, f.Callees} {
			for i := range calls {
				name(&calls[i].Name)
			}
		}
	}
}
