package profile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShapes: which kind a text is, what is left out of it, and what the notes say.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		kind      Kind
		skipped   int
		totalMS   float64
		note      string
	}{
		{"no profile", `{}`, None, 0, 0, "sent no profile"},
		{"PHP's empty array", ` [ ] `, None, 0, 0, "sent no profile"},
		{"nothing", ``, Unknown, 0, 0, "not JSON"},
		{"null", `null`, Unknown, 0, 0, "no shape"},
		{"a list", `[1,{"main()":{"ct":1,"wt":1}}]`, Unknown, 0, 0, "no shape"},
		{"other fields", `{"a":1,"b":[{"ct":1}],"c":{"d":null}}`, Unknown, 0, 0, "no shape"},
		{"XHProf's sample mode", `{"1763843023.5":"main()==>f"}`, Unknown, 0, 0, "no shape"},
		{"cut text", `{"main()":{"ct":1,"wt":1},"main()==>f":{"ct"`, Unknown, 0, 0, "not JSON"},
		{"a string that does not end", `{"a":"\"}`, Unknown, 0, 0, "not JSON"},
		{"a name that is none", `{a:1}`, Unknown, 0, 0, "not JSON"},
		{"no colon", `{"a" {"ct":1}}`, Unknown, 0, 0, "not JSON"},
		{"no comma", `{"a":1 "b":2}`, Unknown, 0, 0, "not JSON"},
		{"two texts", `{"main()":{"ct":1,"wt":1}}{}`, Unknown, 0, 0, "not JSON"},
		{"brackets that close nothing", `{"a":]}`, Unknown, 0, 0, "not JSON"},
		{"a deep value", `{"a":` + strings.Repeat(`[`, 1e6) + strings.Repeat(`]`, 1e6) + `}`, Unknown, 0, 0, "no shape"},

		{"edges", `{"main()":{"ct":1,"wt":2000},"main()==>f":{"ct":1,"wt":1500}}`, Edges, 0, 2, ""},
		{"counts alone", `{"main()==>f":{"ct":3}}`, Edges, 0, 0, ""},
		{"several roots", `{"a":{"ct":1,"wt":1000},"b":{"ct":1,"wt":2000},"main()":{"ct":1,"wt":0}}`, Edges, 0, 3, ""},
		{"a root that also has callers", `{"a":{"ct":1,"wt":1000},"b":{"ct":1,"wt":2000},"a==>b":{"ct":1,"wt":500}}`, Edges, 0, 3, ""},
		{"a root without an entry", `{"main()==>f":{"ct":1,"wt":1000}}`, Edges, 0, 1, ""},
		{"a cycle without a root", `{"a==>b":{"ct":1,"wt":1000},"b==>a":{"ct":1,"wt":900}}`, Edges, 0, 1, ""},
		{"a function that is its own caller", `{"a==>a":{"ct":1,"wt":1000}}`, Edges, 0, 1, ""},
		{"names of other shapes", `{"spans":{"ct":1,"wt":1000},"profiles":{"ct":1,"wt":1000},"stacks":{"ct":1,"wt":1000}}`, Edges, 0, 3, ""},
		{"one edge twice: the last", `{"a":{"ct":1,"wt":1000},"a":{"ct":1,"wt":2000}}`, Edges, 1, 2, "left out: 1"},
		{"edges that are none", `{"a":{"ct":1,"wt":1000},"b":1,"c":{},"d":{"ct":"x"},"==>e":{"ct":1},"f==>":{"ct":1},"g":{"ct":[]},"h":{"wt":1e999},"":{"ct":1},"i":{"ct":1,"wt":18446744073709551615}}`, Edges, 9, 1, "left out: 9"},
		{"negative times", `{"a":{"ct":-5,"wt":-1000},"b":{"ct":1,"wt":1000,"cpu":-1,"mu":-1,"pmu":-9007199254740992}}`, Edges, 0, 1, ""},

		{"collapsed", `{"collapsed":"a;b 2\na 1\n","period_ms":2}`, Samples, 0, 6, ""},
		{"period behind", `{"period_ms":"0.5","format":"collapsed","stacks":"a 1"}`, Samples, 0, 0.5, ""},
		{"no period", `{"collapsed":"a;b 2"}`, Samples, 0, 2, "counts as 1 ms"},
		{"stacks that are none", `{"collapsed":"a 1\n\nb\nc x\nd -1\n 5\ne 1e3\nf 99999999999999999999\r\n\ng h;i 0\r\nj k 2","period_ms":1}`, Samples, 6, 3, "left out: 6"},
		{"no stack", `{"collapsed":"","period_ms":1}`, Samples, 0, 0, ""},
		{"not a string", `{"collapsed":["a 1"]}`, Unknown, 0, 0, "no shape"},

		{"speedscope", speedscopeDocument("milliseconds", `"samples":[[0],[0,1]],"weights":[1,2]`), Samples, 0, 3, ""},
		{"weights first", speedscopeDocument("seconds", `"weights":[0.001,2e-3],"samples":[[0],[0,1]]`), Samples, 0, 3, ""},
		{"microseconds", speedscopeDocument("microseconds", `"weights":[1000,2000],"samples":[[0],[0,1]]`), Samples, 0, 3, ""},
		{"nanoseconds", speedscopeDocument("nanoseconds", `"weights":[1000000,2000000],"samples":[[0],[0,1]]`), Samples, 0, 3, ""},
		{"counts", speedscopeDocument("none", `"weights":[1,2],"samples":[[0],[0,1]]`), Samples, 0, 3, "counts as 1 ms"},
		{"bytes", speedscopeDocument("bytes", `"weights":[1,2],"samples":[[0],[0,1]]`), Unknown, 0, 0, `"bytes", which is no time`},
		{"samples that are none", speedscopeDocument("milliseconds", `"samples":[[0],[2],[-1],[0.5],["x"],7,[],[0],[0],[1]],"weights":[1,1,1,1,1,1,1,-1,null]`), Samples, 9, 1, "left out: 9"},
		{"neither samples nor events", speedscopeDocument("milliseconds", `"x":1`), Samples, 1, 0, "left out: 1"},
		{"frames behind", `{"profiles":[{"unit":"milliseconds","samples":[[0]],"weights":[1]}],"shared":{"frames":[{"name":"a"}]}}`, Samples, 0, 1, ""},
		{"no frames", `{"profiles":[{"unit":"milliseconds","samples":[[0]],"weights":[1]}]}`, Samples, 1, 0, "left out: 1"},
		{"events", speedscopeDocument("milliseconds", `"events":[{"type":"O","frame":0,"at":5},{"type":"O","frame":1,"at":6},{"type":"C","frame":1,"at":8},{"type":"C","frame":0,"at":9}]`), Samples, 0, 4, ""},
		{"events that are none", speedscopeDocument("milliseconds", `"events":[{"type":"C","frame":0,"at":5},{"type":"O","frame":0,"at":6},{"type":"O","frame":9,"at":8},{"type":"C","frame":1,"at":9},{"type":"C","frame":0,"at":5},{},7,{"type":"C","frame":0,"at":8}]`), Samples, 6, 2, "left out: 6"},

		{"spans", `{"spans":[` + spanText("a", "1", "", 1, 5) + `,` + spanText("b", "2", "1", 2, 4) + `]}`, Spans, 0, 4, ""},
		{"no span", `{"spans":[]}`, Spans, 0, 0, ""},
		{"spans that are none", `{"spans":[1,{},` + spanText("a", "1", "", 5, 1) + `,{"name":["x"],"startTimeUnixNano":1,"endTimeUnixNano":{}},` + spanText("b", "2", "9", 2, 4) + `,` + spanText("b", "2", "", 2, 4) + `]}`, Spans, 5, 2, "left out: 5"},
		{"spans that are their own ancestors", `{"spans":[` + spanText("a", "1", "2", 1, 5) + `,` + spanText("b", "2", "1", 2, 4) + `,` + spanText("c", "3", "3", 2, 4) + `]}`, Spans, 3, 0, "left out: 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Parse([]byte(c.raw))
			require.Equal(t, c.kind, p.Kind, p.Notes)
			requireSound(t, p)
			require.Equal(t, c.skipped, p.Skipped)
			require.InDelta(t, c.totalMS, p.TotalMS, 1e-9)
			if c.note == "" {
				require.Empty(t, p.Notes)
			} else {
				require.Contains(t, strings.Join(p.Notes, "\n"), c.note)
			}
		})
	}
}

func speedscopeDocument(unit, profile string) string {
	return fmt.Sprintf(`{"$schema":"x","shared":{"x":[],"frames":[{"name":"a"},{"name":"b","file":"\/srv\/b.php","line":7}]},"profiles":[{"type":"x","unit":%q,%s}]}`, unit, profile)
}

func spanText(name, id, parent string, startMS, endMS int64) string {
	return fmt.Sprintf(`{"name":%q,"spanId":%q,"parentSpanId":%q,"startTimeUnixNano":"%d","endTimeUnixNano":%d,"kind":3}`,
		name, id, parent, 1763843023e9+startMS*1e6, 1763843023e9+endMS*1e6)
}

// TestNames: names come through as they were sent, whatever is in them.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ literal, name string }{
		{`Shop\\View\\Engine`, `Shop\View\Engine`},
		{`\/srv\/a.php`, "/srv/a.php"},
		{`a\u0000b`, "a\x00b"},
		{`\u202eabc`, "\u202eabc"},
		{`caf\u00e9 \ud83d\ude00 \ud800x \ud800\u0041`, "café 😀 \ufffdx \ufffdA"},
		{`</script><svg onload=1>`, `</script><svg onload=1>`},
		{`\\new\\table \\\"q\\\"\b\f\t\u0041`, "\\new\\table \\\"q\\\"\b\f\tA"},
		{`ends with \\\\`, `ends with \\`},
		{`class@anonymous`, "class@anonymous"},
		{`a@1x`, "a@1x"},
		{`@1`, "@1"},
		{`a@`, "a@"},
		{`a@99999999999`, "a@99999999999"},
		{long, long},
	} {
		for _, raw := range []string{
			`{"` + c.literal + `":{"ct":1,"wt":1}}`,
			`{"main()==\u003E` + c.literal + `":{"ct":1,"wt":1}}`,
			`{"stacks":"x;` + c.literal + ` 1\nx;` + c.literal + ` 2\n"}`,
			`{"shared":{"frames":[{"name":"` + c.literal + `"}]},"profiles":[{"samples":[[0]],"weights":[1]}]}`,
		} {
			p := Parse([]byte(raw))
			require.NotEmpty(t, p.Functions, raw[:min(80, len(raw))])
			require.Equal(t, c.name, p.Functions[0].Name)
		}
	}
	// A line end in a name would be two lines of collapsed stacks, which only an escape can tell from \n.
	require.Len(t, Parse([]byte(`{"stacks":"a\\nb 1\u000ac 1"}`)).Functions, 2)
}

// TestDeep: stacks deeper and trees larger than a page can show are cut, with a note, and all the time is still there.
func TestDeep(t *testing.T) {
	deep := strings.Repeat("a;b;", 500_000)
	var wide strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&wide, `%d;x%d 1\n`, i, i%500)
	}
	var events strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&events, `{"type":"O","frame":0,"at":%d},`, i)
	}
	for i := range 20_000 {
		fmt.Fprintf(&events, `{"type":"C","frame":0,"at":%d},`, 20_000+i)
	}
	for _, c := range []struct {
		name, raw string
		totalMS   float64
		cut       bool
	}{
		{"a million frames", `{"stacks":"` + deep + `c 3\na 1","period_ms":1}`, 4, true},
		{"a million frames of speedscope", speedscopeDocument("milliseconds", `"samples":[[`+strings.Repeat("0,1,", 500_000)+`0],[0]],"weights":[3,1]`), 4, true},
		{"many stacks", `{"stacks":"` + wide.String() + `","period_ms":1}`, 100_000, true},
		{"deep events", speedscopeDocument("milliseconds", `"events":[`+strings.TrimSuffix(events.String(), ",")+`]`), 39_999, true},
		{"4,096 frames", `{"stacks":"` + strings.Repeat("a;", 4095) + `a 1"}`, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Parse([]byte(c.raw))
			require.Equal(t, Samples, p.Kind)
			require.Zero(t, p.Skipped)
			require.InDelta(t, c.totalMS, p.TotalMS, 1e-6)
			require.Equal(t, c.cut, strings.Contains(strings.Join(p.Notes, ""), deeper))
			require.LessOrEqual(t, len(p.tree.nodes), 2*maxNodes)
			requireSound(t, p)
		})
	}

	t.Run("many edges", func(t *testing.T) {
		var edges strings.Builder
		for i := range maxEdges + 5 {
			fmt.Fprintf(&edges, `"main()==>%d":{"ct":1,"wt":1000},`, i)
		}
		p := Parse([]byte("{" + strings.TrimSuffix(edges.String(), ",") + "}"))
		require.Zero(t, p.Skipped)
		require.Equal(t, []string{"The profile is larger than a page can show: its last 5 edges are left out."}, p.Notes)
		require.InDelta(t, maxEdges, p.TotalMS, 1e-6)
	})

	t.Run("a chain of calls", func(t *testing.T) {
		var chain, spans []string
		for i := range 50_000 {
			chain = append(chain, fmt.Sprintf(`"f%d==>f%d":{"ct":1,"wt":1000}`, i, i+1))
			spans = append(spans, spanText("x", fmt.Sprint(i+1), fmt.Sprint(i), 0, 10))
		}
		p := Parse([]byte("{" + strings.Join(chain, ",") + "}"))
		require.Len(t, p.Functions, 50_001)
		require.InDelta(t, 1, p.TotalMS, 1e-9)
		require.Len(t, p.HotPath, maxDepth)
		requireSound(t, p)
		p = Parse([]byte(`{"spans":[` + strings.Join(spans, ",") + `]}`))
		require.Equal(t, 49_999, p.Spans[49_999].Depth)
		require.InDelta(t, 10, p.Functions[0].TotalMS, 1e-9, "spans within one of their name count once")
		requireSound(t, p)
	})
}
