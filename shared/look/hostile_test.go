package look

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
)

// requireSound checks what holds for every look, whatever came in.
func requireSound(t *testing.T, l *Look) {
	raw, err := json.Marshal(l)
	require.NoError(t, err, "a figure that JSON has not")
	require.True(t, utf8.Valid(raw))
	var decoded any
	require.NoError(t, json.Unmarshal(raw, &decoded))
	requireNoNull(t, decoded)
	figures := []*float64{l.DurationMS, l.Time.PHPMS, l.Time.DatabaseMS, l.Time.PostgresMS, l.Time.GapMS, l.Time.GapAtMostMS, l.Time.ServerMS, l.Time.GapShare}
	share := 0.0
	for _, s := range l.Bar {
		figures = append(figures, &s.MS)
		share += s.Share
	}
	if len(l.Bar) > 0 {
		require.InDelta(t, 1, share, 1e-6)
	}
	for i, f := range l.Findings {
		figures = append(figures, f.ExplainsMS)
		require.NotEmpty(t, f.Text)
		if i > 0 {
			require.LessOrEqual(t, value(f.ExplainsMS), value(l.Findings[i-1].ExplainsMS))
		}
	}
	executions := 0
	for _, s := range l.Statements {
		figures = append(figures, s.TotalMS, s.MaxMS, s.Share, s.Rows)
		require.Equal(t, s.Count, len(s.Executions)+s.ExecutionsLeftOut)
		executions += len(s.Executions)
	}
	for _, lane := range l.Timeline.Lanes {
		for _, b := range lane.Blocks {
			figures = append(figures, &b.DurationMS, &b.BusyMS)
		}
	}
	for _, f := range figures {
		require.GreaterOrEqual(t, max(value(f), 0), 0.0)
		require.False(t, f != nil && (*f < 0 || math.IsInf(*f, 0)))
	}
	require.LessOrEqual(t, len(l.Findings), maxFindings)
	require.LessOrEqual(t, executions, maxExecutions)
	require.NotEmpty(t, l.Verdict)
}

// requireNoNull: what is not known is absent, and an empty list is one.
func requireNoNull(t *testing.T, v any) {
	switch v := v.(type) {
	case nil:
		require.Fail(t, "null")
	case []any:
		for _, e := range v {
			requireNoNull(t, e)
		}
	case map[string]any:
		for _, e := range v {
			requireNoNull(t, e)
		}
	}
}

// TestHostile: whatever stands in a field, the rest of the look is there.
func TestHostile(t *testing.T) {
	deep := strings.Repeat(`{"Plans":[`, 500) + strings.Repeat("]}", 500)
	for name, c := range map[string]struct{ attributes, payload, text string }{
		"strings for numbers": {`{"queries":"3","db_ms":"1","query_id":"x","nested":"true","log_line":"1","session_id":7,"server_ms":"1"}`, `{}`, "select 1"},
		"negative":            {`{"queries":-3,"db_ms":-1,"query_id":-1,"log_line":-9,"server_ms":-1}`, `{"Plan":{"Node Type":"A","Actual Rows":-1,"Actual Loops":-1}}`, "select 1"},
		"huge":                {`{"queries":1e400,"db_ms":1e308,"query_id":99999999999999999999,"log_line":1e99,"server_ms":1e308}`, `{"Plan":{"Node Type":"A","Actual Rows":1e308,"Actual Loops":1e308,"Actual Total Time":1e308}}`, "select 1"},
		"wrong types":         {`{"queries":[],"db_ms":{},"query_id":[1],"nested":{"a":1},"session_id":null,"route":[],"kind":{},"error":{},"sql_error_code":[1]}`, `{"Plan":[]}`, "select 1"},
		"no JSON":             {`{"queries":`, `{"Plan":`, "select '"},
		"an array":            {`[1]`, `[]`, "select $$"},
		"null":                {`null`, `null`, "\x00"},
		"markup":              {`{"</script>":"<svg onload=x>","queries":1,"route":"<b>"}`, `{"<b>==><i>":{"ct":1,"wt":1},"main()":{"ct":1,"wt":1}}`, "</script><script>"},
		"deep":                {`{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, deep, "select " + strings.Repeat("(", 9000)},
		"many attributes": {`{"a":1` + func() (s string) {
			for i := range 999 {
				s += fmt.Sprintf(`,"a%d":%d`, i, i)
			}
			return
		}() + `}`, `{}`, "select 1"},
		"no UTF-8, cut in two": {`{"route":"\ud800"}`, `{"\ud800":{"wt":1}}`, strings.Repeat("ä", maxTextBytes)},
		"cyclic edges":         {`{}`, `{"a==>b":{"ct":1,"wt":9},"b==>a":{"ct":1,"wt":9}}`, "select 1"},
		"a span named by SQL":  {`{}`, `{"spans":[{"name":"SELECT 'hush'","start":1,"end":9}]}`, "select 'hush'"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := []store.Entry{
				entry(php, c.text, 0, math.MaxFloat64, c.attributes, c.payload), entry(php, c.text, 0, 0, c.attributes, c.payload),
				entry(postgres, c.text, -1e12, math.MaxFloat64, c.attributes, c.payload), entry(postgres, c.text, 1e12, math.MaxFloat64, c.attributes, c.payload),
				entry(postgres, "select 1", 1, 5, "", "{}"), entry("another_agent", c.text, 1, 5, c.attributes, c.payload),
			}
			l := New(entries, time.Time{}, Options{})
			requireSound(t, l)
			require.Equal(t, 3, l.Counts.Arrived+l.Counts.Nested)
			require.NotContains(t, fmt.Sprint(*l), "hush")
			requireSound(t, New(entries[2:], time.Unix(1<<40, 0), Options{Values: true}))
			Summarize(entries, time.Time{})
		})
	}
}

// TestBounds: what is too much is counted, and the look stays small.
func TestBounds(t *testing.T) {
	var entries []store.Entry
	for i := range 5000 {
		entries = append(entries, ran(float64(i), 1, fmt.Sprintf("SELECT c%d%s FROM t", i%1000, strings.Repeat("x", 5000)), ``))
	}
	l := New(entries, later(entries), Options{})
	requireSound(t, l)
	require.Equal(t, 5000, l.Counts.Arrived)
	require.Len(t, l.Statements, maxGroups)
	require.Equal(t, 500, l.StatementsLeftOut)
	require.Equal(t, 1000-maxLanes-1, l.Timeline.LanesLeftOut)
	require.Contains(t, strings.Join(l.Notes, " "), "Only the first 1,000 executions are listed; 4,000 are counted")
	require.Contains(t, strings.Join(l.Notes, " "), "4,000 plans")
	raw, err := json.Marshal(l)
	require.NoError(t, err)
	require.Less(t, len(raw), 500_000)
}

// FuzzLook: no record breaks a look, and its summary agrees with it.
func FuzzLook(f *testing.F) {
	const plan = `{"Plan":{"Node Type":"Sort","Sort Space Type":"Disk","Plan Rows":9,"Actual Rows":9000,"Actual Loops":1,"Actual Total Time":40}}`
	f.Add(`{"queries":7,"db_ms":99.5,"route":"a"}`, `{"collapsed":"a;b 2\na 1\n","period_ms":1}`, "/product/42?q=x", 150.0, `{"query_id":-5,"session_id":"s","log_line":3}`, plan, "select 'x'", 8.0, uint8(7))
	f.Add(`{"queries":1}`, `{}`, "/", -1.0, `{"correlation":"derived","error":"e"}`, `{}`, "BEGIN", -1.0, uint8(1))
	f.Add(`{"queries":5,"db_ms":99}`, `{"main()==>PDO::query":{"ct":5,"wt":9}}`, "cli.php import 17", 120.0, `{"nested":true,"query_id":"5","server_ms":8}`, `{"text":"x"}`, "with a as (select 1) select 'x", 3.0, uint8(5))
	f.Fuzz(func(t *testing.T, attributes, profile, uri string, duration float64, attributes2, plan, query string, ms float64, n uint8) {
		entries := []store.Entry{entry(php, uri, 0, duration, attributes, profile)}
		for i := range int(n) {
			entries = append(entries, entry(postgres, query, float64(i)*ms/2, ms, attributes2, plan))
		}
		for _, values := range []bool{false, true} {
			l := New(entries, later(entries), Options{Values: values})
			requireSound(t, l)
			s := Summarize(entries, later(entries))
			require.Equal(t, l.Counts.Arrived, s.Statements)
			require.Equal(t, l.Time.PostgresMS, s.PostgresMS)
		}
	})
}
