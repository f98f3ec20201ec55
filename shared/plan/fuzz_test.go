package plan

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// FuzzPlan: whatever comes, nothing panics, each figure is finite and not negative, each index is inside, and a mask is
// JSON where the plan was, the same when masked again, and without a literal that the plan has.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"text":"x"}`, `{"Plan":{"Node Type":"Limit","Plans":[{"Node Type":"Sort","Actual Rows":1,"Actual Loops":2,"Actual Total Time":"3"}]}}`,
		`{"Plan":{"Node Type":"Gather","Workers Planned":2,"Workers Launched":1,"Actual Rows":1,"Actual Loops":1,"Plans":[{"Subplan Name":"InitPlan 1 (returns $0)","Parent Relationship":"InitPlan"},{"Filter":"(a = $0)","x":[1,{}]}]}}`,
		`{"Plan":{"Node Type":"Hash Join","Plans":[{"Node Type":"Hash","Hash Batches":2,"Workers":[{"Sort Space Used":1}]},{"Node Type":"CTE Scan","CTE Name":"c"},{"Subplan Name":"CTE c","Parent Relationship":"InitPlan"}]},"Settings":{"work_mem":"4MB"}}`,
		`{"Filter":"(a = 'sec\u00`, "[1,\"a\\", `{"Query Text":"E'\\'"}`,
	} {
		f.Add(s, "planted")
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		p := Parse([]byte(text))
		if len(p.Nodes) == 0 && len(p.Notes) != 1 {
			t.Fatalf("%q has no tree, and the notes %q", text, p.Notes)
		}
		for i, n := range p.Nodes {
			if n.Parent >= i || n.end <= i || n.end > len(p.Nodes) || (n.Parent < 0) != (i == 0) {
				t.Fatalf("%q: node %d is not in its place", text, i)
			}
			for _, x := range []float64{n.TotalMS, n.ExclusiveMS, n.Share, n.OwnTemp, n.Loops} {
				if !(x >= 0) || math.IsInf(x, 0) {
					t.Fatalf("%q: node %d has the figure %v", text, i, x)
				}
			}
		}
		for _, f := range p.Findings {
			if f.Node < -1 || f.Node >= len(p.Nodes) || f.Text == "" || f.ExplainsMS != nil && !(*f.ExplainsMS >= 0) {
				t.Fatalf("%q: %+v", text, f)
			}
		}
		for _, l := range p.Lines(true) {
			_ = l.String()
		}
		p.Shape()

		mask := Mask(text)
		if again := Mask(mask); again != mask {
			t.Fatalf("%q is masked as %q and then as %q", text, mask, again)
		}
		if json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && !json.Valid([]byte(mask)) {
			t.Fatalf("%q is masked as %q, which is no JSON", text, mask)
		}

		// A literal of any content in a plan, whole and cut off anywhere: no part of it is shown.
		const marker = "MARKER"
		quoted, err := json.Marshal("(a = '" + marker + strings.ReplaceAll(secret, "'", "''") + marker + "') AND b")
		if err != nil {
			return
		}
		plan := `{"Plan":{"Node Type":"Result","Filter":` + string(quoted) + `,"Output":[` + string(quoted) + `]}}`
		for cut := len(plan); cut > 0; cut -= 1 + cut/20 {
			if got := Mask(plan[:cut]); strings.Contains(got, marker) {
				t.Fatalf("%q is masked as %q", plan[:cut], got)
			}
			text, err := json.Marshal(map[string]string{"text": strings.ToValidUTF8(plan[:cut], "")})
			if got := Mask(string(text)); err != nil || strings.Contains(got, marker) {
				t.Fatalf("%q is masked as %q", text, got)
			}
		}
	})
}
