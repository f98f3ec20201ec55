package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/bitville/listener/shared/record"
)

// clock is the hour of the captured bodies.
var clock = time.Date(2026, 11, 28, 1, 20, 0, 0, time.UTC)

var rules = record.Rules{Project: "shop", Now: clock, Retention: 7 * 24 * time.Hour}

// plenty is room without an end.
func plenty(int64) error { return nil }

func decode(t testing.TB, body, contentType string, privacy Privacy) record.Batch {
	t.Helper()
	batch, err := Wire{privacy}.Decode([]byte(body), contentType, rules, plenty)
	require.NoError(t, err)
	return batch
}

const (
	traceID = "f27e620cac0a569ad03589ab60e067ba"
	uuid    = "f27e620c-ac0a-569a-d035-89ab60e067ba"
)

// span writes a span of JSON: name, kind, id, parent and more members. It takes 1.5 ms.
func spanJSON(name string, kind int, id, parent string, more ...string) string {
	return fmt.Sprintf(`{"traceId":"%s","spanId":"%016s","parentSpanId":"%s","name":%q,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"%s}`,
		traceID, id, parentOf(parent), name, kind, clock.UnixNano(), clock.UnixNano()+1_500_000, strings.Join(append([]string{""}, more...), ","))
}

func parentOf(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf("%016s", id)
}

// with writes attributes, names and texts in turn.
func with(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		value, _ := json.Marshal(pairs[i+1])
		all = append(all, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%s}}`, pairs[i], value))
	}
	return `"attributes":[` + strings.Join(all, ",") + "]"
}

// body writes a request of spans of one scope.
func body(scope string, spans ...string) string {
	return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":%q},"spans":[%s]}]}]}`,
		scope, strings.Join(spans, ","))
}

// server writes a span of pg_tracing.
func server(name, id, parent string) string {
	return spanJSON(name, kindServer, id, parent, `"attributes":[{"key":"query.query_id","value":{"intValue":-7}},{"key":"backend.pid","value":{"intValue":5}}]`)
}

// spanNames are those of a record's profile.
func spanNames(t testing.TB, r record.Record) []string {
	t.Helper()
	var profile struct{ Spans []struct{ Name string } }
	require.NoError(t, json.Unmarshal(r.Payload, &profile), "%s", r.Payload)
	names := []string{}
	for _, s := range profile.Spans {
		names = append(names, s.Name)
	}
	return names
}

// captured returns OTLP's captured bodies by name, and what the reference reads of them.
func captured(t testing.TB) (bodies map[string]string, messages map[string]*tracepb.TracesData) {
	bodies, messages = map[string]string{}, map[string]*tracepb.TracesData{}
	files, err := filepath.Glob("../../../testdata/dialects/*")
	require.NoError(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		data := &tracepb.TracesData{}
		switch {
		case strings.HasSuffix(name, ".pb"):
			require.NoError(t, proto.Unmarshal(text, data), name)
		case strings.HasSuffix(name, ".json") && strings.Contains(string(text), `"resourceSpans"`):
			require.NoError(t, protojson.Unmarshal(recode(t, text, hex.DecodeString, base64.StdEncoding.EncodeToString), data), name)
		default:
			continue
		}
		bodies[name], messages[name] = string(text), data
	}
	require.Equal(t, 13, len(bodies))
	return bodies, messages
}

// recode writes the ids of a body anew: OTLP's JSON has hexadecimal digits where protobuf's has base64.
func recode(t testing.TB, text []byte, from func(string) ([]byte, error), to func([]byte) string) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for name, value := range v {
				if id, ok := value.(string); ok && (name == "traceId" || name == "spanId" || name == "parentSpanId") {
					raw, err := from(id)
					require.NoError(t, err)
					v[name] = to(raw)
				}
				walk(value)
			}
		}
	}
	walk(v)
	again, err := json.Marshal(v)
	require.NoError(t, err)
	return again
}
