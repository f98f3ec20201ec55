package traces_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/view/viewtest"
)

var hostile = map[string]string{
	"markup":      `<b id=evil onclick=evil()>"'&lt;`,
	"script":      `</script></title></style></svg></textarea><script>evil()</script>`,
	"svg":         `<svg onload=evil()><style>*{display:none}</style><use href="data:evil"/></svg>`,
	"attribute":   `" autofocus onfocus=evil() style="x" x="`,
	"address":     `javascript:evil()//`,
	"template":    `{{.}}{{template "main"}}`,
	"other way":   "\u202egnp.exe\u2066 \u200b\u0000\u0007",
	"long":        strings.Repeat("A\\Very\\Long\\Name", 512),
	"long markup": strings.Repeat("<i onclick=evil()>", 455),
}

// evil are records that have a text in every field that is free.
func evil(t *testing.T, text string) *viewtest.Memory {
	const id = "33333333-3333-4333-8333-333333333333"
	object := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return b
	}
	plan := map[string]any{
		"Query Text": text, "Settings": map[string]string{text: text, "work_mem": text},
		"Plan": map[string]any{
			"Node Type": text, "Relation Name": text, "Alias": text, "Index Name": text, "Filter": text, "Output": []string{text}, "Subplan Name": text, "Sort Method": text,
			"Plan Rows": 1e300, "Actual Rows": 5000, "Actual Loops": 1e18, "Actual Total Time": 1e300, "Total Cost": -1,
			"Plans": []any{map[string]any{"Node Type": "Seq Scan", "Parent Relationship": text, "Relation Name": text, "Filter": text, "Plan Rows": 1, "Actual Rows": 100000, "Actual Loops": 1, "Actual Total Time": 5, "Rows Removed by Filter": 1e9}},
		},
	}
	frame := map[string]any{"name": text, "file": text, "line": 1}
	speedscope := map[string]any{"shared": map[string]any{"frames": []any{frame, map[string]any{"name": text + "2"}}},
		"profiles": []any{map[string]any{"type": "sampled", "name": text, "unit": "milliseconds", "startValue": 0, "endValue": 3, "samples": [][]int{{0, 1}, {0}}, "weights": []int{1, 2}}}}
	edges := map[string]any{"main()==>" + text: map[string]any{"ct": 1, "wt": 1e15}, text + "==>" + text + "3": map[string]any{"ct": -1, "wt": 9}, text + "3==>" + text: map[string]any{"ct": 1, "wt": 1}}
	spans := map[string]any{"spans": []any{map[string]any{"name": text, "spanId": "1", "parentSpanId": text, "startTimeUnixNano": "1", "endTimeUnixNano": "9000000", "attributes": map[string]any{"db.system": text}}}}
	var records []any
	for i, payload := range []any{speedscope, edges, spans} {
		records = append(records, map[string]any{"project": "shop", "correlation_id": id[:35] + string(rune('0'+i)), "timestamp": now.Unix() - 600, "duration_ms": 12.5, "request_uri": text,
			"profiling_data": payload, "route": text, "method": text, "status": text, "php": text, text: text, "nested": map[string]any{text: []string{text}}, "queries": 6, "db_ms": 11})
		for range 6 {
			records = append(records, map[string]any{"project": "shop", "correlation_id": id[:35] + string(rune('0'+i)), "timestamp": now.Unix() - 600, "duration_ms": 1, "query": "SELECT 1 FROM " + text,
				"profiling_data": plan, "error": text, "sql_error_code": text, "session_id": text})
		}
	}
	var body []byte
	for _, r := range records {
		body = append(body, object(r)...)
	}
	m, err := viewtest.New(body)
	require.NoError(t, err)
	return m
}

// TestHostile holds that texts of strangers stay texts, on every page, with the values shown and masked.
func TestHostile(t *testing.T) {
	for name, text := range hostile {
		for _, values := range []bool{false, true} {
			m := evil(t, text)
			cfg := config(m)
			cfg.Values = values
			h := handler(cfg)
			paths := []string{"/traces/shop", "/traces/shop/requests", "/traces/shop/routes", "/traces/shop/statements", "/traces/shop/routes/" + routeKey(m)}
			var list view.Statements
			require.NoError(t, json.Unmarshal(get(h, "/traces/shop/statements", "").Body.Bytes(), &list))
			paths = append(paths, "/traces/shop/statements/"+list.Statements[0].Key)
			for _, id := range []string{"0", "1", "2"} {
				look := "/traces/shop/33333333-3333-4333-8333-33333333333" + id
				paths = append(paths, look, look+"/profile", look+"/profile?function=1", look+"/plan/1")
			}
			for _, path := range paths {
				w := get(h, path, browser)
				require.Equal(t, http.StatusOK, w.Code, "%s %s: %s", name, path, w.Body)
				require.Less(t, w.Body.Len(), 300<<10, "%s %s", name, path)
				harmless(t, w.Body.String(), name+" "+path)
				w = get(h, path, "")
				require.Equal(t, http.StatusOK, w.Code, path)
				require.True(t, json.Valid(w.Body.Bytes()), path)
			}
		}
	}
}

func routeKey(m *viewtest.Memory) string {
	return route.Key(route.Name(hostileRoute(m), m.Entries[0].Name))
}

func hostileRoute(m *viewtest.Memory) string {
	var fields struct {
		Route string `json:"route"`
	}
	_ = json.Unmarshal([]byte(m.Entries[0].Attributes), &fields)
	return fields.Route
}

// harmless reads a page as a browser does.
func harmless(t *testing.T, page, name string) {
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	scripts, mains := 0, 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			scripts++
		case "main":
			mains++
		case "style", "use", "iframe", "b", "i":
			require.Empty(t, attr(n, "id"), name)
			require.NotContains(t, []string{"style", "use", "iframe"}, n.Data, name)
		}
		for _, a := range n.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), "%s: %s", name, a.Key)
			require.NotEqual(t, "style", a.Key, name)
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				require.Regexp(t, `^(/traces/|#|\?since=)`, a.Val, name)
			}
		}
	}
	require.Equal(t, 1, scripts, name)
	require.Equal(t, 1, mains, name)
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
