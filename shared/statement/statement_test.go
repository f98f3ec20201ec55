package statement

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a doubled quote", `WHERE a = 'it''s' AND b = 1`, `WHERE a = ? AND b = ?`},
		{"an escape literal", `WHERE a = E'it\'s' AND b`, `WHERE a = ? AND b`},
		{"no escapes without E", `WHERE a = 'C:\' AND b = 'x'`, `WHERE a = ? AND b = ?`},
		{"dollar quotes", `SELECT $$it's$$, $x_1$ $$ $x$ $x_1$, a$b$c`, `SELECT ?, ?, a$b$c`},
		{"other prefixes", `b'01' x'1F' N'a' U&'d\0061t' u&"d\0061t"`, `? ? ? ? u&"d\0061t"`},
		{"no prefix but the end of a word", `fe'x'`, `fe?`},
		{"a literal over two lines", "E'a' -- c\n'b\\'c' d", "? d"},
		{"two literals on one line", "'a' 'b'", "? ?"},
		{"numbers", "1 -1 1.5 .5 1. 1e-5 1E+5 0x1F 1_000 1..10 t1.a2 5abc", "? -? ? ? ? ? ? ? ? ?.? t1.a2 ?"},
		{"parameters", "id = $1 AND b = $22::int", "id = ? AND b = ?::int"},
		{"identifiers stay", `SELECT "it's ""x""", Ünï FROM "T"`, `SELECT "it's ""x""", Ünï FROM "T"`},
		{"comments go, formatting stays", "/* 'a' */ SELECT a, -- x\n  b /* /* y */ 'z' */ FROM t -- end", "SELECT a,\n  b FROM t"},
		{"a comment keeps things apart", "a/**/b -/**/- c", "a b - - c"},
		{"a comment in a literal is none", `a = '/* x */' AND b = '--'`, `a = ? AND b = ?`},
		{"jsonb's operators", `data ? 'k' AND data->>'x' = 'y' AND a <@ '{}'::jsonb`, `data ? ? AND data->>? = ? AND a <@ ?::jsonb`},
		{"cut off in a literal", "SELECT 'secret", "SELECT ?"},
		{"cut off behind a doubled quote", "SELECT 'a''", "SELECT ?"},
		{"cut off behind a backslash", `SELECT E'a\`, "SELECT ?"},
		{"cut off in a dollar quote", "DO $do$ BEGIN 'x' $d", "DO ?"},
		{"cut off in a comment", "SELECT 1 /* secret", "SELECT ?"},
		{"cut off in an identifier", `SELECT "a `, `SELECT "a `},
		{"nothing", "", ""},
		{"no SQL", "\x00\xff$'", "\x00\xff$?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, Mask(c.text))
			require.Equal(t, c.want, Mask(c.want))
		})
	}
}

// TestSameKey: the texts of a row are one statement, and each row is another than the others.
func TestSameKey(t *testing.T) {
	rows := [][]string{
		{"SELECT a FROM t WHERE id = 1", "select A\n from T where id=2;", "SELECT a FROM t WHERE id = $1 /* x */", "SELECT a FROM t WHERE id = 'x'", "SELECT a FROM t WHERE id = -1", "SELECT a FROM t WHERE id = ?"},
		{`SELECT "a" FROM t WHERE id = 1`},
		{`SELECT "A" FROM t WHERE id = 1`},
		{"SELECT ab FROM t WHERE id = 1"},
		{"SELECT a b FROM t WHERE id = 1"},
		{"SELECT a-1 FROM t", "SELECT a - 2 FROM t"},
		{"SELECT a+1 FROM t"},
		{"SELECT a FROM t WHERE id IN (1)", "SELECT a FROM t WHERE id IN (1, 2, -3)", "SELECT a FROM t WHERE id IN ($1,$2)", "SELECT a FROM t WHERE id IN ( ?, /**/ ? )"},
		{"SELECT a FROM t WHERE id IN (1, b)"},
		{"SELECT a FROM t WHERE id = ANY (ARRAY[1])", "SELECT a FROM t WHERE id = ANY (ARRAY[1,2])"},
		{"INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b'),(-3,'c');"},
		{"INSERT INTO t VALUES (1, 'a'), (2, now())"},
		{"SELECT f()"},
		{"SELECT f(())"},
		{"a; b", "a;b;"},
		{""},
	}
	seen := map[string]int{}
	for i, row := range rows {
		for _, text := range row {
			require.Equal(t, Key("", false, row[0]), Key("", false, text), text)
		}
		key := Key("", false, row[0])
		require.NotContains(t, seen, key, row[0])
		require.Regexp(t, `^[0-9a-f]{16}$`, key)
		seen[key] = i
	}
}

func TestKey(t *testing.T) {
	const text = "SELECT a FROM t WHERE id = 1"
	const ofText = "cd62f198e5e0049a" // must never change: stored figures have it
	for _, c := range []struct {
		name, queryID string
		nested        bool
		want          string
	}{
		{"an id beyond 2^53, negative", "-1827459224716984620", false, "q-1827459224716984620"},
		{"a nested statement has its caller's id", "-1827459224716984620", true, ofText},
		{"none", "", false, ofText},
		{"not computed", "0", false, ofText},
		{"no integer", "1e3", false, ofText},
		{"too large", "18446744073709551615", false, ofText},
		{"spelt in another way", "+007", false, "q7"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Key(c.queryID, c.nested, text)) })
	}
}

func TestID(t *testing.T) {
	const hex, id = "3f2c8a5e9d4b4c1fa6e0b7d2c3e4f501", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501"
	const parent = "traceparent='00-" + hex + "-b39c2eabd3993835-03'"
	for _, c := range []struct{ name, text, rest string }{
		{"in front", "/*" + parent + "*/ SELECT 1;", "SELECT 1;"},
		{"at the end", "SELECT 1 /*route='orders/%3Cint%3Aid%3E'," + parent + "*/", "SELECT 1"},
		{"before the semicolon, bare numbers beside it", "SELECT 1 /*a=2,b='x'," + parent + "*/;", "SELECT 1;"},
		{"no space before", "GROUP BY cat/*" + parent + "*/", "GROUP BY cat"},
		{"in the middle", "SELECT a/*" + parent + "*/FROM b", "SELECT a FROM b"},
		{"in the middle, with spaces", "SELECT a /*" + parent + "*/ FROM b", "SELECT a FROM b"},
		{"to the end of the line", "SELECT 1 -- " + parent + "\nFROM a", "SELECT 1\nFROM a"},
		{"behind another comment's line", "-- x\n/*" + parent + "*/ SELECT 1", "-- x\n SELECT 1"},
		{"a UUID", "/*correlation_id='" + id + "'*/ SELECT 1", "SELECT 1"},
		{"a UUID in upper case, bare", "/* correlation_id = " + strings.ToUpper(id) + " */ SELECT 1", "SELECT 1"},
		{"32 digits in double quotes", `/*correlation_id="` + hex + `"*/ SELECT 1`, "SELECT 1"},
		{"percent-encoded", "/*correlation_id='" + strings.ReplaceAll(id, "-", "%2D") + "'*/ SELECT 1", "SELECT 1"},
		{"an escaped quote before it", `SELECT 1 /*controller='x\'y',` + parent + `,tracestate='a%3D1'*/;`, "SELECT 1;"},
		{"the last one wins", "/*correlation_id='00000000-0000-4000-8000-000000000001'*/ SELECT 1 /*" + parent + "*/", "/*correlation_id='00000000-0000-4000-8000-000000000001'*/ SELECT 1"},
		{"the last one with an id", "/*" + parent + "*/ SELECT 1 /*correlation_id='none'*/ /*traceparent='00-1-2-3'*/", "SELECT 1 /*correlation_id='none'*/ /*traceparent='00-1-2-3'*/"},
		{"a literal that looks like a comment", "SELECT '/* traceparent=''no'' */' -- it's \"x\n /*" + parent + "*/", "SELECT '/* traceparent=''no'' */' -- it's \"x\n"},
		{"cut off behind it", "SELECT 1 /*" + parent + ",a='b", "SELECT 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, rest, ok := ID(c.text)
			require.True(t, ok)
			require.Equal(t, id, got)
			require.Equal(t, c.rest, rest)
		})
	}
	for _, text := range []string{
		"", "SELECT 1", "SELECT 1 -- x", "/**/", "/*traceparent*/", "/*traceparent=*/", "/*traceparent='*/",
		"SELECT '/*" + strings.ReplaceAll(parent, "'", "''") + "*/'",
		`SELECT "/*` + parent + `*/"`,
		"SELECT $$/*" + parent + "*/$$",
		"/*x_" + parent + "*/",
		"/*a='" + strings.ReplaceAll(parent, "'", `\'`) + "'*/",
		"/*traceparent='00-" + hex + "-b39c2eabd3993835-0'*/",
		"/*traceparent='00-" + hex + "-B39C2EABD3993835-01'*/",
		"/*traceparent='01-" + hex + "-b39c2eabd3993835-01'*/",
		"/*traceparent='00-" + strings.Repeat("0", 32) + "-b39c2eabd3993835-01'*/",
		"/*correlation_id='%zz'*/",
	} {
		_, rest, ok := ID(text)
		require.False(t, ok, text)
		require.Equal(t, text, rest)
	}
}

// TestIDOfRealLogs reads each comment that real clients left in a log; the literal of line 8 that looks like one
// stays.
func TestIDOfRealLogs(t *testing.T) {
	f, err := os.Open("testdata/comments.txt")
	require.NoError(t, err)
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var line struct{ Text, ID, Rest string }
		require.NoError(t, json.Unmarshal(s.Bytes(), &line))
		id, rest, _ := ID(line.Text)
		require.Equal(t, line.ID, id, line.Text)
		require.Equal(t, line.Rest, rest)
	}
	require.Equal(t, 11, lines)
}

// TestPayloads: the statements that the real requests ran are as many by key as by PostgreSQL's own id.
func TestPayloads(t *testing.T) {
	body, err := os.ReadFile("../../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	byText, byID := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(body)) {
		var r struct {
			Query   string
			QueryID json.Number `json:"query_id"`
			Nested  bool
		}
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		if r.Query == "" || r.Nested {
			continue
		}
		id, key := Key(r.QueryID.String(), false, r.Query), Key("", false, r.Query)
		require.Equal(t, "q"+r.QueryID.String(), id)
		byID[id] = true
		if other, ok := byText[key]; ok {
			require.Equal(t, other, id, r.Query)
		}
		byText[key] = id
	}
	require.Equal(t, len(byID), len(byText))
	require.Len(t, byID, 6)
}
