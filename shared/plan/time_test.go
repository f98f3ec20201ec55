package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTimes: exclusive times as pev2 counts them, node by node.
func TestTimes(t *testing.T) {
	leaf := func(text string) string { return node("Seq Scan est=1 act=1 " + text) }
	for _, c := range []struct {
		name, tree string
		want       []float64
		note       string // its beginning
	}{
		{"less what is below", node("Sort act=1 x=1 ms=10", leaf("as=Outer x=1 ms=7")), []float64{3, 7}, ""},
		{"loops", node("Nested Loop act=1 x=1 ms=10", leaf("as=Outer x=1 ms=1"), leaf("as=Inner x=4 ms=2")), []float64{1, 1, 8}, ""},
		{"below a Gather the loops ran side by side", node("Sort act=1 x=1 ms=12", node("Gather act=1 x=1 ms=10 planned=3 launched=2", node("Sort act=1 x=3 ms=9", leaf("x=3 ms=5")))), []float64{2, 1, 4, 5}, ""},
		{"a Gather without a worker", node("Gather act=1 x=1 ms=10 planned=2 launched=0", leaf("x=1 ms=9")), []float64{1, 9}, ""},
		{"a SubPlan is a child", node("Result act=1 x=1 ms=10", leaf("as=SubPlan x=3 ms=3")), []float64{1, 9}, ""},
		{"a CTE ran in its reader", node("Sort act=1 x=1 ms=10", leaf("as=InitPlan sub=CTE_c x=1 ms=6"), node("CTE Scan as=Outer cte=c act=1 x=1 ms=8")), []float64{2, 6, 2}, ""},
		{"readers share a CTE by their totals", node("Append act=1 x=1 ms=10", leaf("as=InitPlan sub=CTE_c x=1 ms=5"), node("CTE Scan as=Member cte=c act=1 x=1 ms=8"), node("CTE Scan as=Member cte=c act=1 x=1 ms=2")), []float64{0, 5, 4, 1}, ""},
		{"the working table of a recursive CTE is no reader", node("CTE Scan cte=c act=1 x=1 ms=8", node("Recursive Union as=InitPlan sub=CTE_c act=1 x=1 ms=6", node("WorkTable Scan as=Inner cte=c act=1 x=1 ms=2"))), []float64{2, 4, 2}, ""},
		{"a reader of another CTE of that name inside it", node("CTE Scan cte=c act=1 x=1 ms=8", node("Sort as=InitPlan sub=CTE_c act=1 x=1 ms=6", node("CTE Scan as=Outer cte=c act=1 x=1 ms=4"))), []float64{2, 2, 4}, ""},
		{"a CTE that nobody reads", node("Result act=1 x=1 ms=1", leaf("as=InitPlan sub=CTE_c x=1 ms=6")), []float64{1, 6}, ""},
		{"an InitPlan ran in the node that names it", node("Sort act=1 x=1 ms=10", leaf("as=InitPlan sub=InitPlan_1_(returns_$0) x=1 ms=6"), leaf("as=Outer x=1 ms=8 filter=(a_=_$0)")), []float64{2, 6, 2}, ""},
		{"and not in one that names $01", node("Sort act=1 x=1 ms=10", leaf("as=InitPlan sub=InitPlan_1_(returns_$0) x=1 ms=6"), leaf("as=Outer x=1 ms=8 filter=(a_=_$01)")), []float64{2, 6, 8}, ""},
		{"by its name, since PostgreSQL 17", node("Result act=1 x=1 ms=10 out=[\"(InitPlan_1).col1\"]", leaf("as=InitPlan sub=InitPlan_1 x=1 ms=6")), []float64{4, 6}, ""},
		{"of several that name it, the one that took longest", node("Sort act=1 x=1 ms=10 out=[\"$1\"]", leaf("as=InitPlan sub=InitPlan_1_(returns_$0,$1) x=1 ms=6"), leaf("as=Outer x=1 ms=9 filter=(a_=_$1)")), []float64{1, 6, 3}, ""},
		{"never below 0", node("Nested Loop act=1 x=1 ms=10", leaf("as=Outer x=1 ms=1"), leaf("as=Inner x=100 ms=0.2")), []float64{0, 1, 20}, "Some nodes took 11.0 ms less than what is below them"},
		{"a rounding is no news", node("Result act=1 x=1 ms=10", leaf("as=Outer x=1 ms=10.001")), []float64{0, 10.001}, ""},
		{"never executed", node("Result act=1 x=1 ms=1", leaf("as=Outer x=0 ms=0")), []float64{1, 0}, ""},
		{"absurd loops", node("Result act=1 x=1e15 ms=1e15", leaf("as=Outer x=1e300 ms=5")), []float64{1e30, 0}, ""},
		{"numbers as strings", node(`Result act="1" x="2" ms="1.5"`), []float64{3}, ""},
		{"negative", node("Result act=1 x=1 ms=-4"), []float64{0}, "The plan has no times"},
		{"without ANALYZE", node("Result est=1", leaf("as=Outer")), []float64{0, 0}, "The plan has no times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(c.tree)
			require.Len(t, p.Nodes, len(c.want))
			share := 0.0
			for i, n := range p.Nodes {
				require.InDelta(t, c.want[i], n.ExclusiveMS, 1e-9, "node %d", i)
				share += n.Share
			}
			if c.note == "" {
				require.Empty(t, p.Notes)
				require.True(t, p.Timed)
			} else {
				require.Len(t, p.Notes, 1)
				require.Contains(t, p.Notes[0], c.note)
			}
			for i, l := range p.Lines(false) {
				require.Equal(t, p.Nodes[i].Timed, l.ExclusiveMS != nil)
				require.Equal(t, p.Nodes[i].Timed, l.Share != nil)
			}
		})
	}
}

// TestTotal: a share is of the whole execution, triggers and all, where the plan gives it.
func TestTotal(t *testing.T) {
	p := parse(node("Result act=1 x=1 ms=2"), `"Execution Time":8,"Planning Time":"0.5","Triggers":[{"Time":4},{"Time":1.5},7]`)
	require.Equal(t, []float64{8, 8, 0.5, 5.5, 0.25}, []float64{p.TotalMS, p.ExecutionMS, p.PlanningMS, p.TriggersMS, p.Nodes[0].Share})
}
