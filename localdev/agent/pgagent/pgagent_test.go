package pgagent

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/agent/pglog"
	"github.com/bitville/listener/localdev/agent/tail"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

var now = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

// run reads a log to its end, and returns the records, which the listener takes.
func run(t testing.TB, format, prefix, text string, redact bool) (records []map[string]any, lines []string) {
	t.Helper()
	err := Run(t.Context(), Config{
		Project: "shop", Redact: redact, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Ready: func() {}, Read: func(int) {},
		Source: tail.NewStream(t.Context(), strings.NewReader(text), func([]byte) (pglog.Format, error) { return pglog.New(format, prefix) }, time.Now),
		Put: func(all ...[]byte) error {
			for _, one := range all {
				lines = append(lines, string(one))
			}
			return nil
		},
	})
	require.NoError(t, err)
	source := record.Source{ID: "postgres_agent", NameField: "query", MaxNameBytes: 64 << 10}
	batch, err := bitville.Wire{Source: source}.Decode([]byte(strings.Join(lines, "\n")), bitville.NDJSON, record.Rules{Project: "shop", Now: now, Retention: 168 * time.Hour}, func(int64) error { return nil })
	require.NoError(t, err)
	require.Empty(t, batch.Rejected)
	require.Len(t, batch.Records, len(lines))
	for _, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var r map[string]any
		require.NoError(t, d.Decode(&r))
		records = append(records, r)
	}
	return records, lines
}

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("../pglog/testdata/" + name)
	require.NoError(t, err)
	return string(text)
}

const prefix = "%m [%p] %q%u@%d/%a "

// TestRealLogs: what real clients left in a log becomes these records, each under the id of its request.
func TestRealLogs(t *testing.T) {
	records, lines := run(t, "jsonlog", prefix, file(t, "postgres-jsonlog.jsonl"), false)
	const one, django, psycopg, alchemy, js = "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", "4f176a00-d406-47ea-0e92-fd632303e217", "5659fa74-b7de-4d3f-3392-8b48c4f1ab79", "b772b2c0-1b90-3f0c-cc86-8bd133a132a1", "a747fa31-d412-0826-a8c3-cfb7b3003f9f"
	type want struct {
		id, query, took, line string
		nested                any
	}
	var got []want
	for _, r := range records {
		took := "null"
		if r["duration_ms"] != nil {
			took = r["duration_ms"].(json.Number).String()
		}
		got = append(got, want{r["correlation_id"].(string), r["query"].(string), took, r["line_num"].(json.Number).String(), r["nested"]})
	}
	require.ElementsMatch(t, []want{
		{alchemy, "select sum(price)        from product where cat=c", "0.058", "8", true},
		{alchemy, "SELECT cat, cat_total(cat) FROM product WHERE name LIKE 'Item 2%' GROUP BY cat", "1.573", "9", nil},
		{django, "SELECT name FROM product WHERE id=7 AND name LIKE 'Item%'", "0.028", "2", nil},
		{psycopg, "SELECT name FROM product WHERE id=42;", "0.019", "1", nil},
		{one, "SELECT abalance FROM pgbench_accounts WHERE aid = 7;", "0.030", "1", nil},
		{one, "select sum(price)        from product where cat=c", "0.066", "2", true},
		{one, "SELECT cat_total(3);", "0.903", "3", nil},
		{one, "SELECT name -- it's a \"line\" comment\n FROM product WHERE name = '/* traceparent=''no'' */' OR id = 5;", "0.052", "4", nil},
		{one, "SELECT 1/0;", "null", "5", nil},
		{js, "SELECT name FROM product WHERE id=$1", "0.054", "3", nil},
		{js, "SELECT count(*) FROM product WHERE name LIKE 'Item 1%'", "0.494", "4", nil},
	}, got)

	text := strings.Join(lines, "\n")
	require.Contains(t, text, `"timestamp":1795828213.666970,"duration_ms":0.030,`, "the start, to the microsecond")
	require.Contains(t, text, `"query_id":-8268764775198359977,`, "no float")
	require.Contains(t, text, `"Actual Startup Time":0.021,`)
	require.Contains(t, text, `"Startup Cost":0.00,`, "as it was logged")
	require.Contains(t, text, `"error":"division by zero","sql_error_code":"22012","profiling_data":{}`)
	require.Contains(t, text, `"parameters":"$1 = '42'"`)
	require.NotContains(t, text, "Query Text")
	require.NotContains(t, text, "derived")

	for name, format := range map[string]string{"postgres-csvlog.csv": "csvlog", "postgres-stderr.log": "stderr"} {
		var untold []string
		if format == "stderr" { // this prefix tells none of these
			untold = []string{"session_id", "line_num", "query_id", "log_offset", "sql_error_code"}
		}
		other, _ := run(t, format, prefix, file(t, name), false)
		require.Len(t, other, 5)
		for _, r := range other {
			require.Contains(t, without(records, untold), without([]map[string]any{r}, untold)[0])
		}
	}
}

// without copies records and leaves fields out.
func without(records []map[string]any, fields []string) (copies []map[string]any) {
	for _, r := range records {
		r = maps.Clone(r)
		for _, field := range fields {
			delete(r, field)
		}
		copies = append(copies, r)
	}
	return copies
}

// entry writes a line of a jsonlog.
func entry(t testing.TB, session string, line int, add map[string]any) string {
	t.Helper()
	fields := map[string]any{"timestamp": "2026-11-28 01:10:13.667 UTC", "session_id": session, "line_num": line, "error_severity": "LOG", "vxid": "3/1", "query_id": 7}
	for name, value := range add {
		fields[name] = value
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(b) + "\n"
}

func planOf(took, text string) string {
	query, _ := json.Marshal(text)
	return "duration: " + took + " ms  plan:\n{\n  \"Query Text\": " + string(query) + ",\n  \"Plan\": {\n    \"Node Type\": \"Result\"\n  }\n}"
}

const (
	idA, idB = "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", "4f176a00-d406-47ea-8e92-fd632303e217"
	byA, byB = "/*correlation_id='" + idA + "'*/ ", "/*correlation_id='" + idB + "'*/ "
)

// TestIDs: each statement has the id of what ran it, and never that of a statement that merely follows.
func TestIDs(t *testing.T) {
	type fields = map[string]any
	const derived, nested = "derived", "PL/pgSQL function f() line 1"
	for _, c := range []struct {
		name string
		log  []fields
		want map[string]string // by line
	}{
		{"nested, then its caller", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": planOf("1.0", byA+"c")}}, map[string]string{"1": idA, "2": idA}},
		{"nested of a DO, then another statement", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": planOf("1.0", byA+"c"), "query_id": 8}}, map[string]string{"1": derived, "2": idA}},
		{"nested of a DO under an application_name", []fields{{"message": planOf("0.1", "n"), "context": nested, "application_name": idB}, {"message": planOf("1.0", byA+"c"), "query_id": 8}}, map[string]string{"1": idB, "2": idA}},
		{"nested after its caller: a deferred trigger at the commit, then the same statement of another", []fields{{"message": planOf("1.0", byA+"c")}, {"message": planOf("0.1", "n"), "context": nested}, {"message": planOf("1.0", byB+"c"), "vxid": "3/2"}}, map[string]string{"1": idA, "2": derived, "3": idB}},
		{"nested whose caller fails", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": "division by zero", "error_severity": "ERROR", "statement": byA + "c"}}, map[string]string{"1": idA, "2": idA}},
		{"nested whose caller has a duration alone", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": "duration: 1.000 ms  statement: " + byA + "CALL p()", "vxid": "3/0"}}, map[string]string{"1": idA, "2": idA}},
		{"the same, later", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": "duration: 1.000 ms  statement: " + byA + "CALL p()", "vxid": "3/0", "timestamp": "2026-11-28 01:10:15.000 UTC"}}, map[string]string{"1": derived, "2": idA}},
		{"two callers' nested", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": planOf("0.1", "n"), "context": nested, "query_id": 8}, {"message": planOf("1.0", byA+"c"), "query_id": 8}}, map[string]string{"1": derived, "2": idA, "3": idA}},
		{"no query id, nested before the caller began", []fields{{"message": planOf("0.1", "n"), "context": nested, "query_id": 0}, {"message": planOf("1.0", byA+"c"), "query_id": 0, "timestamp": "2026-11-28 01:10:15.000 UTC"}}, map[string]string{"1": derived, "2": idA}},
		{"no query id, nested in the caller", []fields{{"message": planOf("0.1", "n"), "context": nested, "query_id": 0}, {"message": planOf("1.0", byA+"c"), "query_id": 0}}, map[string]string{"1": idA, "2": idA}},
		{"the comment before the application_name", []fields{{"message": planOf("1.0", byA+"c"), "application_name": idB}}, map[string]string{"1": idA}},
		{"the application_name alone", []fields{{"message": planOf("1.0", "c"), "application_name": idB}}, map[string]string{"1": idB}},
		{"an application_name that is no id", []fields{{"message": planOf("1.0", "c"), "application_name": strings.ReplaceAll(idB, "-", "")}}, map[string]string{"1": derived}},
		{"a cursor", []fields{{"message": planOf("1.0", "DECLARE c CURSOR FOR "+byA+"SELECT 1")}}, map[string]string{"1": idA}},
		{"nested, and a caller without an id", []fields{{"message": planOf("0.1", "n"), "context": nested}, {"message": planOf("1.0", "c")}}, map[string]string{"1": derived, "2": derived}},
		{"what fails without a statement, and FATAL", []fields{{"message": "x", "error_severity": "ERROR"}, {"message": "x", "error_severity": "FATAL", "statement": "c"}, {"message": "connection authorized"}}, map[string]string{}},
		{"parse and bind", []fields{{"message": "duration: 1.000 ms  parse <unnamed>: " + byA + "c"}, {"message": "duration: 1.000 ms  bind s1: " + byA + "c"}, {"message": "duration: 1.000 ms"}}, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log string
			for i, f := range c.log {
				log += entry(t, "6b.1", i+1, f)
			}
			log += entry(t, "6b.2", 1, fields{"message": planOf("1.0", byB+"SELECT 'of another session'")})
			records, _ := run(t, "jsonlog", "", log, false)
			got := map[string]string{}
			for _, r := range records {
				id := r["correlation_id"].(string)
				if r["session_id"] == "6b.2" {
					require.Equal(t, idB, id)
					continue
				}
				if r["correlation"] != nil {
					require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]", id)
					id = "derived"
				}
				got[r["line_num"].(json.Number).String()] = id
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestServerDuration: a plan and the server's own duration of one execution are one record.
func TestServerDuration(t *testing.T) {
	type fields = map[string]any
	statement := func(took string) fields {
		return fields{"message": "duration: " + took + " ms  statement: " + byA + "c"}
	}
	execute := func(took, at string) fields {
		return fields{"message": "duration: " + took + " ms  execute p1: " + byA + "c", "timestamp": "2026-11-28 01:10:" + at + " UTC"}
	}
	plan := fields{"message": planOf("1.000", byA+"c")}
	for _, c := range []struct {
		name string
		log  []fields
		want []string // line, duration, server's
	}{
		{"plan, then duration", []fields{plan, statement("1.500")}, []string{"1 1.000 1.500"}},
		{"twice", []fields{plan, statement("1.500"), plan, statement("2.500")}, []string{"1 1.000 1.500", "3 1.000 2.500"}},
		{"by the extended protocol", []fields{execute("1.500", "13.000"), plan}, []string{"2 1.000 1.500"}},
		{"by it, and closed by the next statement", []fields{execute("1.500", "13.000"), {"message": planOf("1.000", byA+"c"), "query_id": 8, "ps": "BIND"}}, []string{"2 1.000 1.500"}},
		{"twice by it", []fields{execute("1.500", "13.000"), plan, execute("1.250", "13.100"), plan}, []string{"2 1.000 1.500", "4 1.000 1.250"}},
		{"plans alone", []fields{plan, plan}, []string{"1 1.000 <nil>", "2 1.000 <nil>"}},
		{"durations alone", []fields{statement("1.500"), execute("1.500", "13.000"), execute("1.500", "13.100")}, []string{"1 1.500 <nil>", "2 1.500 <nil>", "3 1.500 <nil>"}},
		{"a duration that is shorter than the plan", []fields{plan, statement("0.500")}, []string{"1 1.000 <nil>", "2 0.500 <nil>"}},
		{"a later execution's", []fields{plan, {"message": "duration: 1.500 ms  statement: " + byA + "c", "timestamp": "2026-11-28 01:10:14.000 UTC"}}, []string{"1 1.000 <nil>", "2 1.500 <nil>"}},
		{"another statement's", []fields{plan, {"message": "duration: 1.500 ms  statement: other"}}, []string{"1 1.000 <nil>", "2 1.500 <nil>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log string
			for i, f := range c.log {
				log += entry(t, "6b.1", i+1, f)
			}
			records, lines := run(t, "jsonlog", "", log, false)
			var got []string
			for _, r := range records {
				server := "<nil>"
				if n, ok := r["server_ms"].(json.Number); ok {
					server = n.String()
				}
				got = append(got, r["line_num"].(json.Number).String()+" "+r["duration_ms"].(json.Number).String()+" "+server)
			}
			require.Equal(t, c.want, got)
			if strings.HasPrefix(c.name, "by ") {
				require.Equal(t, json.Number("7"), records[0]["query_id"])
				require.Contains(t, lines[0], `"timestamp":1795828212.998500,`, "the plan was logged long after the end")
			}
		})
	}
}

// TestSameAgain: the same log makes the same bytes.
func TestSameAgain(t *testing.T) {
	_, first := run(t, "jsonlog", "", file(t, "postgres-jsonlog.jsonl"), false)
	_, again := run(t, "jsonlog", "", file(t, "postgres-jsonlog.jsonl"), false)
	require.Equal(t, first, again)
}
