package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRules: each rule at its threshold, and each guard against a false alarm.
func TestRules(t *testing.T) {
	const small = "est=1 act=1 x=1 ms=0"
	scan := func(text string) string { return node("Seq Scan on=t " + text) }
	off := scan("as=Outer est=100 act=2000 x=1 ms=1")
	for _, c := range []struct {
		name, tree string
		more       string // members beside the tree
		want       string // kind, level and milliseconds of each finding
	}{
		{"nothing wrong", scan("est=10 act=10 x=1 ms=3"), "", ""},

		{"worst node", scan("est=10 act=10 x=1 ms=5"), "", "worst_node 1 5"},
		{"worst node: under 5 ms", scan("est=10 act=10 x=1 ms=4.9"), "", ""},
		{"worst node: 40 %", node("Limit est=1 act=1 x=1 ms=25", node("Sort as=Outer est=1 act=1 x=1 ms=16", scan("as=Outer est=1 act=1 x=1 ms=8"))), "", ""},
		{"worst node: without times", scan("est=10 act=10 x=1"), "", ""},

		{"rows off", off, "", "rows_off 1 1"},
		{"rows off: 100 times", scan("est=19 act=2000 x=1 ms=1"), "", "rows_off 2 1"},
		{"rows off: 1,000 times, too many estimated", scan("est=1001 act=0 x=1 ms=1"), "", "rows_off 3 1"},
		{"rows off: 10 times is right", scan("est=200 act=2000 x=1 ms=1"), "", ""},
		{"rows off: few rows", scan("est=1 act=999 x=1 ms=1"), "", ""},
		{"rows off: few rows that took long", node("Limit est=1 act=1 x=1 ms=100", node("Sort as=Outer est=11 act=11 x=1 ms=6", scan("as=Outer est=1 act=11 x=1 ms=6"))), "", "worst_node 1 94\nrows_off 1 6"},
		{"rows off: many loops of few rows", scan("est=1 act=20 x=100 ms=0.01"), "", "rows_off 1 1"},
		{"rows off: below a Limit", node("Limit "+small, scan("as=Outer est=100000 act=10 x=1 ms=1")), "", ""},
		{"rows off: deep below a Limit", node("Limit "+small, node("Nested Loop as=Outer join=Inner "+small, scan("as=Outer est=100000 act=10 x=1 ms=1"))), "", ""},
		{"rows off: a Sort reads it whole below a Limit", node("Limit "+small, node("Sort as=Outer est=10 act=10 x=1 ms=1", off)), "", "rows_off 1 1"},
		{"rows off: a sorted Aggregate does not", node("Limit "+small, node("Aggregate how=Sorted as=Outer est=10 act=10 x=1 ms=1", off)), "", ""},
		{"rows off: a hashed one does", node("Limit "+small, node("Aggregate how=Hashed as=Outer est=10 act=10 x=1 ms=1", off)), "", "rows_off 1 1"},
		{"rows off: an inner side that stops at the first match", node("Nested Loop join=Semi "+small, scan("as=Outer "+small), scan("as=Inner est=100000 act=1 x=1 ms=1")), "", ""},
		{"rows off: an inner side of unique rows", node("Nested Loop unique=true "+small, scan("as=Outer "+small), scan("as=Inner est=100000 act=1 x=1 ms=1")), "", ""},
		{"rows off: an inner side that does not stop", node("Nested Loop join=Inner "+small, scan("as=Outer "+small), scan("as=Inner est=100000 act=1 x=1 ms=1")), "", "rows_off 3 1"},
		{"rows off: a side of a Merge Join", node("Merge Join "+small, scan("as=Outer est=100000 act=1 x=1 ms=1")), "", ""},
		{"rows off: nothing in the Hash", node("Hash Join "+small, scan("as=Outer est=100000 act=1 x=1 ms=1"), node("Hash as=Inner est=1 act=0 x=1 ms=0")), "", ""},
		{"rows off: never executed", scan("est=100000 act=0 x=0 ms=0"), "", ""},
		{"rows off: EXISTS", node("Result "+small, scan("as=SubPlan est=100000 act=1 x=1 ms=1")), "", ""},
		{"rows off: an InitPlan", node("Result "+small, scan("as=InitPlan sub=InitPlan_1_(returns_$0) est=100000 act=1 x=1 ms=1")), "", ""},
		{"rows off: a CTE", node("CTE Scan cte=c "+small, scan("as=InitPlan sub=CTE_c est=100000 act=1 x=1 ms=1")), "", "rows_off 3 1"},
		{"rows off: a BitmapAnd counts no rows", node("BitmapAnd est=100000 act=0 x=1 ms=1"), "", ""},
		{"rows off: an INSERT neither", node("ModifyTable est=100000 act=0 x=1 ms=1"), "", ""},
		{"rows off: the lowest node alone", node("Sort est=10 act=2000 x=1 ms=3", node("Hash Join as=Outer est=10 act=2000 x=1 ms=2", off)), "", "rows_off 1 1"},

		{"seq scan", scan("est=1000 act=1000 removed=9000 x=1 ms=1 filter=(a_=_1)"), "", "seq_scan 1 1"},
		{"seq scan: 9,999 rows", scan("est=999 act=999 removed=9000 x=1 ms=1 filter=(a_=_1)"), "", ""},
		{"seq scan: in loops", scan("est=10 act=10 removed=90 x=100 ms=0.01 filter=(a_=_1)"), "", "seq_scan 1 1"},
		{"seq scan: whole table", scan("est=10000 act=10000 x=1 ms=1"), "", "seq_scan 1 1"},

		{"index filter", node("Index Scan index=i on=t est=100 act=100 removed=900 x=1 ms=1 filter=(a_=_1)"), "", "index_filter 1 1"},
		{"index filter: 999 rows", node("Index Scan index=i on=t est=99 act=99 removed=900 x=1 ms=1 filter=(a_=_1)"), "", ""},
		{"index filter: 89 %", node("Index Scan index=i on=t est=110 act=110 removed=890 x=1 ms=1 filter=(a_=_1)"), "", ""},
		{"index filter: of a bitmap", node("Bitmap Heap Scan on=t est=100 act=100 removed=900 x=1 ms=1 filter=(a_=_1)"), "", "index_filter 1 1"},
		{"heap fetches", node(`Index Only Scan index=i on=t est=1000 act=1000 x=1 ms=1`), "", ""},

		{"spilled sort", node(`Sort est=1 act=1 x=1 ms=1 temp=10`, scan(small)), "", "spilled 1 1"},
		{"spilled: the nodes above are not meant", node("Limit est=1 act=1 x=1 ms=3 temp=10", node("Gather as=Outer est=1 act=1 x=1 ms=2 temp=10", node("Sort as=Outer est=1 act=1 x=1 ms=1 temp=10"))), "", "spilled 1 1"},
		{"spilled hash", node("Hash Join est=1 act=1 x=1 ms=3 temp=30", scan("as=Outer "+small), node("Hash as=Inner est=1 act=1 x=1 ms=1 temp=10 batches=4")), "", "spilled 1 1"},
		{"spilled: less than what is below", node("Limit est=1 act=1 x=1 ms=2 temp=5", node("Sort as=Outer est=1 act=1 x=1 ms=1 temp=10")), "", "spilled 1 1"},
		{"one batch", node("Hash est=1 act=1 x=1 ms=1 batches=1"), "", ""},

		{"nested loop", node("Nested Loop join=Inner est=1000 act=1000 x=1 ms=4.9", scan("as=Outer est=1000 act=1000 x=1 ms=1"), node("Index Scan as=Inner index=i on=u est=1 act=1 x=1000 ms=0.003")), "", "nested_loop 1 3"},
		{"nested loop: 999 times", node("Nested Loop join=Inner est=999 act=999 x=1 ms=4.9", scan("as=Outer est=999 act=999 x=1 ms=1"), node("Index Scan as=Inner index=i on=u est=1 act=1 x=999 ms=0.003")), "", ""},
		{"nested loop: 30 %", node("Nested Loop join=Inner est=1000 act=1000 x=1 ms=9.9", scan("as=Outer est=1000 act=1000 x=1 ms=5"), node("Index Scan as=Inner index=i on=u est=1 act=1 x=1000 ms=0.003")), "", "worst_node 1 5"},

		{"workers", node("Gather est=1 act=1 x=1 ms=4.1 planned=2 launched=1", scan("as=Outer est=1 act=1 x=2 ms=3")), "", "workers 1 1"},
		{"workers: all there", node("Gather est=1 act=1 x=1 ms=4.1 planned=2 launched=2", scan("as=Outer est=1 act=1 x=3 ms=3")), "", ""},
		{"workers: without ANALYZE", node("Gather est=1 planned=2"), "", ""},

		{"planning", scan("est=1 act=1 x=1 ms=4"), `"Planning Time":2,"Execution Time":4`, "planning 1 2"},
		{"planning: 29 %", scan("est=1 act=1 x=1 ms=4"), `"Planning Time":1.6,"Execution Time":4`, ""},
		{"planning: under 1 ms", scan("est=1 act=1 x=1 ms=0.1"), `"Planning Time":0.9,"Execution Time":0.1`, ""},
		{"JIT", scan("est=1 act=1 x=1 ms=4"), `"JIT":{"Functions":3,"Timing":{"Generation":1,"Total":1.2}}`, "planning 1 1.2"},
		{"JIT: 29 %", scan("est=1 act=1 x=1 ms=4.5"), `"JIT":{"Timing":{"Total":1.3}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var more []string
			if c.more != "" {
				more = append(more, c.more)
			}
			got := ""
			for _, f := range parse(c.tree, more...).Findings {
				require.NotEmpty(t, f.Text)
				got += fmt.Sprintf("\n%s %d %.4g", f.Kind, f.Level, f.explains())
			}
			if c.want != "" {
				c.want = "\n" + c.want
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestFindingTexts reads the sentences that no real plan gives.
func TestFindingTexts(t *testing.T) {
	for _, c := range []struct{ tree, text, advice string }{
		{node("Seq Scan on=t est=10 act=10 removed=90 x=100 filter=(a_=_'secret')"), "Seq Scan on t read 10,000 rows and its filter kept 1,000.", "An index that serves the filter may help: (a = ?)"},
		{node("Limit x=1 act=1", node("Seq Scan on=t as=Outer est=1 act=12345 x=1")), "Seq Scan on t read 12,345 rows before it was stopped.", ""},
		{node("Seq Scan on=t est=1000 act=1000 x=10"), "Seq Scan on t reads the whole table: 10,000 rows in 10 loops.", ""},
		{`{"Node Type":"Index Only Scan","Index Name":"i","Relation Name":"t","Actual Rows":1000,"Actual Loops":1,"Heap Fetches":401}`, "Index Only Scan using i on t looked 401 of 1,000 rows up in the table.", "VACUUM of the table lets the index answer alone."},
		{`{"Node Type":"Bitmap Heap Scan","Relation Name":"t","Actual Rows":10,"Actual Loops":1,"Lossy Heap Blocks":7,"Exact Heap Blocks":1,"Rows Removed by Index Recheck":300}`, "Bitmap Heap Scan on t had only the pages of 7 blocks, not their rows, and checked 300 rows too many.", "More work_mem for this statement (SET LOCAL work_mem) keeps the rows."},
		{`{"Node Type":"Aggregate","Strategy":"Hashed","Actual Rows":10,"Actual Loops":1,"HashAgg Batches":5,"Disk Usage":800,"Workers":[{"HashAgg Batches":9,"Disk Usage":"200"}]}`, "HashAggregate wrote 1,000 kB to disk in 9 batches.", "More work_mem for this statement (SET LOCAL work_mem) may keep it in memory."},
		{node("Seq Scan on=t est=1 act=150 x=20"), "Seq Scan on t: 1 rows estimated, 150 came (150 times off), on average of 20 loops.", "ANALYZE of the table may mend the estimate; for columns that depend on each other, CREATE STATISTICS."},
	} {
		p := parse(c.tree)
		require.Len(t, p.Findings, 1, c.text)
		require.Equal(t, c.text, p.Findings[0].Text)
		require.Equal(t, c.advice, p.Findings[0].Advice)
		require.Nil(t, p.Findings[0].ExplainsMS, "the plan has no times")
	}
}
