package profile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEdges: the levels of a recursion are one function, whose total is that of its outermost calls.
func TestEdges(t *testing.T) {
	p := Parse([]byte(`{
		"main()":{"ct":1,"wt":10000,"cpu":8000,"mu":700,"pmu":900},
		"main()==>Tree::draw":{"ct":1,"wt":9000,"cpu":7000,"mu":-600,"pmu":800},
		"Tree::draw==>Tree::draw@1":{"ct":2,"wt":8000,"cpu":1,"mu":1,"pmu":1},
		"Tree::draw@1==>strlen":{"ct":4,"wt":3000,"cpu":1,"mu":1,"pmu":1},
		"main()==>strlen":{"ct":1,"wt":500,"cpu":1,"mu":1,"pmu":1}}`))
	require.Equal(t, []Function{
		{Name: "Tree::draw", Calls: 3, SelfMS: 6, TotalMS: 9, CPUMS: 7, MemoryBytes: -600, PeakMemoryBytes: 800},
		{Name: "strlen", Calls: 5, SelfMS: 3.5, TotalMS: 3.5, CPUMS: 0.002, MemoryBytes: 2, PeakMemoryBytes: 2, Origin: Builtin},
		{Name: "main()", Calls: 1, SelfMS: 0.5, TotalMS: 10, CPUMS: 8, MemoryBytes: 700, PeakMemoryBytes: 900},
	}, p.Functions)
	require.True(t, p.HasCPU && p.HasMemory && p.HasPeak)
	callers, callees := p.Butterfly("strlen")
	require.Equal(t, []Call{{Name: "Tree::draw", Calls: 4, MS: 3}, {Name: "main()", Calls: 1, MS: 0.5}}, callers)
	require.Empty(t, callees)
	require.Equal(t, []Step{
		{Name: "main()", MS: 10, Callers: 1},
		{Name: "Tree::draw", MS: 9, Callers: 1},
		{Name: "Tree::draw", MS: 8, Callers: 1},
		{Name: "strlen", MS: 3, Callers: 2, Shared: true},
	}, p.HotPath)
	require.InDelta(t, 6.5/10, p.KnownStacks, 1e-9, "all but strlen")
}

// TestCycles: time that goes in a circle is no more than the profile's, and the hot path ends where it meets itself.
func TestCycles(t *testing.T) {
	p := Parse([]byte(`{"a":{"ct":1,"wt":1000},"a==>b":{"ct":1,"wt":900},"b==>a":{"ct":1,"wt":800}}`))
	require.Equal(t, []Function{
		{Name: "a", Calls: 2, SelfMS: 0.9, TotalMS: 1},
		{Name: "b", Calls: 1, SelfMS: 0.1, TotalMS: 0.9},
	}, p.Functions)
	require.Equal(t, []Step{{Name: "a", MS: 1, Callers: 2, Shared: true}, {Name: "b", MS: 0.9, Callers: 1, Shared: true}}, p.HotPath)

	p = Parse([]byte(`{"f":{"ct":1,"wt":1000},"f==>g":{"ct":1,"wt":900},"g==>f@1":{"ct":1,"wt":800},"f@1==>g@1":{"ct":1,"wt":700}}`))
	callers, _ := p.Butterfly("g")
	require.Equal(t, []Call{{Name: "f", Calls: 2, MS: 0.9}}, callers, "no longer than g's total")
}

// TestDatabase: which functions wait for a database, and that one within another counts once.
func TestDatabase(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		ms        float64
		known     bool
		calls     int64
		counted   bool
	}{
		{"PDO", `{"main()==>PDO::query":{"ct":2,"wt":3000},"main()==>PDOStatement::execute":{"ct":5,"wt":1000},"main()==>PDO::prepare":{"ct":5,"wt":500}}`, 4.5, true, 7, true},
		{"a library's PDO", `{"main()==>Doctrine\\DBAL\\Driver\\PDO\\Statement::execute":{"ct":2,"wt":3000},"main()==>PDOWrapper::query":{"ct":1,"wt":1}}`, 0, false, 0, false},
		{"pg and mysqli", `{"main()==>pg_query":{"ct":1,"wt":1000},"main()==>mysqli_query":{"ct":2,"wt":1000},"main()==>mysqli::query":{"ct":3,"wt":1000},"main()==>mysqli_stmt::execute":{"ct":4,"wt":1000}}`, 4, true, 10, true},
		{"one in another", `{"main()==>mysqli_query":{"ct":1,"wt":2000},"mysqli_query==>mysqli_real_query":{"ct":1,"wt":1900},"main()":{"ct":1,"wt":9000}}`, 2, true, 1, true},
		{"a root", `{"PDO::exec":{"ct":1,"wt":2000}}`, 2, true, 1, true},
		{"fetched, never run", `{"main()==>PDOStatement::fetch":{"ct":1,"wt":2000}}`, 2, true, 0, true},
		{"samples", `{"stacks":"a;PDO::query 3\na;pg_query;PDO::exec 2\na 9","period_ms":1}`, 5, true, 0, false},
		{"samples without", `{"stacks":"a;Doctrine\\DBAL\\Driver\\PDO\\Statement::execute 3"}`, 0, false, 0, false},
		{"spans", `{"spans":[` + spanText("GET /", "1", "", 0, 9) + `,` + databaseSpan("PDO::prepare", "2", "1", 1, 2, "db.query.text") + `,` + databaseSpan("PDOStatement::execute", "3", "1", 2, 5, "x") +
			`,` + databaseSpan("SELECT shop", "4", "1", 5, 7, "db.statement") + `,` + databaseSpan("SELECT inner", "5", "4", 5, 6, "db.statement") + `,` + databaseSpan("pg.connect", "6", "1", 7, 8, "x") + `]}`, 7, true, 3, true},
		{"none", `{}`, 0, false, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Parse([]byte(c.raw))
			ms, known := p.DatabaseMS()
			require.InDelta(t, c.ms, ms, 1e-9)
			require.Equal(t, c.known, known)
			calls, counted := p.DatabaseCalls()
			require.Equal(t, c.calls, calls)
			require.Equal(t, c.counted, counted)
			requireSound(t, p)
		})
	}
}

func databaseSpan(name, id, parent string, startMS, endMS int64, attribute string) string {
	text := spanText(name, id, parent, startMS, endMS)
	return text[:len(text)-1] + `,"attributes":[{"key":"db.system","value":{"stringValue":"postgresql"}},{"value":{"stringValue":"y"},"key":"` + attribute + `"}]}`
}

// TestSpans: each span stands before its children, siblings by their start.
func TestSpans(t *testing.T) {
	p := Parse([]byte(`{"spans":[` + spanText("query", "3", "1", 6, 9) + `,` + spanText("query", "2", "1", 1, 3) + `,` + spanText("GET /", "1", "0", 0, 10) + `,` + spanText("fetch", "4", "2", 1, 2) + `]}`))
	require.Equal(t, []Span{
		{Name: "GET /", DurationMS: 10, SelfMS: 5},
		{Name: "query", Depth: 1, StartMS: 1, DurationMS: 2, SelfMS: 1},
		{Name: "fetch", Depth: 2, StartMS: 1, DurationMS: 1, SelfMS: 1},
		{Name: "query", Depth: 1, StartMS: 6, DurationMS: 3, SelfMS: 3},
	}, p.Spans)
	require.Equal(t, []Function{
		{Name: "GET /", Calls: 1, SelfMS: 5, TotalMS: 10},
		{Name: "query", Calls: 2, SelfMS: 4, TotalMS: 5},
		{Name: "fetch", Calls: 1, SelfMS: 1, TotalMS: 1},
	}, p.Functions)

	p = Parse([]byte(`{"spans":[` + spanText("a", "1", "", 0, 10) + `,` + spanText("b", "2", "", 0, 9) + `,` + spanText("b", "3", "2", 0, 8) + `]}`))
	require.Equal(t, []Function{{Name: "a", Calls: 1, SelfMS: 10, TotalMS: 10}, {Name: "b", Calls: 2, SelfMS: 9, TotalMS: 9}}, p.Functions)
}

// TestOrigins: what a profile tells of whose code a function is, and where it tells nothing.
func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		raw     string
		origins map[string]Origin
	}{
		{`{"stacks":"/srv/www/index.php;{closure:/srv/www/vendor/a.php(3)};App\\Page::show;PDO::query;strlen 1"}`,
			map[string]Origin{"/srv/www/index.php": Own, "{closure:/srv/www/vendor/a.php(3)}": Vendor, `App\Page::show`: "", "PDO::query": Builtin, "strlen": ""}},
		{`{"shared":{"frames":[{"name":"a","file":"/srv/a.php"},{"name":"b","file":"C:\\srv\\vendor\\b.php"},{"name":"c"}]},"profiles":[{"samples":[[0,1,2]],"weights":[1]}]}`,
			map[string]Origin{"a": Own, "b": Vendor, "c": Builtin}},
		{`{"main()==>App\\Page::show":{"ct":1,"wt":9},"App\\Page::show==>strlen":{"ct":1,"wt":9},"App\\Page::show==>load::/srv/vendor/a.php":{"ct":1},"main()==>helper":{"ct":1},"helper==>strlen":{"ct":1},"main()==>PDO::query":{"ct":1}}`,
			map[string]Origin{"main()": "", `App\Page::show`: "", "strlen": Builtin, "load::/srv/vendor/a.php": Vendor, "helper": "", "PDO::query": Builtin}},
		{`{"main()==>strlen":{"ct":2,"wt":9},"strlen==>strlen@1":{"ct":2,"wt":8},"main()==>leaf":{"ct":1}}`,
			map[string]Origin{"main()": "", "strlen": Builtin, "leaf": ""}},
	} {
		got := make(map[string]Origin)
		for _, f := range Parse([]byte(c.raw)).Functions {
			got[f.Name] = f.Origin
		}
		require.Equal(t, c.origins, got)
	}
}
