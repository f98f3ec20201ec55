package otlp

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

// FuzzProtobuf: a body that the reference reads is read, and each of its spans is in a record, passed over or rejected;
// what is broken in it never takes the good request that stands behind. What the reference refuses may lose spans, and
// nothing else.
func FuzzProtobuf(f *testing.F) {
	bodies, messages := captured(f)
	for name, text := range bodies {
		if strings.HasSuffix(name, ".pb") {
			f.Add([]byte(text))
		}
	}
	good, err := proto.Marshal(messages["otlp-python-split-2.pb"])
	require.NoError(f, err)
	f.Add([]byte("\x0a\x05\x12\x03\x12\x01\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		reference := &tracepb.TracesData{}
		err := proto.Unmarshal(text, reference)
		alone, ours := Wire{}.Decode(text, typeProtobuf, rules, plenty)
		requireStorable(t, alone)
		if err == nil {
			require.NoError(t, ours)
		}
		if ours != nil {
			return
		}
		both := decode(t, string(text)+string(good), typeProtobuf, Privacy{})
		ids := map[string]bool{}
		for _, r := range both.Records {
			ids[string(r.Attributes)] = true
		}
		for _, r := range decode(t, string(good), typeProtobuf, Privacy{}).Records {
			require.True(t, ids[string(r.Attributes)])
		}
		require.Equal(t, len(alone.Rejected), len(both.Rejected))
	})
}

// FuzzSpan: whatever stands between two good requests in JSON, they are stored, and it is one span: a record, passed over or
// rejected.
func FuzzSpan(f *testing.F) {
	for _, span := range []string{
		"5", "null", "{}", spanJSON("x", kindServer, "3", "1", with("url.path", "/a", "url.query", "b=1"), `"status":{"code":2,"message":"m"}`),
		server("SELECT 1", "3", ""), spanJSON("PDOStatement::execute", 3, "3", "", with("db.system", "postgresql"), `"links":[{"traceId":"`+traceID+`","spanId":"0000000000000001"}]`),
		spanJSON("\u00e9", 1, "3", "1", `"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"b","value":{"doubleValue":"NaN"}}]}},{"bytesValue":"aGk="},{"boolValue":true},{"intValue":"-9223372036854775808"}]}}}]`),
	} {
		f.Add(span)
	}
	f.Fuzz(func(t *testing.T, span string) {
		if !json.Valid([]byte(span)) {
			_, err := Wire{}.Decode([]byte(body("x", span)), typeJSON, rules, plenty)
			if !json.Valid([]byte(body("x", span))) {
				require.Equal(t, ErrMalformed, err)
			}
			return
		}
		before, after := spanJSON("before", kindServer, "1", ""), spanJSON("after", kindServer, "2", "")
		batch := decode(t, body("x", before, span, after), typeJSON, Privacy{})
		requireStorable(t, batch)
		var names []string
		for _, r := range batch.Records {
			names = append(names, r.Name)
		}
		require.Equal(t, "before", names[0])
		require.Equal(t, "after", names[len(names)-1])
		require.LessOrEqual(t, len(names)+len(batch.Rejected), 3)
		if len(batch.Rejected) > 0 {
			require.Equal(t, 1, batch.Rejected[0].Index)
		}
	})
}

// requireStorable holds records against our own contract: each is one that the listener's own route takes, and it is the
// same one then.
func requireStorable(t *testing.T, batch record.Batch) {
	t.Helper()
	sources := map[string]record.Source{record.PHP.ID: record.PHP, record.Postgres.ID: record.Postgres}
	for _, r := range batch.Records {
		source := sources[r.Source]
		require.Empty(t, r.Validate(source, rules))
		require.True(t, utf8.Valid(r.Payload))
		name, err := json.Marshal(r.Name)
		require.NoError(t, err)
		duration, err := json.Marshal(r.DurationMS)
		require.NoError(t, err)
		stamp, err := json.Marshal(float64(r.Timestamp) / 1e6)
		require.NoError(t, err)
		text := `{"project":"shop","correlation_id":"` + r.CorrelationID + `","timestamp":` + string(stamp) + `,"duration_ms":` + string(duration) +
			`,"` + source.NameField + `":` + string(name) + `,"profiling_data":` + string(r.Payload) + `,` + string(r.Attributes[1:])
		own, err := bitville.Wire{Source: source}.Decode([]byte(text), bitville.JSON, rules, plenty)
		require.NoError(t, err, text)
		require.Empty(t, own.Rejected, text)
		require.Equal(t, r, own.Records[0])
	}
}
