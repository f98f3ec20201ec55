package contracttest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// check holds an answer against the document: its status, its headers, its body. Nothing may be missing, and
// nothing may be there that the document does not tell.
func (d *Document) check(t testing.TB, method, path string, res *http.Response, body []byte) {
	t.Helper()
	response, name, ok := d.response(method, path, strconv.Itoa(res.StatusCode))
	require.True(t, ok, "infra/openapi.yaml does not have the answer: %s", name)
	d.seen[name] = true

	headers, _ := d.child(response, "headers")
	documented := map[string]bool{}
	for _, header := range headers.names() {
		documented[http.CanonicalHeaderKey(header)] = true
		h, _ := d.child(headers, header)
		values := res.Header.Values(header)
		if len(values) == 0 {
			required, _ := h.value.(map[string]any)["required"].(bool)
			require.False(t, required, "%s lacks the header %s", name, header)
			continue
		}
		require.Len(t, values, 1, header)
		schema, _ := d.child(h, "schema")
		require.NoError(t, d.validate(t, schema, headerValue(schema, values[0])), "%s: %q", header, values[0])
	}
	for header := range res.Header {
		require.True(t, documented[header] || ofTransport(header), "%s has a header that is not documented: %s", name, header)
	}

	if method == http.MethodHead {
		require.Empty(t, body)
		return
	}
	contentType, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	require.NoError(t, err)
	content, _ := d.child(response, "content")
	media, ok := d.child(content, contentType)
	require.True(t, ok, "%s has a Content-Type that is not documented: %s", name, contentType)
	value := any(string(body))
	if contentType == "application/json" {
		value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body))
		require.NoError(t, err, "%s", body)
	}
	schema, _ := d.child(media, "schema")
	require.NoError(t, d.validate(t, schema, value), "%s: %s", name, body)
}

// headerValue is a header's text, or the number that it has to be.
func headerValue(schema node, text string) any {
	if schema.value.(map[string]any)["type"] == "integer" {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return text
}

// ofTransport tells the headers that HTTP itself or a host before the listener adds.
func ofTransport(header string) bool {
	switch header {
	case "Connection", "Content-Length", "Content-Type", "Date", "Server", "Transfer-Encoding", "Via":
		return true
	}
	return strings.HasPrefix(header, "X-Amzn-")
}

// checkRequest holds a body against the schema that the document has for it: what the listener took must be
// what the schema takes. What the listener refused the schema must refuse, too, unless it is beyond it.
func (d *Document) checkRequest(t testing.TB, path, contentType string, body []byte, out outcome, beyond bool) {
	t.Helper()
	if out.Error != "" && out.Error != "Validation failed" {
		return // it is not JSON
	}
	value, err := requestValue(contentType, body)
	if err == nil {
		// NDJSON holds what an array of the other type does.
		err = d.validate(t, d.must(t, "paths", path, "post", "requestBody", "content", "application/json", "schema"), value)
	}
	if out.Error == "" && len(out.Rejected) == 0 {
		require.NoError(t, err, "the listener took what the document's schema refuses: %s", clip(body))
	} else if !beyond {
		require.Error(t, err, "the listener refused what the document's schema takes: %s", clip(body))
	}
}

// mark is a byte order mark, which may be ignored.
var mark = []byte("\ufeff")

func requestValue(contentType string, body []byte) (any, error) {
	if !strings.HasPrefix(contentType, "application/x-ndjson") {
		return jsonschema.UnmarshalJSON(bytes.NewReader(bytes.TrimPrefix(body, mark)))
	}
	records := []any{}
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(bytes.TrimPrefix(line, mark)); len(line) == 0 {
			continue
		}
		record, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			return nil, fmt.Errorf("read line of NDJSON: %w", err)
		}
		records = append(records, record)
	}
	return records, nil
}

func clip(body []byte) []byte { return body[:min(len(body), 300)] }
