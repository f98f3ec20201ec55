package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShape: the plans of a row have one shape, and each row has another.
func TestShape(t *testing.T) {
	part := func(text string) string { return node("Seq Scan as=Member " + text) }
	seen := map[string]bool{}
	for _, row := range [][]string{
		{
			node("Seq Scan on=t est=1 act=1 x=1 ms=5 filter=(a_=_1) Alias=a"),
			node("Seq Scan on=t est=900 act=0 x=7 removed=9 filter=(b_=_2) Alias=b temp=5 out=[\"x\"]"),
		},
		{node("Seq Scan on=u")},
		{node("Index Scan on=t index=i")},
		{node("Index Scan on=t index=j")},
		{`{"Node Type":"Index Scan","Relation Name":"t","Index Name":"j","Scan Direction":"Backward"}`},
		{node("Hash Join join=Inner", node("Seq Scan on=t as=Outer"), node("Seq Scan on=u as=Inner"))},
		{node("Hash Join join=Inner", node("Seq Scan on=u as=Outer"), node("Seq Scan on=t as=Inner"))},
		{node("Hash Join join=Left", node("Seq Scan on=t as=Outer"), node("Seq Scan on=u as=Inner"))},
		{node("Sort", node("Sort", node("Result")))},
		{node("Sort", node("Sort"), node("Result"))},
		{
			node("Append", part("on=p_2024_01"), part("on=p_2024_02")),
			node("Append", part("on=p_2024_01")),
			node("Append", part("on=p_2024_12"), part("on=p_2025_1"), part("on=p_2025_2")),
		},
		{node("Append", part("on=p_2024_01"), part("on=q_2024_02"))},
		{node("Append", part("on=p_2024_01"), node("Index Scan as=Member on=p_2024_02 index=p_2024_02_pkey"))},
		{node("Seq Scan on=p_2024_01")},
		{node("Seq Scan on=p_2024_02")},
	} {
		shape := parse(row[0]).Shape()
		require.Regexp(t, `^[0-9a-f]{16}$`, shape)
		require.NotContains(t, seen, shape, row[0])
		seen[shape] = true
		for _, same := range row[1:] {
			require.Equal(t, shape, parse(same).Shape(), same)
		}
	}
	require.Equal(t, "99cbfab9b72a7763", parse(node("Seq Scan on=t")).Shape(), "must never change: stored shapes have it")
}
