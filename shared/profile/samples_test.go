package profile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSamples: stacks that begin alike share their first frames; a function that is twice in a stack counts once in its
// total, and a pair of caller and callee once.
func TestSamples(t *testing.T) {
	p := Parse([]byte(`{"stacks":"main;a;b 3\nmain;a 1\nmain;b;a;b 4\nother 2","period_ms":0.5}`))
	require.Equal(t, []Function{
		{Name: "b", SelfMS: 3.5, TotalMS: 3.5},
		{Name: "other", SelfMS: 1, TotalMS: 1},
		{Name: "a", SelfMS: 0.5, TotalMS: 4},
		{Name: "main", SelfMS: 0, TotalMS: 4},
	}, p.Functions)
	require.Equal(t, []Step{{Name: "main", MS: 4}, {Name: "a", MS: 2}, {Name: "b", MS: 1.5}}, p.HotPath, "equal weights go by name")

	callers, callees := p.Butterfly("b")
	require.Equal(t, []Call{{Name: "a", MS: 3.5}, {Name: "main", MS: 2}}, callers)
	require.Equal(t, []Call{{Name: "a", MS: 2}}, callees)
	callers, callees = p.Butterfly("nobody")
	require.Empty(t, callers)
	require.Empty(t, callees)

	p = Parse([]byte(`{"stacks":"f;f;g;f;g 2","period_ms":1}`))
	_, callees = p.Butterfly("f")
	require.Equal(t, []Call{{Name: "g", MS: 2}}, callees)
}

// TestEvents: the time between two events is that of the frame that was open last.
func TestEvents(t *testing.T) {
	p := Parse([]byte(speedscopeDocument("milliseconds",
		`"events":[{"type":"O","frame":0,"at":10},{"type":"O","frame":1,"at":11},{"type":"C","frame":1,"at":14},{"type":"O","frame":1,"at":15},{"type":"C","frame":1,"at":16},{"type":"C","frame":0,"at":18},{"type":"O","frame":1,"at":28},{"type":"C","frame":1,"at":29}]`)))
	require.Equal(t, []Function{
		{Name: "b", SelfMS: 5, TotalMS: 5, File: "/srv/b.php", Line: 7, Origin: Own},
		{Name: "a", SelfMS: 4, TotalMS: 8, Origin: Builtin},
	}, p.Functions)
	require.InDelta(t, 9, p.TotalMS, 1e-9, "nothing was open for 10 ms")
}

// TestFlame: boxes stand where their shares say, and what is cut is told.
func TestFlame(t *testing.T) {
	p := Parse([]byte(`{"stacks":"a;b 5\na;c 2\na 1\nd 2","period_ms":1}`))
	boxes := []Box{
		{X: 0, Width: 0.8, Depth: 0, Name: "a", SelfMS: 1, TotalMS: 8},
		{X: 0, Width: 0.5, Depth: 1, Name: "b", SelfMS: 5, TotalMS: 5},
		{X: 0.5, Width: 0.2, Depth: 1, Name: "c", SelfMS: 2, TotalMS: 2},
		{X: 0.8, Width: 0.2, Depth: 0, Name: "d", SelfMS: 2, TotalMS: 2},
	}
	require.Equal(t, Flame{Boxes: boxes, Rows: 2}, p.Flame(0, 10))
	require.Equal(t, Flame{Boxes: boxes[:2], Rows: 2, Cut: 2, CutMS: 4}, p.Flame(0.3, 10))
	require.Equal(t, Flame{Boxes: boxes[:3], Rows: 2, Cut: 1, CutMS: 2}, p.Flame(0, 3), "of equal ones the first")
	require.Equal(t, Flame{Boxes: boxes[:1], Rows: 1, Cut: 3, CutMS: 9}, p.Flame(0, 1))
	require.Equal(t, Flame{Cut: 4, CutMS: 10}, p.Flame(0, 0))
	require.Empty(t, Parse([]byte(`{"main()":{"ct":1,"wt":9}}`)).Flame(0, 10), "edges have none")
	require.Empty(t, Parse([]byte(`{"stacks":""}`)).Flame(0, 10))
}

// TestMerge: the profile of several is that of all their samples.
func TestMerge(t *testing.T) {
	parse := func(stacks string) *Profile { return Parse([]byte(`{"stacks":"` + stacks + `","period_ms":1}`)) }
	merged := Merge(parse(`a;b 1\nc 2`), parse(`c;d 4\na;b;c 8`), Parse([]byte(`{}`)))
	require.Equal(t, 1, merged.Skipped)
	want := parse(`a;b 1\nc 2\nc;d 4\na;b;c 8`)
	require.Equal(t, want.Functions, merged.Functions)
	require.Equal(t, want.Flame(0, 100), merged.Flame(0, 100))
	requireSound(t, merged)
	require.Empty(t, Merge().Functions)

	real := Parse(payloads(t)["php-excimer-speedscope"])
	twice := Merge(real, real)
	require.InDelta(t, 2*real.TotalMS, twice.TotalMS, 1e-9)
	require.Len(t, twice.Functions, len(real.Functions))
	require.Equal(t, real.Functions[0].File, twice.Functions[0].File)
	require.Equal(t, real.Functions[0].Origin, twice.Functions[0].Origin)
}
