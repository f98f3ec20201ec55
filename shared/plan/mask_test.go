package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ name, plan, want string }{
		{"expressions", `{"Filter": "(a = 'x'::text)", "Output": ["8", "'s'", "a.b"], "Sort Key" :["(a + 1)"],"Table Function Call":"f('s')","Remote SQL":"SELECT 1"}`,
			`{"Filter": "(a = ?::text)", "Output": ["?", "?", "a.b"], "Sort Key" :["(a + ?)"],"Table Function Call":"f(?)","Remote SQL":"SELECT ?"}`},
		{"names, figures and settings stay", `{"Settings":{"work_mem":"64kB","x":"'1'"},"Subplan Name": "InitPlan 1 (returns $0)", "Alias":"t1_1 2","Plan Rows":10,"I/O Read Time":0.000,"Query Identifier":-5505840041513368063,"Node Type":"Result"}`, ""},
		{"behind the settings", `{"Settings":{"work_mem":"64kB"},"x":"64kB"}`, `{"Settings":{"work_mem":"64kB"},"x":"?"}`},
		{"a literal with quotes and escapes", `{"Query Text":"SELECT \"A\\\\\", E'it\\'s \"x\"', '<&>', a<>'\u0041\/'"}`, `{"Query Text":"SELECT \"A\\\\\", ?, ?, a<>?"}`},
		{"white space stays", "{\n  \"Filter\":\t\"(a > 1)\"\n}", "{\n  \"Filter\":\t\"(a > ?)\"\n}"},
		{"cut off in a literal", `{"Query Text":"SELECT E'a\\\\' , 'sec`, `{"Query Text":"SELECT ? , ?"`},
		{"cut off in an escape", `{"Filter":"(a = 'sec\u00`, `{"Filter":"(a = ?"`},
		{"cut off behind a backslash", `{"Filter":"(a = 'sec\`, `{"Filter":"(a = ?"`},
		{"cut off behind an escaped quote", `{"Filter":"(\"a\" = 'sec\"`, `{"Filter":"(\"a\" = ?"`},
		{"cut off in a list", `{"Output":["a","'sec`, `{"Output":["a","?"`},
		{"cut off in a name", `{"Filter":"(a)","Rows Rem`, `{"Filter":"(a)","Rows Rem`},
		{"no JSON string", "{\"Filter\":\"\\x'sec\x00", `{"Filter":"?"`},
		{"text format", "Seq Scan on t  (cost=0.00..1.50 rows=1)\n  Filter: (\"A\" = 'sec')", "Seq Scan on t  (cost=?.?? rows=?)\n  Filter: (A = ?)"},
		{"YAML", "Filter: \"(a = 'sec')\"", "Filter: (a = ?)"},
		{"cut off by the log", `{"text":"{\"Filter\": \"(a = 'sec"}`, `{"text":"{\"Filter\": \"(a = ?\""}`},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == "" {
				c.want = c.plan
			}
			require.Equal(t, c.want, Mask(c.plan))
		})
	}
}

// TestMaskOfRealPlans: a masked plan is JSON, has the same tree with the same figures, and none of the literals.
func TestMaskOfRealPlans(t *testing.T) {
	for i, payload := range explained(t) {
		mask := Mask(string(payload))
		require.True(t, json.Valid([]byte(mask)))
		want, got := Parse(payload), Parse([]byte(mask))
		require.Equal(t, len(want.Nodes), len(got.Nodes))
		require.Equal(t, want.Shape(), got.Shape())
		require.Equal(t, want.Findings, got.Findings)
		require.Equal(t, want.Lines(false), got.Lines(true), "plan %d", i)
		for _, literal := range []string{"example.org", "2026-0", "37544", "{7,8}", "= 42"} {
			require.NotContains(t, mask, literal)
			for _, l := range want.Lines(false) {
				require.NotContains(t, strings.Join(l.Conditions, " "), literal)
			}
		}
	}
}
