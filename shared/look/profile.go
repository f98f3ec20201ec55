package look

import (
	"slices"

	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/statement"
)

// Profile is what a look shows of the page's profile.
type Profile struct {
	Kind      profile.Kind       `json:"kind"` // edges, samples, spans
	TotalMS   float64            `json:"total_ms"`
	Functions []profile.Function `json:"functions"` // those with most time of their own
	LeftOut   int                `json:"functions_left_out,omitzero"`
	HotPath   []profile.Step     `json:"hot_path,omitzero"`
	Notes     []string           `json:"notes,omitzero"`

	Whole *profile.Profile `json:"-"` // to draw from; its names are as they were sent
}

// readProfile fills Profile; one that is none leaves notes.
func (l *Look) readProfile(r *request, options Options) {
	p := profile.Parse([]byte(r.page.Payload))
	r.profile = p
	switch p.Kind {
	case profile.None:
		l.note("The PHP agent sent no profile.")
		return
	case profile.Unknown:
		l.Notes = append(l.Notes, p.Notes...)
		return
	}
	name := func(s string) string {
		if p.Kind == profile.Spans && !options.Values {
			s = statement.Mask(s) // spans are often named by their SQL
		}
		return clip(s, shortText)
	}
	shown := &Profile{Kind: p.Kind, TotalMS: p.TotalMS, Notes: p.Notes, Whole: p}
	shown.Functions = slices.Clone(p.Functions[:min(len(p.Functions), maxFunctions)])
	shown.LeftOut = len(p.Functions) - len(shown.Functions)
	for i := range shown.Functions {
		f := &shown.Functions[i]
		f.Name, f.File = name(f.Name), clip(f.File, shortText)
	}
	shown.HotPath = slices.Clone(p.HotPath[:min(len(p.HotPath), maxSteps)])
	for i := range shown.HotPath {
		shown.HotPath[i].Name = name(shown.HotPath[i].Name)
	}
	if p.Kind == profile.Edges {
		shown.Notes = append(slices.Clone(p.Notes), profile.NoFlameGraph)
	}
	l.Profile = shown
}
