package buggregator

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

// captured is when the bodies of testdata/dialects were sent.
var captured = record.Rules{Project: "shop", Now: time.Unix(1795828600, 0), Retention: 168 * time.Hour}

func body(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/dialects/" + name)
	require.NoError(t, err)
	return data
}

func decode(t testing.TB, w Wire, body string) record.Batch {
	t.Helper()
	batch, err := w.Decode([]byte(body), "application/json", captured, nil)
	require.NoError(t, err)
	require.True(t, batch.Single)
	return batch
}

// TestCaptured holds the records of what the client sent against a table, field by field.
func TestCaptured(t *testing.T) {
	for _, c := range []struct {
		file       string
		id         string // "" where it is derived
		timestamp  int64  // the profile's end in whole seconds, and its duration before that
		ms         float64
		name       string
		attributes string
	}{
		{"buggregator-no-tags.json", "", 1795828431_000000 - 1580, 1.58, "My super app", `{"dialect":"buggregator","correlation":"derived","app":"My super app","host":"vm"}`},
		{"buggregator-tags-list.json", "", 1795828432_000000 - 810, .81, "My super app", `{"dialect":"buggregator","correlation":"derived","app":"My super app","host":"vm","tags":["local","v2"]}`},
		{"buggregator-tags-map.json", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", 1795828432_000000 - 954, .954, "My super app",
			`{"dialect":"buggregator","app":"My super app","host":"vm","tags":{"env":"local","correlation_id":"3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501"}}`},
		{"buggregator-tags-spiral.json", "", 1795828565_000000 - 1536, 1.536, "/orders/7?page=",
			`{"dialect":"buggregator","correlation":"derived","app":"Spiral","host":"vm","tags":{"route":null,"uri":"http://shop.example/orders/7?page=","dispatcher":null}}`},
	} {
		t.Run(c.file, func(t *testing.T) {
			text := string(body(t, c.file))
			batch := decode(t, Wire{}, text)
			require.Empty(t, batch.Rejected)
			require.Len(t, batch.Records, 1)
			rec := batch.Records[0]
			if c.id == "" {
				c.id = record.DerivedID("shop", []byte(text))
			}
			var sent struct{ Profile json.RawMessage }
			require.NoError(t, json.Unmarshal([]byte(text), &sent))
			want := record.Record{CorrelationID: c.id, Project: "shop", Source: "php_agent", Timestamp: c.timestamp, DurationMS: rec.DurationMS,
				Name: c.name, Attributes: []byte(c.attributes), Payload: sent.Profile}
			want.Seal()
			require.Equal(t, string(want.Attributes), string(rec.Attributes))
			require.InDelta(t, c.ms, *rec.DurationMS, 1e-9)
			require.Equal(t, want, rec)
			require.Equal(t, batch.Records, decode(t, Wire{}, " "+text+"\r\n").Records, "space around is none of the record")
		})
	}
}

// with is a body of the client's with tags.
func with(tags string) string {
	return `{"profile":{"main()==\u003Ea":{"ct":1,"wt":900},"main()":{"ct":1,"wt":1000}},"tags":` + tags + `,"app_name":"App One","hostname":"vm","date":1795828432}`
}

func TestTags(t *testing.T) {
	const id, other = "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", "77a64a7e-3756-91e6-199e-bcd213fe5232"
	for _, c := range []struct {
		name, tags string
		keep       []string
		id, uri    string
		stored     string // the attribute
	}{
		{"none", "[]", nil, "", "App One", ""},
		{"null", "null", nil, "", "App One", ""},
		{"an empty object", "{}", nil, "", "App One", ""},
		{"a trace id", `{"trace_id":"3F2C8A5E9D4B4C1FA6E0B7D2C3E4F501"}`, nil, id, "App One", `{"trace_id":"3F2C8A5E9D4B4C1FA6E0B7D2C3E4F501"}`},
		{"a request id", `{"request_id":"` + id + `"}`, nil, id, "App One", `{"request_id":"` + id + `"}`},
		{"the first of two", `{"request_id":"` + id + `","correlation_id":"` + other + `"}`, nil, other, "App One", `{"request_id":"` + id + `","correlation_id":"` + other + `"}`},
		{"the first that is one", `{"correlation_id":"7","trace_id":"` + id + `"}`, nil, id, "App One", `{"correlation_id":"7","trace_id":"` + id + `"}`},
		{"one that stands for none", `{"trace_id":"00000000000000000000000000000000"}`, nil, "", "App One", `{"trace_id":"00000000000000000000000000000000"}`},
		{"a path", `{"uri":"/a?b=secret"}`, nil, "", "/a?b=", `{"uri":"/a?b="}`},
		{"a path, its values kept", `{"uri":"/a?b=secret"}`, []string{"query_values"}, "", "/a?b=secret", `{"uri":"/a?b=secret"}`},
		{"a URL", `{"url":"https://user:secret@shop.example/a/b?c=secret#d"}`, nil, "", "/a/b?c=", `{"url":"https://shop.example/a/b?c="}`},
		{"a URL of a host", `{"url":"https://shop.example"}`, nil, "", "/", `{"url":"https://shop.example"}`},
		{"a URL without a path", `{"url":"https://shop.example?b=secret"}`, nil, "", "/?b=", `{"url":"https://shop.example?b="}`},
		{"a route", `{"route":"orders show all"}`, nil, "", "orders show all", `{"route":"orders show all"}`},
		{"a URL and a route", `{"route":"orders.show","url":null,"uri":"/a"}`, nil, "", "/a", `{"route":"orders.show","url":null,"uri":"/a"}`},
		{"words", `["a"]`, nil, "", "App One", `["a"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := with(c.tags)
			batch := decode(t, Wire{Keep: c.keep}, sent)
			require.Empty(t, batch.Rejected)
			rec := batch.Records[0]
			derived := ""
			if c.id == "" {
				c.id, derived = record.DerivedID("shop", []byte(sent)), `"correlation":"derived",`
			}
			if c.stored != "" {
				c.stored = `,"tags":` + c.stored
			}
			require.Equal(t, c.id, rec.CorrelationID)
			require.Equal(t, c.uri, rec.Name)
			require.Equal(t, `{"dialect":"buggregator",`+derived+`"app":"App One","host":"vm"`+c.stored+"}", string(rec.Attributes))
		})
	}
	long := decode(t, Wire{}, with(`{"route":"`+strings.Repeat("x", 9000)+`"}`)).Records[0]
	require.Len(t, long.Name, 8192)
	require.Contains(t, string(long.Attributes), `"request_uri_cut":true`)
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, body, path, message string }{
		{"not an object", "[]", "", "must be an object with profile, date and app_name"},
		{"no profile", `{"date":1795828432}`, "profile", "must be an object of edges"},
		{"no date", strings.Replace(with("[]"), "1795828432", "null", 1), "date", "must be Unix seconds: when the profile ended"},
		{"an old date", strings.Replace(with("[]"), "1795828432", "1700000000", 1), "timestamp", "is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"},
		{"no name", strings.Replace(with("[]"), "App One", "", 1), "request_uri", "is empty; 1 to 8192 bytes"},
		{"deep tags", with(strings.Repeat("[", 513) + strings.Repeat("]", 513)), "", "has a field that is nested 513 deep; at most 512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch := decode(t, Wire{}, c.body)
			require.Empty(t, batch.Records)
			require.Equal(t, []record.Rejection{{Details: []record.Detail{{Path: c.path, Message: c.message}}}}, batch.Rejected)
		})
	}
	for body, what := range map[string]string{"": "is empty", "{": "is not JSON at or behind byte 0, counted from 0", "\xff": "is not UTF-8"} {
		_, err := Wire{}.Decode([]byte(body), "application/json", captured, nil)
		require.EqualError(t, err, fmt.Sprintf("the body %s; send what Buggregator's profiler client sends", what))
	}
}
