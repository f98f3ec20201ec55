package bitville

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

var (
	php      = record.Source{ID: "php_agent", NameField: "request_uri", MaxNameBytes: 8192}
	postgres = record.Source{ID: "postgres_agent", NameField: "query", MaxNameBytes: 65536}
	clock    = time.Unix(1763843023, 0)
)

// bodies decodes bodies of one source by the rules of one request.
type bodies struct {
	Wire
	record.Rules
}

func (b bodies) Decode(body []byte, contentType string) (record.Batch, error) {
	return b.Wire.Decode(body, contentType, b.Rules)
}

func decoder(source record.Source) bodies {
	return bodies{Wire{source}, record.Rules{Project: "shop", Retention: 168 * time.Hour, Now: clock}}
}

// object writes a JSON object of raw values, in order.
func object(pairs ...string) string {
	var members []string
	for i := 0; i < len(pairs); i += 2 {
		members = append(members, fmt.Sprintf("%q:%s", pairs[i], pairs[i+1]))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// with is a valid PHP record in which one field, if any, has another raw value, or is missing when that is "".
func with(field, value string) string {
	pairs := []string{
		"project", `"shop"`,
		"correlation_id", `"d37cc455-87f5-457f-b02d-86776b296414"`,
		"timestamp", "1763843023",
		"duration_ms", "17.8",
		"request_uri", `"/cart"`,
		"profiling_data", `{"main()":{"wt":1}}`,
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == field {
			if value == "" {
				return object(append(pairs[:i:i], pairs[i+2:]...)...)
			}
			pairs[i+1] = value
			return object(pairs...)
		}
	}
	if field == "" {
		return object(pairs...)
	}
	return object(append(pairs, field, value)...)
}

func text(char string, n int) string { return `"` + strings.Repeat(char, n) + `"` }

func nested(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":%d,`, i, i)
	}
	return strings.Replace(with("", ""), "{", "{"+b.String(), 1)
}

// Each row of the record table: what is only just accepted, and what is refused and with which words.
func TestRules(t *testing.T) {
	const (
		str      = "must be a string, not "
		num      = "must be a number, not "
		seconds  = "; send Unix seconds, such as 1763843023.96: microtime(true) in PHP, time.time() in Python, date +%s in a shell, extract(epoch FROM now()) in Postgres"
		uuid     = "must be a UUID (d37cc455-87f5-457f-b02d-86776b296414, its dashes may be left out) or a trace id of 32 hexadecimal digits"
		zeros    = "is all zeros, which stands for no id (the nil UUID of RFC 9562, no W3C trace id either); send the request's own, or make one"
		ones     = "is all ones, which stands for no id (the max UUID of RFC 9562); send the request's own, or make one"
		lone     = `holds half of a surrogate pair (\ud800 to \udfff), which is no character; send \ufffd for it`
		twice    = "stands more than once; send it once"
		inMilli  = "seems to be in milliseconds; send Unix seconds, fractions allowed: divide it by 1,000"
		ahead    = "is more than an hour ahead of the listener's clock, which says 1763843023; set the sender's clock"
		tooOld   = "is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"
		envelope = "is no record, but records stand in it; send their array alone (PHP: array_values makes one of an array with gaps), or one record alone"
		aNumber  = "must be a number or null, not a string; send a number of milliseconds, or null when they are not known"
		around   = "; send it without what stands around it"
	)
	for _, c := range []struct{ field, value, message string }{
		{"project", "", "is required"},
		{"project", "null", str + "null"},
		{"project", "7", str + "a number; put it in quotes"},
		{"project", `""`, "is 0 characters long; 1 to 50: send the project that the key is for"},
		{"project", text("s", 51), "is 51 characters long; 1 to 50: send the project that the key is for"},
		{"project", text("é", 51), "is 51 characters long; 1 to 50: send the project that the key is for"},
		{"project", `"SHOP"`, ""},
		{"project", `"\u0073hop"`, ""},

		{"correlation_id", "", "is required"},
		{"correlation_id", "true", str + "a boolean"},
		{"correlation_id", `"D37CC455-87F5-457F-B02D-86776B296414"`, ""},
		{"correlation_id", `"d37cc45587f5457fb02d86776b296414"`, ""},
		{"correlation_id", `"D37CC45587F5457FB02D86776B296414"`, ""},
		{"correlation_id", `"d37cc455-87f5-457f-b02d-86776b29641"`, uuid},
		{"correlation_id", `"d37cc455-87f5-457f-b02d-86776b2964144"`, uuid},
		{"correlation_id", `"d37cc455-87f5-457f-b02d-86776b29641g"`, uuid},
		{"correlation_id", `"d37cc45-587f5-457f-b02d-86776b296414"`, uuid},
		{"correlation_id", `"{d37cc455-87f5-457f-b02d-86776b296414}"`, uuid + around},
		{"correlation_id", `"urn:uuid:d37cc455-87f5-457f-b02d-86776b296414"`, uuid + around},
		{"correlation_id", `"d37cc45587f5457f-b02d86776b296414"`, uuid},
		{"correlation_id", `""`, uuid},
		{"correlation_id", `"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`, uuid + "; it is a whole traceparent: send its second part"},
		{"correlation_id", `"4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"`, uuid + "; it is a trace id with more behind it: send its first part"},
		{"correlation_id", `"00f067aa0ba902b7"`, uuid + "; it is a span id, or half a trace id: send the whole trace id"},
		{"correlation_id", `"00000000-0000-0000-0000-000000000000"`, zeros},
		{"correlation_id", text("0", 32), zeros},
		{"correlation_id", `"FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF"`, ones},
		{"correlation_id", text("f", 32), ones},
		{"correlation_id", `"00000000-0000-0000-0000-000000000001"`, ""},
		{"correlation_id", `"00000000-ffff-ffff-ffff-ffffffffffff"`, ""},

		{"timestamp", "", "is required" + seconds},
		{"timestamp", "null", num + "null" + seconds},
		{"timestamp", `"1763843023"`, num + "a string" + seconds},
		{"timestamp", `"2026-01-02T15:04:05Z"`, num + "a string" + seconds},
		{"timestamp", `{"date":"2026-01-02 15:04:05.000000"}`, num + "an object" + seconds},
		{"timestamp", "20260102150405", "is no Unix time" + seconds},
		{"timestamp", "20260102150405000", "is no Unix time" + seconds},
		{"timestamp", "0", "must be positive Unix seconds"},
		{"timestamp", "-1763843023", "must be positive Unix seconds"},
		{"timestamp", "1e400", "is too large a number"},
		{"timestamp", "1763843023.123456", ""},
		{"timestamp", "1.763843023e9", ""},
		{"timestamp", "1763846623", ""},
		{"timestamp", "1763846623.000001", ahead},
		{"timestamp", "1763238223", ""},
		{"timestamp", "1763238222.999999", tooOld},
		{"timestamp", "1", tooOld},
		{"timestamp", "99999999999", ahead},
		{"timestamp", "1763843023000", inMilli},
		{"timestamp", "1763843023000000", "seems to be in microseconds; send Unix seconds, fractions allowed: divide it by 1,000,000"},
		{"timestamp", "1763843023000000000", "seems to be in nanoseconds; send Unix seconds, fractions allowed: divide it by 1,000,000,000"},

		{"duration_ms", "", "is required; null when it is not known"},
		{"duration_ms", "null", ""},
		{"duration_ms", "0", ""},
		{"duration_ms", "-0.0", ""},
		{"duration_ms", "1e308", ""},
		{"duration_ms", "1e400", "is too large a number"},
		{"duration_ms", "-0.001", "must not be negative; measure it with a clock that is not set, such as PHP's hrtime"},
		{"duration_ms", `"17.8"`, "must be a number or null, not a string; leave its quotes out"},
		{"duration_ms", `"-1e3"`, "must be a number or null, not a string; leave its quotes out"},
		{"duration_ms", `"1ms"`, aNumber}, {"duration_ms", `""`, aNumber}, {"duration_ms", `"1,5"`, aNumber}, {"duration_ms", `"-"`, aNumber}, {"duration_ms", `"1."`, aNumber},
		{"duration_ms", "false", "must be a number or null, not a boolean; send milliseconds, or null when they are not known"},

		{"request_uri", "", "is required"},
		{"request_uri", "null", str + "null"},
		{"request_uri", "[]", str + "an array"},
		{"request_uri", `""`, "is empty; 1 to 8192 bytes"},
		{"request_uri", text("a", 8192), ""},
		{"request_uri", text("é", 4096), ""},
		{"request_uri", text(`\u00e9`, 4096), ""},
		{"request_uri", text("a", 8193), "is 8193 bytes long; at most 8192, and a longer one may be cut, between two characters"},
		{"request_uri", text("é", 4097), "is 8194 bytes long; at most 8192, and a longer one may be cut, between two characters"},
		{"request_uri", `"/a\u0000b"`, `holds a NUL character (\u0000); leave it out`},
		{"request_uri", `"/a\ud800"`, lone},
		{"request_uri", `"/a\udc00\ud800"`, lone},
		{"request_uri", `"/a\ud800A"`, lone},
		{"request_uri", `"/\ud83d\ude00"`, ""},

		{"profiling_data", "", "is required; {} when there is nothing"},
		{"profiling_data", "null", "must be an object, not null; send {} when there is nothing"},
		{"profiling_data", `"{}"`, "must be an object, not a string; it was encoded twice: encode the record once"},
		{"profiling_data", "{}", ""},
		{"profiling_data", "[ ]", ""},
		{"profiling_data", "[1]", `must be an object, not an array; put it into one, such as {"data":…}`},
		{"profiling_data", "[{},{}]", `must be an object, not an array; put it into one, such as {"data":…}`},
		{"profiling_data", `[ {"Plan":{}} ]`, "is an array of one object, as EXPLAIN (FORMAT JSON) prints it; send its element"},
		{"profiling_data", nested(512), ""},
		{"profiling_data", nested(513), "is nested 513 deep; at most 512"},
		{"profiling_data", nested(10000), "is nested 10000 deep; at most 512"},
		{"profiling_data", nested(100000), "is nested 100000 deep; at most 512"},
		{"profiling_data", `{"a":"\ud800\u0000","a":1e400}`, ""},

		{"other", nested(512), ""},
		{"other", nested(513), "is nested 513 deep; at most 512"},
		{"Project", `"blog"`, ""},
		{"reque\u017ft_uri", `"/"`, ""},
		{"query", "7", ""},
	} {
		t.Run(clip(c.field+" "+c.value), func(t *testing.T) {
			batch, err := decoder(php).Decode([]byte(with(c.field, c.value)), JSON)
			require.NoError(t, err)
			require.True(t, batch.Single)
			if c.message == "" {
				require.Empty(t, batch.Rejected)
				require.Len(t, batch.Records, 1)
				return
			}
			require.Empty(t, batch.Records)
			require.Equal(t, []record.Rejection{{Details: []record.Detail{{Path: c.field, Message: c.message}}}}, batch.Rejected)
		})
	}

	for _, c := range []struct{ name, body, path, message string }{
		{"a field twice", strings.Replace(with("", ""), "{", `{"project":"shop",`, 1), "project", twice},
		{"a field twice, once escaped", strings.Replace(with("", ""), "{", `{"dur\u0061tion_ms":1,`, 1), "duration_ms", twice},
		{"100,000 extra fields", manyFields(100_000), "", "has 100000 fields beside the contract's; at most 1000: put some into one object"},
		{"1,001 extra fields", manyFields(1001), "", "has 1001 fields beside the contract's; at most 1000: put some into one object"},
		{"too long", with("other", text("a", record.MaxBytes)), "", fmt.Sprintf("is %d bytes long; a record holds at most 4194304: leave out part of profiling_data", len(with("other", text("a", record.MaxBytes))))},
		{"a number", "7", "", "must be a JSON object, not a number; send the record itself"},
		{"null", "null", "", "must be a JSON object, not null; send the record itself"},
		{"an array with gaps", object("0", with("", ""), "2", with("", "")), "", envelope},
		{"an object around an array", object("count", "1", "records", "[ "+with("", "")+"]"), "", envelope},
		{"an object around a record", object("data", with("", "")), "", envelope},
		{"two objects around an array", object("data", object("records", "["+with("", "")+"]")), "", envelope},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch, err := decoder(php).Decode([]byte(c.body), JSON)
			require.NoError(t, err)
			require.Equal(t, []record.Rejection{{Details: []record.Detail{{Path: c.path, Message: c.message}}}}, batch.Rejected)
		})
	}
}

func TestLongestAccepted(t *testing.T) {
	short := len(with("other", `""`))
	for name, body := range map[string]string{
		"a record of 4 MiB":  with("other", text("a", record.MaxBytes-short)),
		"1,000 extra fields": manyFields(1000),
	} {
		batch, err := decoder(php).Decode([]byte(body), JSON)
		require.NoError(t, err, name)
		require.Len(t, batch.Records, 1, name)
	}
	batch, err := decoder(postgres).Decode([]byte(strings.Replace(with("query", text("a", 65536)), "request_uri", "uri", 1)), JSON)
	require.NoError(t, err)
	require.Len(t, batch.Records, 1)
	batch, err = decoder(postgres).Decode([]byte(with("query", text("a", 65537))), JSON)
	require.NoError(t, err)
	require.Equal(t, []record.Detail{{Path: "query", Message: "is 65537 bytes long; at most 65536, and a longer one may be cut, between two characters"}}, batch.Rejected[0].Details)
}

// Every problem of a record is told at once, in the order of the contract, and at most twenty.
func TestAllProblemsAtOnce(t *testing.T) {
	batch, err := decoder(php).Decode([]byte(`{"correlation_id":1,"timestamp":"x","duration_ms":-1,"profiling_data":7}`), JSON)
	require.NoError(t, err)
	var paths []string
	for _, d := range batch.Rejected[0].Details {
		paths = append(paths, d.Path)
	}
	require.Equal(t, []string{"project", "correlation_id", "timestamp", "duration_ms", "request_uri", "profiling_data"}, paths)

	// What holds no record either is a record without its fields: a profile alone, say.
	for _, body := range []string{"{}", `{"main()":{"ct":1,"wt":2}}`, `{"tags":["project"],"list":[],"n":[[{"project":1}]]}`} {
		batch, err = decoder(php).Decode([]byte(body), JSON)
		require.NoError(t, err)
		require.Len(t, batch.Rejected[0].Details, contractFields, body)
	}

	var deep []string
	for i := range 40 {
		deep = append(deep, fmt.Sprint("deep", i), nested(513))
	}
	batch, err = decoder(php).Decode([]byte(object(deep...)), JSON)
	require.NoError(t, err)
	require.Len(t, batch.Rejected[0].Details, maxDetails)
}
