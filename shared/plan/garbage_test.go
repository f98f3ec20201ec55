package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNoTree: what is no plan says so in one sentence.
func TestNoTree(t *testing.T) {
	for _, c := range []struct{ name, payload, note string }{
		{"none", `{}`, "No plan was sent"},
		{"PHP's none", `[]`, "No plan was sent"},
		{"cut off by the log", `{"text":"{\"Plan\": {\"Node Type\": \"Lim"}`, "The log cut this plan off"},
		{"spans", `{"spans":[{"name":"Planner"}]}`, "The plan came as spans"},
		{"something else", `{"a":1}`, "has no Plan in it"},
		{"an empty file", ``, "is not a JSON object"},
		{"not JSON", `"Plan`, "is not a JSON object"},
		{"cut off", `{"Plan":`, "has no Plan in it"},
		{"too large", strings.Repeat(" ", MaxBytes+1), "larger than 4 MiB"},
		{"a plan that is none", `{"Plan":[{"Node Type":"Result"}]}`, "has no Plan in it"},
		{"null", `{"Plan":null,"Query Text":7,"Settings":[],"Triggers":{},"JIT":[1]}`, "has no Plan in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Parse([]byte(c.payload))
			require.Empty(t, p.Nodes)
			require.Empty(t, p.Findings)
			require.Len(t, p.Notes, 1)
			require.Contains(t, p.Notes[0], c.note)
			require.Empty(t, p.Shape())
			require.Empty(t, p.Lines(true))
		})
	}
}

// TestGarbage: wrong types are missing figures, and the rest of the tree is still there.
func TestGarbage(t *testing.T) {
	p := Parse([]byte(`{"Plan":{"Node Type":["a"],"Plan Rows":{"x":[1,"]"]},"Actual Rows":"many","Actual Loops":true,"Actual Total Time":null,"Plans":{"Node Type":"x"},
		"Workers":[1,{"Sort Space Used":"12","Sort Space Type":"Disk"},[]],"Filter":[1,{"a":"b"},"(x = $0)"],"Hash Batches":-3,"Plans":[1,null,{"Node Type":"Result","Plan Rows":5}]},"Plan":{"Node Type":"second"}}`))
	require.Len(t, p.Nodes, 2)
	require.Equal(t, "Node without a type", p.Nodes[0].Name())
	require.False(t, p.Nodes[0].Estimated || p.Nodes[0].Analyzed || p.Nodes[0].Timed)
	require.Equal(t, []Condition{{"Filter", "(x = $0)"}}, p.Nodes[0].Conditions)
	require.Equal(t, 12.0, p.Nodes[0].SortSpace)
	require.Equal(t, "Result", p.Nodes[1].Type)
	require.Equal(t, 5.0, p.Nodes[1].EstimatedRows)
}

// TestLimits: a tree that is too wide or too deep is cut and says so, and costs no more memory than what is kept.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		nodes         int
	}{
		{"wide", `{"Plan":{"Plans":[{}` + strings.Repeat(`,{}`, MaxBytes/3-20) + `]}}`, MaxNodes},
		{"deep", `{"Plan":` + strings.Repeat(`{"Plans":[`, MaxDepth+9) + strings.Repeat(`]}`, MaxDepth+9) + `}`, MaxDepth},
	} {
		p := Parse([]byte(c.payload))
		require.Len(t, p.Nodes, c.nodes, c.name)
		require.Len(t, p.Lines(false), c.nodes)
		require.Contains(t, p.Notes[0], "The plan is cut at 10,000 nodes and 512 levels")
		require.NotEmpty(t, p.Shape())
	}
	var scans []string
	for i := range 3 * maxFindings {
		scans = append(scans, node(fmt.Sprintf("Seq Scan on=t%d as=Member act=10000 x=1", i)))
	}
	p := parse(node("Append", scans...))
	require.Len(t, p.Findings, maxFindings)
	require.Contains(t, p.Notes, "200 smaller findings are left out.")
	require.LessOrEqual(t, len(parse(node("Seq Scan on=" + strings.Repeat("é", 8192))).Lines(false)[0].Text), 310)
}

// TestLineString: a name that a terminal would obey does not reach it, nor does a line get longer than 100 columns.
func TestLineString(t *testing.T) {
	line := parse(node(`Seq Scan on="a\u001b[31m\u202e\nb" est=1234567 act=2e9 x=1 ms=1`)).Lines(false)[0]
	require.Equal(t, "   1.00 ms 100 %     1.23M →       2G     ×1 Seq Scan on a?[31m??b  ! worst", strings.Replace(line.String(), "rows_off, seq_scan", "worst", 1))
	line.Depth, line.Label = 1000, strings.Repeat("é", 1000)
	require.Len(t, []rune(line.String()), 100)
}
