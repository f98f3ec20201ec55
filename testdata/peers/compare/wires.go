package main

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// request is one in another agent's format.
type request struct {
	path, contentType string
	body              []byte
}

// otlpPages are ten requests in a batch, each with nine statements of PostgreSQL: a hundred spans, and as many records.
func otlpPages(asProtobuf bool) func() request {
	return func() request {
		now := uint64(time.Now().UnixNano())
		var spans []*trace.Span
		text := func(name, value string) *common.KeyValue {
			return &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
		}
		for range 10 {
			var ids [16 + 8]byte
			_, _ = rand.Read(ids[:])
			root := &trace.Span{TraceId: ids[:16], SpanId: ids[16:], Name: "GET /product/{id}", Kind: trace.Span_SPAN_KIND_SERVER, StartTimeUnixNano: now - 20e6, EndTimeUnixNano: now,
				Attributes: []*common.KeyValue{text("http.request.method", "GET"), text("url.path", "/product/7"), text("http.route", "/product/{id}")}}
			spans = append(spans, root)
			for n := range 9 {
				id := append([]byte{byte(n)}, ids[16:23]...)
				spans = append(spans, &trace.Span{TraceId: ids[:16], SpanId: id, ParentSpanId: ids[16:], Name: "PDO::query", Kind: trace.Span_SPAN_KIND_CLIENT, StartTimeUnixNano: now - 10e6, EndTimeUnixNano: now - 9e6,
					Attributes: []*common.KeyValue{text("db.system.name", "postgresql"), text("db.query.text", fmt.Sprintf("SELECT name, price FROM product WHERE category = $%d ORDER BY price LIMIT 10", n)),
						text("server.address", "127.0.0.1"), text("db.namespace", "shop"), text("code.function.name", "PDO::query")}})
			}
		}
		if asProtobuf {
			body, _ := proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{ScopeSpans: []*trace.ScopeSpans{{Spans: spans}}}}})
			return request{"/v1/traces", "application/x-protobuf", body}
		}
		var all []string
		for _, s := range spans {
			var attributes []string
			for _, a := range s.Attributes {
				attributes = append(attributes, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, a.Key, a.Value.GetStringValue()))
			}
			all = append(all, fmt.Sprintf(`{"traceId":"%x","spanId":"%x","parentSpanId":"%x","name":%q,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%s],"status":{}}`,
				s.TraceId, s.SpanId, s.ParentSpanId, s.Name, s.Kind, s.StartTimeUnixNano, s.EndTimeUnixNano, strings.Join(attributes, ",")))
		}
		return request{"/v1/traces", "application/json", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(all, ",") + `]}]}]}`)}
	}
}

// xhguiPages are those that php-profiler sent of a framework's page, 1,400 edges, with ids of their own.
func xhguiPages() func() request {
	profile := sync.OnceValue(readProfile)
	return func() request {
		return request{"/run/import", "application/json", fmt.Appendf(nil, `{"profile":%s,"meta":{"url":"/orders/42?page=17","SERVER":{"UNIQUE_ID":"%s","REQUEST_TIME_FLOAT":%d}}}`, profile(), uuid(), time.Now().Unix())}
	}
}

func readProfile() json.RawMessage {
	var page struct{ Profile json.RawMessage }
	f, err := os.Open("testdata/dialects/joined-1-xhgui.json.gz")
	if err != nil {
		log.Fatal("compare: ", err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(r).Decode(&page)
	}
	if err != nil {
		log.Fatal("compare: read php-profiler's page: ", err)
	}
	return page.Profile
}
