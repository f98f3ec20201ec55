package plan

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// explained is the real plans: twelve of auto_explain and EXPLAIN, from PostgreSQL 15.
func explained(t testing.TB) (payloads []json.RawMessage) {
	body, err := os.ReadFile("../../testdata/payloads/postgres-auto-explain.json")
	require.NoError(t, err)
	var records []struct {
		ProfilingData json.RawMessage `json:"profiling_data"`
	}
	require.NoError(t, json.Unmarshal(body, &records))
	require.Len(t, records, 12)
	for _, r := range records {
		payloads = append(payloads, r.ProfilingData)
	}
	return payloads
}

// draw writes a plan as a terminal would show it.
func draw(p *Plan) string {
	var b strings.Builder
	for _, n := range p.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, l := range p.Lines(false) {
		fmt.Fprintln(&b, strings.TrimRight(l.String(), " "))
		for _, s := range append(l.Conditions, l.Details...) {
			fmt.Fprintln(&b, strings.Repeat(" ", 46+2*l.Depth)+s)
		}
	}
	for _, f := range p.Findings {
		explains := "?"
		if f.ExplainsMS != nil {
			explains = ms(*f.ExplainsMS)
		}
		fmt.Fprintf(&b, "%s, level %d, node %d, %s: %s %s\n", f.Kind, f.Level, f.Node, explains, f.Text, f.Advice)
	}
	fmt.Fprintln(&b, "shape", p.Shape())
	return b.String()
}

// TestExplained draws the real plans.
func TestExplained(t *testing.T) {
	var b strings.Builder
	for i, payload := range explained(t) {
		fmt.Fprintf(&b, "plan %d\n%s\n", i, draw(Parse(payload)))
	}
	const golden = "testdata/explained.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./shared/plan -update, and look at the difference")
}

// TestFindingsOfRealPlans counts what the rules find: one sort on disk, three scans of whole tables, and none of the three
// estimates that look wrong.
func TestFindingsOfRealPlans(t *testing.T) {
	count := map[string]int{}
	suspects := 0
	for _, payload := range explained(t) {
		p := Parse(payload)
		for _, f := range p.Findings {
			count[f.Kind]++
		}
		for _, n := range p.Nodes {
			if estimated, actual := max(n.EstimatedRows, 1), max(n.ActualRows, 1); n.Estimated && max(estimated/actual, actual/estimated) > rowsFactor {
				suspects++
			}
		}
	}
	require.Equal(t, 3, suspects)
	require.Equal(t, map[string]int{"spilled": 1, "seq_scan": 3, "worst_node": 1}, count)
}

// TestExclusiveTimes: what the nodes took by themselves adds up to the plan.
func TestExclusiveTimes(t *testing.T) {
	for i, payload := range explained(t) {
		p := Parse(payload)
		require.True(t, p.Timed)
		require.Equal(t, len(p.Nodes), p.Nodes[0].end)
		sum := 0.0
		for _, n := range p.Nodes {
			sum += n.ExclusiveMS
		}
		require.InEpsilon(t, p.Nodes[0].TotalMS, sum, 0.02, "plan %d", i)
	}
}
