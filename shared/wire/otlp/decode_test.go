package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/bitville/listener/shared/record"
)

// TestFormats: what a client sends makes the same records in both formats, as the reference writes them, and whatever an SDK
// writes that has its default value.
func TestFormats(t *testing.T) {
	bodies, messages := captured(t)
	all := 0
	for name, message := range messages {
		contentType := typeJSON
		if strings.HasSuffix(name, ".pb") {
			contentType = typeProtobuf
		}
		want := decode(t, bodies[name], contentType, Privacy{})
		require.Empty(t, want.Rejected, name)
		require.NotEmpty(t, want.Records, name)
		all += len(want.Records)

		protobuf, err := proto.Marshal(message)
		require.NoError(t, err)
		require.Equal(t, want, decode(t, string(protobuf), typeProtobuf, Privacy{}), name)
		for _, options := range []protojson.MarshalOptions{{UseEnumNumbers: true}, {UseEnumNumbers: true, EmitDefaultValues: true, Multiline: true}} {
			text, err := options.Marshal(message)
			require.NoError(t, err)
			text = recode(t, text, base64.StdEncoding.DecodeString, hex.EncodeToString)
			require.Equal(t, want, decode(t, string(text), typeJSON, Privacy{}), name)
		}
	}
	require.Equal(t, 47, all)
}

// TestPrivacy: nothing of what is dropped is in a record, whatever holds it, and each setting keeps its own.
func TestPrivacy(t *testing.T) {
	secrets := func(texts ...string) (attributes string) {
		return with("user_agent.original", texts[0], "http.user_agent", texts[0], "client.address", texts[1], "http.client_ip", texts[1],
			"network.peer.address", texts[2], "net.peer.ip", texts[2], "net.sock.peer.addr", texts[2],
			"db.postgresql.values", texts[3], "db.statement.parameters", texts[3], "db.query.parameter.0", texts[3], "db.operation.parameter.name", texts[3],
			"query.parameters", texts[4], "query.deparse_info", texts[5], "exception.message", texts[6], "exception.stacktrace", texts[7],
			"url.full", "http://u:pw@h/a?q="+texts[8], "http.url", "http://h/a?q="+texts[8], "http.target", "/a?q="+texts[8], "url.query", "q="+texts[8],
			"kept", "kept")
	}
	kept := map[string]string{"user_agent.original": "s0", "client.address": "s1", "network.peer.address": "s2", "db.postgresql.values": "s3", "query.parameters": "s4",
		"query.deparse_info": "s5", "exception.message": "s6", "exception.stacktrace": "s7", "query_values": "s8", "status.message": "s9"}
	text := body("", spanJSON("GET /a?q=s8", kindServer, "1", "", secrets("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"), `"status":{"code":2,"message":"s9"}`,
		`"events":[{"name":"exception",`+secrets("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8")+`}],"links":[{`+secrets("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8")+`}]`))
	stored := func(keep ...string) string {
		r := decode(t, text, typeJSON, Privacy{Keep: keep}).Records[0]
		require.Contains(t, string(r.Payload), `{"key":"kept","value":{"stringValue":"kept"}}`)
		require.Contains(t, string(r.Payload), `"status":{`)
		return r.Name + string(r.Attributes) + string(r.Payload)
	}
	for name, secret := range kept {
		got := stored(name)
		require.Contains(t, got, secret, name)
		for _, other := range kept {
			require.True(t, other == secret || !strings.Contains(got, other), "%s keeps %s: %s", name, other, got)
		}
	}
	require.NotRegexp(t, `s\d|pw`, stored())
	for _, r := range decode(t, text, typeJSON, Privacy{Keep: slices.Collect(maps.Keys(kept)), Redact: true}).Records {
		require.NotRegexp(t, `"s[34679]"`, string(r.Payload), "literals")
		require.Contains(t, string(r.Payload), `"s0"`)
	}
	require.Contains(t, stored(), `"http://h/a?q="`)
}

func TestRedact(t *testing.T) {
	const secret, hidden = "SELECT 'x', 7", "SELECT ?, ?"
	client := spanJSON(secret, 3, "1", "", with("db.system", "postgresql", "db.statement", secret))
	text := `{"resourceSpans":[{"scopeSpans":[{"spans":[` + client + `]},{"scope":{"name":"Select query"},"spans":[` + server(secret, "2", "") +
		`]},{"scope":{"name":"Planner"},"spans":[` + server("Planner", "3", "2") + `]}]}]}`
	for redact, want := range map[bool]string{false: secret, true: hidden} {
		batch := decode(t, text, typeJSON, Privacy{Redact: redact})
		require.Len(t, batch.Records, 2)
		require.Equal(t, want, batch.Records[0].Name)
		require.Equal(t, want, batch.Records[1].Name)
		require.Equal(t, 2, strings.Count(string(batch.Records[0].Payload), want), "the span's name and its text")
	}
}

// TestName: what a request or a statement is called.
func TestName(t *testing.T) {
	pg := []string{"db.system.name", "postgresql"}
	for _, c := range []struct {
		kind       int
		name       string
		attributes []string
		want       string // "" for no record
	}{
		{kindServer, "GET", []string{"url.path", "/a", "url.query", "q=1"}, "/a?q="},
		{kindServer, "GET", []string{"url.path", "/a", "url.query", "", "url.full", "http://h/b?c=1"}, "/a"},
		{kindServer, "GET", []string{"url.path", "/a", "url.full", "https://h/a?c=1&d"}, "/a?c=&d"},
		{kindServer, "GET", []string{"http.url", "http://h?c=1"}, "/?c="},
		{kindServer, "GET", []string{"url.full", "http://h"}, "/"},
		{kindServer, "GET", []string{"url.path", "/a"}, "/a"},
		{kindServer, "GET", []string{"http.target", "/t?x=1", "http.route", "/r"}, "/t?x="},
		{kindServer, "GET", []string{"http.route", "/r/{id}"}, "/r/{id}"},
		{kindServer, "GET /orders/{id}", nil, "GET /orders/{id}"},
		{kindServer, "GET /orders?token=1", nil, "GET /orders?token="},
		{kindConsumer, "orders process", nil, "orders process"},
		{1, "inside", nil, ""},
		{3, "GET", []string{"url.full", "http://h/a"}, ""},
		{3, "pg.query", append(pg, "db.query.text", "SELECT 1/*traceparent='00-f27e620cac0a569ad03589ab60e067ba-9c8ef4d41335f241-01'*/"), "SELECT 1"},
		{3, "SELECT", []string{"db.system", "postgresql", "db.statement", "SELECT 2"}, "SELECT 2"},
		{3, "SELECT", []string{"db.system", "mysql", "db.statement", "SELECT 2"}, ""},
		{3, "pg.connect", pg, ""},
		{3, "PDO::__construct", pg, ""},
		{3, "PDO::prepare", append(pg, "db.query.text", "SELECT 1"), ""},
		{3, "PDOStatement::fetchAll", nil, ""},
		{3, "PDOStatement::execute", pg, "PDOStatement::execute"},
		{3, "PDOStatement::execute", append(pg, "db.query.text", "SELECT 3"), "SELECT 3"},
	} {
		t.Run(c.name+" "+strings.Join(c.attributes, " "), func(t *testing.T) {
			batch := decode(t, body("x", spanJSON(c.name, c.kind, "1", "", with(c.attributes...))), typeJSON, Privacy{})
			require.Empty(t, batch.Rejected)
			if c.want == "" {
				require.Empty(t, batch.Records)
				return
			}
			require.Len(t, batch.Records, 1)
			require.Equal(t, c.want, batch.Records[0].Name)
			require.Equal(t, c.want == "PDOStatement::execute", strings.Contains(string(batch.Records[0].Attributes), `"query_missing":true`))
		})
	}
}

// TestBroken: a span that is broken is rejected by itself, in both formats, and the ones about it are stored.
func TestBroken(t *testing.T) {
	good := spanJSON("good", kindServer, "1", "")
	set := func(member, value string) string {
		var s map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(good), &s))
		s[member] = json.RawMessage(value)
		text, err := json.Marshal(s)
		require.NoError(t, err)
		return string(text)
	}
	at := func(d time.Duration) string { return fmt.Sprintf(`"%d"`, clock.Add(d).UnixNano()) }
	deep := strings.Repeat(`{"arrayValue":{"values":[`, maxDepth) + strings.Repeat("]}}", maxDepth)
	for name, c := range map[string]struct{ span, path string }{
		"a short trace id":   {set("traceId", `"f27e"`), "correlation_id"},
		"a long trace id":    {set("traceId", `"f27e620cac0a569ad03589ab60e067ba00"`), "correlation_id"},
		"no trace id":        {set("traceId", `""`), "correlation_id"},
		"zeros":              {set("traceId", `"00000000000000000000000000000000"`), "correlation_id"},
		"no hex":             {set("traceId", `"x27e620cac0a569ad03589ab60e067ba"`), "correlation_id"},
		"a number for an id": {set("traceId", `5`), "correlation_id"},
		"a short span id":    {set("spanId", `"f27e"`), ""},
		"no span id":         {set("spanId", `null`), ""},
		"a span id of zeros": {set("spanId", `"0000000000000000"`), ""},
		"a short parent":     {set("parentSpanId", `"f27e"`), ""},
		"ends before":        {set("endTimeUnixNano", at(-time.Second)), "duration_ms"},
		"no end":             {set("endTimeUnixNano", `null`), "duration_ms"},
		"old":                {set("startTimeUnixNano", at(-169*time.Hour)), "timestamp"},
		"ahead":              {set("endTimeUnixNano", at(61*time.Minute)), "timestamp"},
		"no object":          {"5", "correlation_id"},
		"null":               {"null", "correlation_id"},
		"a name of numbers":  {set("name", `5`), "correlation_id"},
		"attributes":         {set("attributes", `{}`), "correlation_id"},
		"too deep":           {set("attributes", `[{"key":"a","value":`+deep+`}]`), "correlation_id"},
		"too large":          {set("name", `"`+strings.Repeat("x", record.MaxBytes)+`"`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			batch := decode(t, body("x", good, c.span, spanJSON("after", kindServer, "2", "")), typeJSON, Privacy{})
			require.Len(t, batch.Records, 2)
			require.Len(t, batch.Rejected, 1)
			require.Equal(t, 1, batch.Rejected[0].Index)
			require.Equal(t, c.path, batch.Rejected[0].Details[0].Path)
			require.Equal(t, "php_agent", batch.Rejected[0].Source)
		})
	}

	_, messages := captured(t)
	message := messages["otlp-js-http-pg.json"]
	spans := message.ResourceSpans[0].ScopeSpans[0].Spans
	spans[1].SpanId = spans[1].SpanId[:7]
	protobuf, err := proto.Marshal(message)
	require.NoError(t, err)
	batch := decode(t, string(protobuf), typeProtobuf, Privacy{})
	require.Len(t, batch.Records, 2)
	require.Len(t, batch.Rejected, 1)
	require.Equal(t, "postgres_agent", batch.Rejected[0].Source)

	// What cannot be read to its end within a span.
	broken := strings.Replace(string(protobuf), "db.query.text", "db.query.text", 1)
	at2 := strings.Index(broken, "\x0a\x0edb.system.name")
	broken = broken[:at2+1] + "\x7f" + broken[at2+2:]
	batch = decode(t, broken, typeProtobuf, Privacy{})
	require.NotEmpty(t, batch.Records)
	require.Equal(t, "the span cannot be read to its end", batch.Rejected[0].Details[0].Message)
}

func TestMalformed(t *testing.T) {
	good := body("x", spanJSON("good", kindServer, "1", ""))
	for _, c := range []struct{ text, contentType string }{
		{"", typeJSON}, {"5", typeJSON}, {"[]", typeJSON}, {good[:len(good)-1], typeJSON}, {good + "}", typeJSON}, {`{"resourceSpans":{}}`, typeJSON},
		{`{"resourceSpans":[5]}`, typeJSON}, {`{"resourceSpans":[{"scopeSpans":5}]}`, typeJSON}, {`{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}`, typeJSON},
		{good, typeProtobuf}, {"\x0a\x05", typeProtobuf}, {"\x0a\x02\x12\x05", typeProtobuf}, {"\x0a\x04\x12\x02\x12\x05", typeProtobuf},
	} {
		_, err := Wire{}.Decode([]byte(c.text), c.contentType, rules, plenty)
		require.Equal(t, ErrMalformed, err, c.text)
	}
	for _, c := range []struct{ text, contentType string }{
		{"{}", typeJSON}, {`{"resourceSpans":null}`, typeJSON}, {` {"resourceSpans":[{"resource":5,"scopeSpans":[{"scope":"x","spans":null}]}],"new":{"a":[1]}} `, typeJSON}, {"", typeProtobuf}, {"\x7a\x01x", "application/protobuf"},
	} {
		require.Equal(t, record.Batch{}, decode(t, c.text, c.contentType, Privacy{}), c.text)
	}
}

// TestRelations: whose record a span is in.
func TestRelations(t *testing.T) {
	in := func(texts ...string) map[string][]string {
		got := map[string][]string{}
		for _, r := range decode(t, `{"resourceSpans":[{"scopeSpans":[`+strings.Join(texts, ",")+`]}]}`, typeJSON, Privacy{}).Records {
			got[r.Name] = spanNames(t, r)
		}
		return got
	}
	scope := func(name string, spans ...string) string {
		return fmt.Sprintf(`{"spans":[%s],"scope":{"name":%q}}`, strings.Join(spans, ","), name)
	}
	other := strings.ReplaceAll(spanJSON("another trace's", 1, "1", ""), traceID, "aa"+traceID[2:])
	require.Equal(t, map[string][]string{
		"outer": {"outer", "a child", "a grandchild", "of a parent in another body", "a root"},
		"inner": {"inner", "the inner one's"},
	}, in(scope("x", spanJSON("a child", 1, "3", "1"), spanJSON("a grandchild", 1, "4", "3"), spanJSON("outer", kindServer, "1", "9"), spanJSON("of a parent in another body", 3, "5", "77"),
		spanJSON("inner", kindConsumer, "2", "3"), spanJSON("the inner one's", 1, "6", "2"), spanJSON("a root", 1, "7", ""), other)))

	require.Equal(t, map[string][]string{
		"SELECT f()": {"Planner", "ExecutorRun", "Result"},
		"SELECT 1":   {"ExecutorRun of 1"},
	}, in(
		scope("Planner", server("Planner", "2", "1")),
		scope("ExecutorRun", server("ExecutorRun", "3", "1"), server("ExecutorRun of 1", "5", "4")),
		scope("Result", server("Result", "6", "3")),
		scope("Utility query", server("SET x", "7", "3")), scope("ProcessUtility", server("ProcessUtility", "8", "7")),
		scope("Select query", server("SELECT 1/*a='stale'*/", "4", "3"), server("/* */ SELECT f() -- stale", "1", "99"), server("parsed", "10", ""))))

	// Spans that are their own ancestors, and two of one id.
	require.Equal(t, map[string][]string{"r": {"r", "a", "b", "c"}}, in(scope("x", spanJSON("a", 1, "1", "2"), spanJSON("b", 1, "2", "1"), spanJSON("c", 1, "3", "3"), spanJSON("r", kindServer, "4", "4"))))
	require.Equal(t, map[string][]string{"p": {"p"}, "q": {"q", "below"}}, in(scope("x", spanJSON("q", kindServer, "1", "2"), spanJSON("p", kindServer, "1", "1"), spanJSON("below", 1, "2", "1"))))
	require.Equal(t, map[string][]string{"SELECT 1": {"Planner"}}, in(scope("Select query", server("SELECT 1", "1", "2")), scope("Planner", server("Planner", "2", "1"))))
}

// TestPrepared: what PDOStatement::execute ran is in the span that it links to.
func TestPrepared(t *testing.T) {
	execute := spanJSON("PDOStatement::execute", 3, "2", "1", with("db.system.name", "postgresql"), `"links":[{"traceId":"`+traceID+`","spanId":"0000000000000003"}]`)
	prepare := spanJSON("PDO::prepare", 3, "3", "1", with("db.system.name", "postgresql", "db.query.text", "SELECT ?"))
	batch := decode(t, body("x", execute, prepare), typeJSON, Privacy{})
	require.Len(t, batch.Records, 1)
	require.Equal(t, "SELECT ?", batch.Records[0].Name)
	require.Equal(t, `{"dialect":"otlp","span_id":"0000000000000002","parent_span_id":"0000000000000001","observed_by":"client"}`, string(batch.Records[0].Attributes))
	batch = decode(t, body("x", execute), typeJSON, Privacy{})
	require.Equal(t, "PDOStatement::execute", batch.Records[0].Name)
	require.Equal(t, `{"dialect":"otlp","span_id":"0000000000000002","parent_span_id":"0000000000000001","observed_by":"client","query_missing":true}`, string(batch.Records[0].Attributes))
}

// TestLong: a name and a profile that are too long are cut, and say so.
func TestLong(t *testing.T) {
	batch := decode(t, body("x", spanJSON("GET", kindServer, "1", "", with("url.path", "/"+strings.Repeat("é", 8192/2)))), typeJSON, Privacy{})
	require.Len(t, batch.Records[0].Name, 8191)
	require.Contains(t, string(batch.Records[0].Attributes), `"request_uri_cut":true`)

	spans := []string{spanJSON("request", kindServer, "1", "")}
	for i := range 5 {
		spans = append(spans, spanJSON(strings.Repeat("x", 1<<20), 1, fmt.Sprint(2+i), "1"))
	}
	batch = decode(t, body("x", spans...), typeJSON, Privacy{})
	require.Len(t, batch.Records, 1)
	require.Len(t, spanNames(t, batch.Records[0]), 4)
	require.Contains(t, string(batch.Records[0].Attributes), `"spans_left_out":2`)
}

// TestRoom: all memory beside the body is asked for before it is taken, and an error ends the work.
func TestRoom(t *testing.T) {
	errFull := errors.New("full")
	text := body("x", strings.Repeat(spanJSON("a", 1, "2", "1")+",", 2_000)+spanJSON("r", kindServer, "1", ""))
	asked := int64(0)
	batch, err := Wire{}.Decode([]byte(text), typeJSON, rules, func(n int64) error { asked += n; return nil })
	require.NoError(t, err)
	require.Len(t, batch.Records, 1)
	held := int64(len(batch.Records[0].Payload) + len(batch.Records[0].Attributes))
	require.Greater(t, asked, held)
	for room := int64(0); room < asked; room += asked / 37 {
		left := room
		_, err := Wire{}.Decode([]byte(text), typeJSON, rules, func(n int64) error {
			if left -= n; left < 0 {
				return errFull
			}
			return nil
		})
		require.Equal(t, errFull, err)
	}
}
