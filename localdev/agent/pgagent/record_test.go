package pgagent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTruncated: a plan that the log cut off arrives, marked, with as much of its statement as there is.
func TestTruncated(t *testing.T) {
	whole := planOf("1.000", byA+`SELECT "é" -- x`+"\n")
	for cut := strings.Index(whole, "{"); cut < len(whole); cut++ {
		records, _ := run(t, "jsonlog", "", entry(t, "6b.1", 1, map[string]any{"message": whole[:cut], "application_name": idB}), false)
		require.Len(t, records, 1, whole[:cut])
		r := records[0]
		require.Contains(t, []any{idA, idB}, r["correlation_id"])
		isWhole := strings.Contains(whole[:cut], `-- x\n"`)
		require.Equal(t, isWhole, r["query_truncated"] == nil, "%v", r)
		if isWhole {
			require.Equal(t, []any{idA, `SELECT "é" -- x`}, []any{r["correlation_id"], r["query"]})
		}
		if cut > strings.Index(whole, "{") {
			require.Equal(t, true, r["plan_truncated"])
			require.Equal(t, strings.ToValidUTF8(strings.TrimRight(whole[strings.Index(whole, "{"):cut], " \n"), "\ufffd"), r["profiling_data"].(map[string]any)["text"])
		}
	}
	records, _ := run(t, "jsonlog", "", entry(t, "6b.1", 1, map[string]any{"message": planOf("1.000", byA+strings.Repeat("é", 40_000))}), false)
	require.Equal(t, strings.Repeat("é", 32_768), records[0]["query"])
	require.Equal(t, true, records[0]["query_truncated"])
	deep := "duration: 1.000 ms  plan:\n{\"Query Text\": \"SELECT 1\", \"Plan\": " + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}"
	records, _ = run(t, "jsonlog", "", entry(t, "6b.1", 1, map[string]any{"message": deep}), false)
	require.Equal(t, true, records[0]["plan_truncated"])
	text := "duration: 1.000 ms  plan:\nQuery Text: " + byA + "SELECT 1\n  FROM t\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: (a = 'x')"
	records, _ = run(t, "jsonlog", "", entry(t, "6b.1", 1, map[string]any{"message": text}), false)
	require.Equal(t, []any{idA, "SELECT 1\n  FROM t", nil}, []any{records[0]["correlation_id"], records[0]["query"], records[0]["plan_truncated"]})
}

// TestRedact: no value leaves the host, wherever PostgreSQL writes it.
func TestRedact(t *testing.T) {
	const secret = "s3cr3t@example.org"
	log := entry(t, "6b.1", 1, map[string]any{"message": "duration: 1.000 ms  plan:\n{\"Query Text\": \"" + byA + "SELECT 1 FROM u WHERE email = '" + secret + "' AND n = 4711\",\n \"Query Parameters\": \"$1 = '" + secret + "'\",\n \"Plan\": {\"Node Type\": \"Index Scan\", \"Index Cond\": \"(u.email = '" + secret + "'::text)\", \"Output\": [\"'" + secret + "'::text\"], \"Plan Rows\": 4712}}"}) +
		entry(t, "6b.1", 2, map[string]any{"message": "duration: 1.000 ms  execute <unnamed>: " + byA + "SELECT $1 || '" + secret + "'", "detail": "parameters: $1 = '" + secret + "'"}) +
		entry(t, "6b.1", 3, map[string]any{"error_severity": "ERROR", "state_code": "22P02", "message": "invalid input syntax for type integer: \"" + secret + "\"", "statement": byA + "SELECT '" + secret + "'::int"}) +
		entry(t, "6b.1", 4, map[string]any{"error_severity": "ERROR", "state_code": "P0001", "message": "no user " + secret, "context": "PL/pgSQL function f() line 3 at RAISE", "statement": byA + "SELECT f('" + secret + "')"}) +
		entry(t, "6b.1", 7, map[string]any{"error_severity": "ERROR", "state_code": "38000", "message": "no user " + secret, "context": "PL/Python function \"f\"", "statement": byA + "SELECT g()"}) +
		entry(t, "6b.1", 5, map[string]any{"message": "duration: 1.000 ms  plan:\n{\"Query Text\": \"" + byA + "SELECT '" + secret}) +
		entry(t, "6b.1", 6, map[string]any{"message": "duration: 1.000 ms  plan:\nQuery Text: " + byA + "SELECT '" + secret + "'\nResult  (cost=0.00..1.00 rows=1 width=4)\n  Output: '" + secret + "'"})
	records, lines := run(t, "jsonlog", "", log, true)
	require.Len(t, records, 7)
	text := strings.Join(lines, "\n")
	for _, value := range []string{"s3cr3t", "4711", "example"} {
		require.NotContains(t, text, value)
	}
	for _, r := range records {
		require.Equal(t, idA, r["correlation_id"])
	}
	require.Contains(t, text, "SELECT ? FROM u WHERE email = ? AND n = ?")
	require.Contains(t, text, `"Plan Rows":4712`, "a figure is no literal")
	require.Contains(t, text, `"Index Cond":"(u.email = ?::text)"`)
	require.Contains(t, text, `"error":"invalid input syntax for type integer: ?"`)

	plain, _ := run(t, "jsonlog", "", log, false)
	require.Contains(t, plain[0]["query"], secret, "only when it is asked for")
}
