package xhgui

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/record"
)

// captured is when the bodies of testdata/dialects were sent.
var captured = record.Rules{Project: "shop", Now: time.Unix(1795828600, 0), Retention: 168 * time.Hour}

// body reads a file of testdata/dialects.
func body(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/dialects/" + name)
	require.NoError(t, err)
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		data, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return data
}

func decode(t testing.TB, w Wire, body, contentType string) record.Batch {
	t.Helper()
	batch, err := w.Decode([]byte(body), contentType, captured, nil)
	require.NoError(t, err)
	return batch
}

// TestCaptured holds the records of what php-profiler sent against a table, field by field.
func TestCaptured(t *testing.T) {
	page := func(more string) string {
		return `{"dialect":"xhgui",` + more + `}`
	}
	const derived = `"correlation":"derived",`
	for _, c := range []struct {
		file       string
		id         string // "" where it is derived
		timestamp  int64
		ms         float64
		name       string
		attributes string
	}{
		{"xhgui-tideways.json", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", 1795828408_429556, 0.779, "/orders/7?page=&token=",
			page(`"route":"/orders/7","method":"GET","host":"shop.example","https":"on"`)},
		{"xhgui-tideways-no-id.json", "", 1795828408_915362, 2.389, "/",
			page(derived + `"route":"/","method":"GET","host":"shop.example","https":"on"`)},
		{"xhgui-pecl-xhprof.json", "", 1795828410_550503, 1.216, "/orders/7?page=",
			page(derived + `"route":"/orders/7","method":"GET","host":"127.0.0.1:19101"`)},
		{"xhgui-wall-only.json", "", 1795828410_973203, 0.752, "/orders/7?page=",
			page(derived + `"route":"/orders/7","method":"GET","host":"127.0.0.1:19101"`)},
		{"xhgui-cli.json", "", 1795828411_511820, 3.055, "cli.php import:orders --limit=",
			page(derived + `"route":"cli.php import:orders --limit"`)},
		{"joined-1-xhgui.json.gz", "77a64a7e-3756-91e6-199e-bcd213fe5232", 1795828516_860948, 55.477, "/orders/42?page=",
			page(`"route":"/orders/42","method":"GET","host":"127.0.0.1"`)},
	} {
		t.Run(c.file, func(t *testing.T) {
			text := string(body(t, c.file))
			batch := decode(t, Wire{}, text, "application/json")
			require.True(t, batch.Single)
			require.Empty(t, batch.Rejected)
			require.Len(t, batch.Records, 1)
			rec := batch.Records[0]
			if c.id == "" {
				c.id = record.DerivedID("shop", []byte(text))
			}
			var sent struct{ Profile json.RawMessage }
			require.NoError(t, json.Unmarshal([]byte(text), &sent))
			want := record.Record{CorrelationID: c.id, Project: "shop", Source: "php_agent", Timestamp: c.timestamp, DurationMS: &c.ms,
				Name: c.name, Attributes: []byte(c.attributes), Payload: sent.Profile}
			want.Seal()
			require.Equal(t, string(want.Attributes), string(rec.Attributes))
			require.InDelta(t, c.ms, *rec.DurationMS, 1e-9)
			rec.DurationMS = want.DurationMS
			want.Digest = rec.Digest
			require.Equal(t, want, rec)

			again := decode(t, Wire{}, "\ufeff"+text+"\r\n", "text/plain")
			require.Equal(t, batch.Records, again.Records, "a mark in front and a line end behind are none of the record")
		})
	}
}

// The file of what could not be uploaded makes the records that each of its lines makes, whatever type it is sent under.
func TestFile(t *testing.T) {
	file := string(body(t, "xhgui-stack-saver.jsonl"))
	lines := strings.Split(strings.TrimSpace(file), "\n")
	require.Len(t, lines, 2)
	var want []record.Record
	for _, line := range lines {
		want = append(want, decode(t, Wire{}, line, "application/json").Records...)
	}
	require.Equal(t, []string{"/orders/7?page=", "/?cat="}, []string{want[0].Name, want[1].Name})
	for _, contentType := range []string{ndjson, "application/json", "", "application/x-www-form-urlencoded"} {
		batch := decode(t, Wire{}, "\n"+strings.ReplaceAll(file, "\n", "\r\n\n"), ndjson)
		require.Equal(t, want, batch.Records)
		batch = decode(t, Wire{}, file, contentType)
		require.False(t, batch.Single, contentType)
		require.Equal(t, want, batch.Records, contentType)
	}

	batch := decode(t, Wire{}, lines[0]+"\nPHP Warning\n{}\n"+lines[1]+"\n[1]", ndjson)
	require.Equal(t, want, batch.Records, "a good record beside a bad one is kept")
	require.Equal(t, []record.Rejection{
		{Index: 1, Details: []record.Detail{{Message: "is not JSON at or behind byte 0, counted from 0"}}},
		{Index: 2, Details: []record.Detail{{Path: "profile", Message: "must be an object of edges"}}},
		{Index: 4, Details: []record.Detail{{Message: "must be an object with profile and meta"}}},
	}, batch.Rejected)

	_, err := Wire{}.Decode([]byte(strings.Repeat("1\n", record.MaxRecords)), ndjson, captured, nil)
	require.NoError(t, err)
	_, err = Wire{}.Decode([]byte(strings.Repeat("1\n", record.MaxRecords+1)), ndjson, captured, nil)
	require.ErrorIs(t, err, errTooManyRecords)
}

// with is a body of php-profiler's, with changes: fields of meta, and of SERVER where the name begins with a dollar.
func with(profile string, changes map[string]string) string {
	server := map[string]json.RawMessage{"REQUEST_TIME_FLOAT": json.RawMessage("1795828408.5"), "REQUEST_METHOD": json.RawMessage(`"GET"`)}
	meta := map[string]json.RawMessage{"url": json.RawMessage(`"/a"`)}
	for name, value := range changes {
		of := meta
		if strings.HasPrefix(name, "$") {
			name, of = name[1:], server
		}
		if of[name] = json.RawMessage(value); value == "" {
			delete(of, name)
		}
	}
	text, err := json.Marshal(server)
	if err != nil {
		panic(err)
	}
	if meta["SERVER"] == nil {
		meta["SERVER"] = text
	}
	text, err = json.Marshal(meta)
	if err != nil {
		panic(err)
	}
	return `{"profile":` + profile + `,"meta":` + string(text) + `}`
}

func TestMapped(t *testing.T) {
	const edges = `{"main()":{"ct":1,"wt":1000}}`
	at := func(micros int64) func(record.Record) any {
		return func(r record.Record) any { return r.Timestamp == micros }
	}
	attribute := func(part string) func(record.Record) any {
		return func(r record.Record) any { return strings.Contains(string(r.Attributes), part) }
	}
	not := func(f func(record.Record) any) func(record.Record) any {
		return func(r record.Record) any { return !f(r).(bool) }
	}
	named := func(name string) func(record.Record) any { return func(r record.Record) any { return r.Name == name } }
	for _, c := range []struct {
		name    string
		profile string
		changes map[string]string
		holds   func(record.Record) any
	}{
		{"an empty profile", "[]", nil, func(r record.Record) any { return string(r.Payload) == "{}" && r.DurationMS == nil }},
		{"a profile as it stands", `{ "a\u003e" : {"wt":1.0} }`, nil, func(r record.Record) any { return string(r.Payload) == `{ "a\u003e" : {"wt":1.0} }` }},
		{"a time in text", edges, map[string]string{"$REQUEST_TIME_FLOAT": `"1795828409.25"`}, at(1795828409_250000)},
		{"a time in two parts", edges, map[string]string{"$REQUEST_TIME_FLOAT": "", "request_ts_micro": `{"sec":1795828408,"usec":429556}`}, at(1795828408_429556)},
		{"a time in whole seconds", edges, map[string]string{"$REQUEST_TIME_FLOAT": "", "request_ts": `{"sec":1795828408,"usec":0}`}, at(1795828408_000000)},
		{"a time that is none, and another", edges, map[string]string{"$REQUEST_TIME_FLOAT": `"now"`, "request_ts": `{"sec":1795828408}`}, at(1795828408_000000)},
		{"an id", edges, map[string]string{"$UNIQUE_ID": `"3F2C8A5E-9D4B-4C1F-A6E0-B7D2C3E4F501"`}, func(r record.Record) any { return r.CorrelationID == "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501" }},
		{"an id is not marked", edges, map[string]string{"$UNIQUE_ID": `"3F2C8A5E-9D4B-4C1F-A6E0-B7D2C3E4F501"`}, not(attribute("derived"))},
		{"an id of mod_unique_id", edges, map[string]string{"$UNIQUE_ID": `"aSkb@H8AAAEAAB3S"`}, attribute(`"correlation":"derived","unique_id":"aSkb@H8AAAEAAB3S"`)},
		{"an id that stands for none", edges, map[string]string{"$UNIQUE_ID": `"00000000000000000000000000000000"`}, attribute(`"correlation":"derived","unique_id":"00000000000000000000000000000000"`)},
		{"no url", edges, map[string]string{"url": "", "simple_url": `"/b?c"`}, named("/b?c")},
		{"an empty url", edges, map[string]string{"url": `""`, "simple_url": `"/b?c"`}, named("/b?c")},
		{"neither url", edges, map[string]string{"url": "", "$PHP_SELF": `"/orders/42"`}, named("/orders/42")},
		{"a long url", edges, map[string]string{"url": `"/` + strings.Repeat("a/", 5000) + `"`}, attribute(`"request_uri_cut":true`)},
		{"half a surrogate pair in the url", edges, map[string]string{"url": `"/\ud800"`}, named("/\ufffd")},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch := decode(t, Wire{}, with(c.profile, c.changes), "application/json")
			require.Empty(t, batch.Rejected)
			require.Equal(t, true, c.holds(batch.Records[0]), "%+v %s", batch.Records[0], batch.Records[0].Attributes)
		})
	}
}

func TestRefused(t *testing.T) {
	const edges = `{"main()":{"ct":1,"wt":1000}}`
	for _, c := range []struct{ name, body, path, message string }{
		{"not an object", "[]", "", "must be an object with profile and meta"},
		{"no profile", `{"meta":{}}`, "profile", "must be an object of edges"},
		{"a profile that is a list", with("[1]", nil), "profile", "must be an object of edges"},
		{"no meta", `{"profile":{}}`, "meta", "must be an object: what php-profiler knows about the request"},
		{"no time", with(edges, map[string]string{"$REQUEST_TIME_FLOAT": ""}), "timestamp", "is nowhere: meta has no SERVER.REQUEST_TIME_FLOAT, request_ts_micro or request_ts in Unix seconds"},
		{"an old time", with(edges, map[string]string{"$REQUEST_TIME_FLOAT": "1790000000"}), "timestamp", "is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"},
		{"no url", with(edges, map[string]string{"url": ""}), "request_uri", "is empty; 1 to 8192 bytes"},
		{"a deep profile", with(strings.Repeat(`{"a":`, 513)+"1"+strings.Repeat("}", 513), nil), "profiling_data", "is nested 513 deep; at most 512"},
		{"a large profile", with(`{"a":"`+strings.Repeat("x", record.MaxBytes)+`"}`, nil), "", fmt.Sprintf("is %d bytes long; a record holds at most 4194304: leave out part of profiling_data", record.MaxBytes+8+2+len(`{"dialect":"xhgui","correlation":"derived","method":"GET"}`))},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch := decode(t, Wire{}, c.body, "application/json")
			require.Empty(t, batch.Records)
			require.Equal(t, []record.Rejection{{Details: []record.Detail{{Path: c.path, Message: c.message}}}}, batch.Rejected)
		})
	}
	for body, message := range map[string]string{
		"":                "the body is empty; send what php-profiler sends, a profile a body or a line",
		"{\n":             "the body is not JSON at or behind byte 0, counted from 0; send what php-profiler sends, a profile a body or a line",
		"\x1f\x8b\x08":    "the body is not UTF-8; send what php-profiler sends, a profile a body or a line",
		"profile=%7B%7D&": "the body is not JSON at or behind byte 0, counted from 0; send what php-profiler sends, a profile a body or a line",
	} {
		_, err := Wire{}.Decode([]byte(body), "application/json", captured, nil)
		require.EqualError(t, err, message)
	}
}

// What is often secret is stored by nobody who has not asked for it, and each name of the setting keeps its own.
func TestPrivacy(t *testing.T) {
	sent := with(`{"main()":{"wt":1}}`, map[string]string{
		"url": `"/a?token=secret0"`, "simple_url": `"/a?token=secret0"`, "env": `{"DB_PASSWORD":"secret1"}`, "get": `{"token":"secret2"}`,
		"$PHP_AUTH_USER": `"secret3"`, "$REMOTE_ADDR": `"secret4"`, "$HTTP_USER_AGENT": `"secret5"`, "$QUERY_STRING": `"token=secret0"`,
		"$HTTP_COOKIE": `"secret6"`, "$PHP_AUTH_PW": `"secret7"`,
	})
	stored := func(keep ...string) string {
		batch := decode(t, Wire{Keep: keep}, sent, "")
		require.Len(t, batch.Records, 1)
		return batch.Records[0].Name + " " + string(batch.Records[0].Attributes)
	}
	const nothing = `/a?token= {"dialect":"xhgui","correlation":"derived","route":"/a","method":"GET"}`
	require.Equal(t, nothing, stored())
	require.Equal(t, strings.Replace(nothing, "token=", "token=secret0", 1), stored("query_values"))
	for name, value := range map[string]string{
		"env": `{"DB_PASSWORD":"secret1"}`, "get": `{"token":"secret2"}`, "PHP_AUTH_USER": `"secret3"`, "REMOTE_ADDR": `"secret4"`, "HTTP_USER_AGENT": `"secret5"`,
	} {
		require.Contains(t, mask.Dropped, name)
		require.Equal(t, strings.Replace(nothing, "}", `,"`+name+`":`+value+"}", 1), stored(name))
	}
	all := stored(mask.Dropped...)
	for n := range 6 {
		require.Contains(t, all, fmt.Sprint("secret", n))
	}
	require.NotContains(t, all, "secret6")
	require.NotContains(t, all, "secret7")
}
