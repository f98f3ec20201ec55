package look

import (
	"fmt"

	"github.com/bitville/listener/shared/plan"
)

// findings returns what is wrong with a statement's plans: the same finding of several executions once, with the sum of
// their times and the text of the one that it costs most.
func (s *Statement) findings() []Finding {
	type same struct {
		kind, shape, advice string // planning and JIT differ in their advice alone
		node                int
	}
	index := make(map[same]int)
	var found []Finding
	var most []float64
	for _, h := range s.all {
		if h.plan == nil || len(h.plan.Findings) == 0 {
			continue
		}
		shape := h.plan.Shape()
		for _, f := range h.plan.Findings {
			k := same{f.Kind, shape, f.Advice, f.Node}
			at, ok := index[k]
			if !ok {
				at = len(found)
				index[k] = at
				found, most = append(found, Finding{Kind: f.Kind}), append(most, -2)
			}
			one := &found[at]
			one.Times++
			cost := value(f.ExplainsMS)
			if cost >= 0 {
				one.ExplainsMS = known(max(value(one.ExplainsMS), 0) + cost)
			}
			if cost > most[at] {
				most[at] = cost
				one.Text, one.Advice, one.Plan, one.Node = f.Text, f.Advice, h.n, nodeOf(f)
			}
			if f.Kind == "rows_off" {
				one.Level = max(one.Level, f.Level)
			}
		}
	}
	for i := range found {
		if n := found[i].Times; n > 1 {
			found[i].Text += fmt.Sprintf(" The same in %s executions.", count(n))
		}
	}
	return found
}

func nodeOf(f plan.Finding) *int {
	if f.Node < 0 {
		return nil
	}
	return &f.Node
}
