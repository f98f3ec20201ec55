package contracttest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
)

const (
	otlpRoute    = "POST /v1/traces"
	otlpKeyRoute = "POST /k/{key}/v1/traces"
)

// otlpSpan is a request's span, in a trace of its own.
func otlpSpan() string { return otlpSpanAt("{now}") }

func otlpSpanAt(seconds string) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return fmt.Sprintf(`{"traceId":"%x","spanId":"00f067aa0ba902b7","name":"GET","kind":2,"startTimeUnixNano":"%s000000000","endTimeUnixNano":"%s000001000","attributes":[{"key":"url.path","value":{"stringValue":"/cart"}}]}`,
		id, seconds, seconds)
}

// otlpBody is a body of OpenTelemetry's.
func otlpBody(spans ...string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
}

func otlp() []Case {
	const (
		none      = `No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or /k/<key> before the URL's path`
		malformed = "Invalid OTLP: the body is no ExportTraceServiceRequest in the format that Content-Type names"
	)
	span, protobuf := otlpSpan(), map[string]string{"Content-Type": "application/x-protobuf"}
	cases := places("/v1/traces", otlpBody(otlpSpan()), "{}", none, failure)
	for i := range cases { // a span that came twice is a duplicate
		cases[i].Body = otlpBody(otlpSpan())
	}
	cases = append(cases,
		Case{Name: "once", Route: otlpRoute, Body: otlpBody(span), Status: 200, Answer: "{}", Stores: 1},
		Case{Name: "and again", Route: otlpRoute, Body: otlpBody(span), Status: 200, Answer: "{}"},
		Case{Name: "in chunks", Route: otlpRoute, Body: otlpBody(otlpSpan(), otlpSpan()), Chunked: true, Status: 200, Answer: "{}", Stores: 2},
		Case{Name: "under gzip", Route: otlpRoute, Header: map[string]string{"Content-Encoding": "gzip"}, Body: otlpBody(otlpSpan()), Encode: gzipped, Status: 200, Answer: "{}", Stores: 1},
		Case{Name: "an old span beside a good one", Route: otlpRoute, Body: otlpBody(otlpSpanAt("1000000000"), otlpSpan()), Status: 200, Stores: 1,
			Answer: `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"{any}"}}`},
	)
	return append(cases, both([]Case{
		{Name: "no span", Route: otlpRoute, Body: "{}", Status: 200, Answer: "{}"},
		{Name: "no span in protobuf", Route: otlpRoute, Header: protobuf, Status: 200},
		{Name: "not JSON", Route: otlpRoute, Body: "{", Status: 400, Answer: failure(malformed)},
		{Name: "JSON as protobuf", Route: otlpRoute, Header: protobuf, Body: "{}", Status: 400, Answer: failure(malformed)},
		{Name: "a form's type", Route: otlpRoute, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: "{}", Status: 415,
			Answer: failure("Unsupported Content-Type: send application/json or application/x-protobuf")},
		{Name: "over 64 MiB decompressed", Route: otlpRoute, Header: map[string]string{"Content-Encoding": "gzip"}, Body: "{}", Status: 413,
			Encode: func(body []byte) []byte { return gzipped(padded(64<<20 + 1)(body)) },
			Answer: failure("The body is over 67108864 bytes when decompressed; send fewer records at a time")},
		{Name: "an unknown encoding", Route: otlpRoute, Header: map[string]string{"Content-Encoding": "br"}, Body: "{}", Status: http.StatusUnsupportedMediaType,
			Answer: failure("Unsupported Content-Encoding: send gzip, zstd, or none")},
	})...)
}
