package bitville

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

func TestWhatIsKept(t *testing.T) {
	body := ` {"project":"S\u0048op", "query_id" : -1827459224716984620,"correlation_id":"D37CC45587F5457FB02D86776B296414",
		"timestamp":1763843023.9597535,"a\u0062":"\u00e9\/","duration_ms":null,"request_uri":"\/caf\u00e9\n\ud83d\ude00",
		"profiling_data": {"n": 9007199254740993, "z":0.000, "k":"A\\B==>c@1\/", "k":[ ]} , "e":[1.0, 2]}  `
	batch, err := decoder(php).Decode([]byte(body), JSON)
	require.NoError(t, err)
	require.Empty(t, batch.Rejected)
	rec := batch.Records[0]
	require.NotZero(t, rec.Digest)
	rec.Digest = 0
	require.Equal(t, record.Record{
		CorrelationID: "d37cc455-87f5-457f-b02d-86776b296414",
		Project:       "shop",
		Source:        "php_agent",
		Timestamp:     1763843023959754,
		Name:          "/café\n😀",
		Attributes:    []byte(`{"query_id":-1827459224716984620,"a\u0062":"\u00e9\/","e":[1.0, 2]}`),
		Payload:       []byte(`{"n": 9007199254740993, "z":0.000, "k":"A\\B==>c@1\/", "k":[ ]}`),
	}, rec)
}

func TestEmptyArrayIsEmptyObject(t *testing.T) {
	batch, err := decoder(php).Decode([]byte(with("profiling_data", "[ ]")), JSON)
	require.NoError(t, err)
	require.Equal(t, "{}", string(batch.Records[0].Payload))
	require.Nil(t, batch.Records[0].Attributes)
}

// What a body must be as a whole. At tells where the first byte stands that cannot be right.
func TestInvalidJSON(t *testing.T) {
	for _, c := range []struct {
		body string
		at   int
	}{
		{"", 0},
		{" \n", 2},
		{"\ufeff", 3},
		{"\ufeff{]", 4},
		{"\ufeff\ufeff{}", 3},
		{"{}\ufeff", 2},
		{`{"project":"shop",}`, 18},
		{`{"project":"shop"`, 17},
		{`{"project"}`, 10},
		{`{"project":}`, 11},
		{`{project:1}`, 1},
		{`{"a":1 "b":2}`, 7},
		{`{}{}`, 2},
		{"{}\n{}", 3},
		{`[{},]`, 4},
		{`[{}`, 3},
		{`[{} {}]`, 4},
		{`[`, 1},
		{`]`, 0},
		{`[1,2}`, 4},
		{`{"a":[1}`, 7},
		{`nul`, 3},
		{`nulL`, 3},
		{`tru `, 3},
		{`+1`, 0},
		{`01`, 1},
		{`-`, 1},
		{`1.`, 2},
		{`1.e1`, 2},
		{`1e`, 2},
		{`1e+`, 3},
		{`.5`, 0},
		{`NaN`, 0},
		{`'a'`, 0},
		{`"a`, 2},
		{"\"a\nb\"", 2},
		{"\"a\x00b\"", 2},
		{`"a\x"`, 3},
		{`"a\u12g4"`, 6},
		{`"a\`, 3},
		{`"a\u12`, 6},
		{"{\"a\":\"\xff\"}", 6},
		{"{\"a\":\"\xed\xa0\x80\"}", 6}, // a surrogate in UTF-8
		{"{\"a\":\"\xc0\xaf\"}", 6},     // an overlong slash
		{"{\"a\":1,}\xff", 7},
		{"{}\xff", 2},
		{"{} // no", 3},
		{strings.Repeat("[", 200), 200},
		{strings.Repeat("[", 200) + "}", 200},
		{strings.Repeat(`{"a":`, 200) + "]", 1000},
	} {
		t.Run(clip(c.body), func(t *testing.T) {
			_, err := decoder(php).Decode([]byte(c.body), JSON)
			syntax, ok := errors.AsType[*SyntaxError](err)
			require.True(t, ok, "error is %v", err)
			require.Equal(t, c.at, syntax.Offset)
			require.NotEmpty(t, syntax.Message)
		})
	}
}

func TestBatches(t *testing.T) {
	good := with("", "")
	for _, c := range []struct {
		name     string
		body     string
		format   string
		records  int
		rejected map[int]string // index: path and message of its only problem
	}{
		{"empty array", " [ ] ", JSON, 0, nil},
		{"array", "[" + good + " , " + good + "]", JSON, 2, nil},
		{"bad ones among good", "[7," + good + "," + with("timestamp", "0") + "," + good + ",[" + good + "]]", JSON, 2, map[int]string{
			0: ": must be a JSON object, not a number; send the record itself",
			2: "timestamp: must be positive Unix seconds",
			4: ": must be a JSON object, not an array; an array of records is the whole of an application/json body",
		}},
		{"a deep one among good", "[" + good + "," + with("profiling_data", nested(20000)) + "," + good + "]", JSON, 2, map[int]string{
			1: "profiling_data: is nested 20000 deep; at most 512",
		}},
		{"no lines", "", NDJSON, 0, nil},
		{"blank lines", "\n \r\n\t\n", NDJSON, 0, nil},
		{"lines", good + "\n" + good, NDJSON, 2, nil},
		{"blank lines and CRLF between", "\n" + good + "\r\n\r\n  " + good + "  \r\n", NDJSON, 2, nil},
		{"bad lines", good + "\n{\"a\":}\n\n" + good + " x\n" + good + "\n[]\n\"\xff\"\n" + good + good, NDJSON, 2, map[int]string{
			1: ": is not JSON: byte 5 of the line, counted from 0, cannot be right: a value is missing behind the colon, as when a shell's variable is empty; null when it is not known",
			2: ": is not JSON: byte 176 of the line, counted from 0, cannot be right: something stands behind the JSON; send the JSON alone",
			4: ": must be a JSON object, not an array; an array of records is the whole of an application/json body",
			5: ": is not JSON: byte 1 of the line, counted from 0, cannot be right: the text is not UTF-8 there, or ends inside of a character; encode it as UTF-8 (PHP: mb_convert_encoding, or the flag JSON_INVALID_UTF8_SUBSTITUTE)",
			6: ": is not JSON: byte 175 of the line, counted from 0, cannot be right: several values stand in one line; put a line end between them (curl -d takes them out, --data-binary keeps them)",
		}},
		{"byte order marks", "\ufeff" + good + "\n" + good + "\n\ufeff \r\n\ufeff" + good, NDJSON, 3, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch, err := decoder(php).Decode([]byte(c.body), c.format)
			require.NoError(t, err)
			require.False(t, batch.Single)
			require.Len(t, batch.Records, c.records)
			rejected := map[int]string{}
			for _, r := range batch.Rejected {
				require.Len(t, r.Details, 1)
				rejected[r.Index] = r.Details[0].Path + ": " + r.Details[0].Message
			}
			if c.rejected == nil {
				c.rejected = map[int]string{}
			}
			require.Equal(t, c.rejected, rejected)
		})
	}
}

func TestAnotherProject(t *testing.T) {
	for name, body := range map[string]string{
		"in a bad record":     "[7," + with("", "") + "," + strings.Replace(with("timestamp", "0"), `"shop"`, `"blog"`, 1) + "]",
		"before a bad record": "[7," + with("", "") + "," + with("project", `"blog"`) + ",7]",
		"in Kelvin's k":       "[7,7," + with("project", `"\u212aelvin"`) + "]",
	} {
		d := decoder(php)
		d.Project = map[bool]string{true: "kelvin", false: "shop"}[name == "in Kelvin's k"]
		_, err := d.Decode([]byte(body), JSON)
		wrong, ok := errors.AsType[*ProjectError](err)
		require.True(t, ok, "%s: error is %v", name, err)
		require.Equal(t, 2, wrong.Index, name)
	}
	_, err := decoder(php).Decode([]byte(`[`+with("project", `"blog"`)+`,`), JSON)
	require.ErrorAs(t, err, new(*SyntaxError), "what is not JSON cannot be read at all")
}

func TestTooManyRecords(t *testing.T) {
	for _, c := range []struct {
		format         string
		open, sep, end string
	}{{JSON, "[", ",", "]"}, {NDJSON, "", "\n", ""}} {
		batch, err := decoder(php).Decode([]byte(c.open+strings.Repeat("7"+c.sep, record.MaxRecords-1)+with("", "")+c.end), c.format)
		require.NoError(t, err)
		require.Len(t, batch.Records, 1)
		_, err = decoder(php).Decode([]byte(c.open+strings.Repeat("7"+c.sep, record.MaxRecords)+with("", "")+c.end), c.format)
		require.ErrorIs(t, err, ErrTooManyRecords)
	}
}

// Records that differ in any field are two; the same content in other words is one.
func TestDigest(t *testing.T) {
	digest := func(source record.Source, body string) int64 {
		batch, err := decoder(source).Decode([]byte(body), JSON)
		require.NoError(t, err)
		require.Empty(t, batch.Rejected)
		return batch.Records[0].Digest
	}
	base := with("other", `"x"`)
	seen := map[int64]string{digest(php, base): base}
	for _, other := range []string{
		with("", ""),
		with("other", `"y"`),
		with("other", `"x","y":1`),
		with("correlation_id", `"d37cc455-87f5-457f-b02d-86776b296415"`),
		with("timestamp", "1763843023.000001"),
		with("duration_ms", "null"),
		with("duration_ms", "0"),
		with("request_uri", `"/car"`),
		with("profiling_data", `{"main()":{"wt":2}}`),
		with("profiling_data", `{}`),
	} {
		d := digest(php, other)
		require.NotContains(t, seen, d, other)
		seen[d] = other
	}
	require.NotEqual(t, digest(php, with("query", `"/cart"`)), digest(postgres, with("query", `"/cart"`)))
	for _, same := range []string{
		strings.Replace(base, `"shop"`, `"SHOP"`, 1),
		strings.Replace(base, "d37cc455-87f5-457f-b02d-86776b296414", "D37CC45587F5457FB02D86776B296414", 1),
		strings.Replace(base, "1763843023", "1763843023.0", 1),
		strings.Replace(base, "17.8", "1.78e1", 1),
		strings.Replace(base, "/cart", `\/cart`, 1),
		strings.ReplaceAll(base, `,"`, ` , "`),
	} {
		require.Equal(t, digest(php, base), digest(php, same), same)
	}
}
