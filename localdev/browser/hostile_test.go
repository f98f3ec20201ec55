package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hostile texts stand in every field that is free. Each would call evil, load something, or break the page.
var hostile = map[string]string{
	"markup":    `<b id=evil onclick=evil()>"'&lt;<img src=x onerror=evil()>`,
	"script":    `</script></title></style></svg></textarea><script>evil()</script>`,
	"svg":       `<svg onload=evil()><style>*{display:none}</style><use href="https://evil.example/x#y"/><image href="https://evil.example/"/></svg>`,
	"attribute": `" autofocus onfocus=evil() style="position:fixed;inset:0" x="`,
	"address":   `javascript:evil()//evil.example/<meta http-equiv=refresh content="0;url=https://evil.example/">`,
	"other way": "\u202egnp.exe\u2066 \u200b\u0007",
	"long":      strings.Repeat(`A\<i onclick=evil()>`, 400),
}

// evil are three requests, with a profile of each kind, and statements that have a text everywhere.
func evil(text string, now time.Time) (records []fields) {
	plan := map[string]any{"Query Text": text, "Settings": map[string]string{text: text, "work_mem": text}, "Plan": map[string]any{
		"Node Type": text, "Relation Name": text, "Alias": text, "Index Name": text, "Filter": text, "Output": []string{text}, "Subplan Name": text, "Sort Method": text,
		"Plan Rows": 1e300, "Actual Rows": -5000, "Actual Loops": 1e18, "Actual Total Time": 1e300, "Total Cost": -1,
		"Plans": []any{map[string]any{"Node Type": "Seq Scan", "Parent Relationship": text, "Relation Name": text, "Filter": text, "Plan Rows": 1, "Actual Rows": 100000, "Actual Loops": 1, "Actual Total Time": 5, "Rows Removed by Filter": 1e9}},
	}}
	profiles := []any{
		map[string]any{"shared": map[string]any{"frames": []any{map[string]any{"name": text, "file": text, "line": 1}, map[string]any{"name": text + "2"}}},
			"profiles": []any{map[string]any{"type": "sampled", "name": text, "unit": "milliseconds", "startValue": 0, "endValue": 3, "samples": [][]int{{0, 1}, {0}}, "weights": []int{1, 2}}}},
		map[string]any{"main()==>" + text: map[string]any{"ct": 1, "wt": 1e15}, text + "==>" + text + "3": map[string]any{"ct": -1, "wt": 9}, text + "3==>" + text: map[string]any{"ct": 1, "wt": 1}},
		map[string]any{"spans": []any{map[string]any{"name": text, "spanId": "1", "parentSpanId": text, "startTimeUnixNano": "1", "endTimeUnixNano": "9000000", "attributes": map[string]any{"db.system": text}}}},
	}
	for i, profile := range profiles {
		records = append(records, fields{}.with("project", "shop", "correlation_id", evilID(i), "timestamp", now.Unix()-600, "duration_ms", 12.5, "request_uri", text,
			"profiling_data", profile, "route", text, "method", text, "status", text, "php", text, "memory_peak", text, text, text, "nested", map[string]any{text: []string{text}}, "queries", 6, "db_ms", 11))
		for line := range 6 {
			records = append(records, fields{}.with("project", "shop", "correlation_id", evilID(i), "timestamp", now.Unix()-600, "duration_ms", 1, "query", "SELECT 1 FROM "+text,
				"profiling_data", plan, "error", text, "sql_error_code", text, "session_id", text, "log_line", line))
		}
	}
	return records
}

func evilID(i int) string { return fmt.Sprintf("33333333-3333-4333-8333-%012d", i) }

// TestHostile holds that texts of strangers stay texts in a real browser, and that the rest of the page is there.
func TestHostile(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t, "BITVILLE_READ_VALUES=show") // else literals are masked, which leaves less of them
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.login("/traces/shop")
	for name, text := range hostile {
		send(t, l, evil(text, time.Now()))
		for i := range 3 {
			look := "/traces/shop/" + evilID(i)
			for _, path := range []string{look, look + "/profile?function=1", look + "/plan/1"} {
				b.harmless(name, path)
			}
		}
	}
	for _, path := range []string{"/traces/shop", "/traces/shop/requests", "/traces/shop/routes", "/traces/shop/statements"} {
		b.harmless("all", path)
		if path == "/traces/shop/routes" || path == "/traces/shop/statements" {
			for _, link := range eval[[]string](b, `[...document.querySelectorAll('tbody td.name a')].map(a => a.getAttribute('href'))`) {
				b.harmless("all", link)
			}
		}
	}
}

// harmless opens a page, and all that opens on it: nothing of what was sent became an element, and it has its beginning and its end.
func (b *tab) harmless(name, path string) {
	b.t.Helper()
	require.Equal(b.t, 200, b.open(path), "%s: %s", name, path)
	seen := eval[map[string]int](b, `(() => {
		for (const d of document.querySelectorAll('details')) d.open = true;
		const n = s => document.querySelectorAll(s).length;
		return {evil: n('#evil, main img, main script, main style, main meta, main iframe, use, image, [onclick], [onload], [onerror], [onfocus], [style], a[href^="javascript"], a[href^="//"]'),
			main: n('main'), heading: n('main h1'), search: n('.search'), words: n('main > .words:last-child'), wide: document.documentElement.scrollWidth}})()`)
	require.Equal(b.t, map[string]int{"evil": 0, "main": 1, "heading": 1, "search": 1, "words": 1, "wide": 1280}, seen, "%s: %s", name, path)
	require.Equal(b.t, path, b.path(), "%s leads away", name)
	b.quiet(name + ": " + path)
}

// TestOddShapes holds that profiles and plans of odd shapes and sizes leave the rest of the page there.
func TestOddShapes(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	deepEdges := map[string]any{"main()==>f0": map[string]any{"ct": 1, "wt": 1000000}}
	for i := range 20_000 {
		deepEdges[fmt.Sprintf("f%d==>f%d", i, i+1)] = map[string]any{"ct": 1, "wt": 1000000 - i}
	}
	stack := make([]int, 100_000)
	deepPlan := strings.Repeat(`{"Node Type":"Append","Actual Rows":1,"Actual Loops":1,"Actual Total Time":9,"Plan Rows":1,"Plans":[`, 120) +
		`{"Node Type":"Result"}` + strings.Repeat(`]}`, 120)
	id := func(i int) string { return fmt.Sprintf("44444444-4444-4444-8444-%012d", i) }
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	profiles := map[string]any{
		"a chain of 20,000 calls": deepEdges,
		"a stack of 100,000 frames": map[string]any{"shared": map[string]any{"frames": []any{map[string]any{"name": "f"}}},
			"profiles": []any{map[string]any{"type": "sampled", "name": "x", "unit": "milliseconds", "startValue": 0, "endValue": 1, "samples": [][]int{stack}, "weights": []int{1}}}},
		"a cycle":          raw(`{"a==>b":{"ct":1,"wt":5},"b==>c":{"ct":1,"wt":5},"c==>a":{"ct":1,"wt":5}}`),
		"large numbers":    raw(`{"main()==>a":{"ct":9223372036854775807,"wt":9223372036854775807},"a==>b":{"ct":-9223372036854775808,"wt":-1}}`),
		"frames not there": raw(`{"shared":{"frames":[]},"profiles":[{"type":"sampled","unit":"milliseconds","samples":[[7,-1]],"weights":[1]}]}`),
		"stacks":           raw(`{"format":"collapsed","period_ms":1,"stacks":"a;b;c -5\n;;; 3\nno number\n"}`),
		"none":             raw(`{}`),
		"of another kind":  raw(`{"x":[[[[null]]]]}`),
	}
	plans := map[string]any{
		"cut":          raw(`{"Query Text":"SELECT 1","Plan":{"Node Type":"Seq Scan","Plans":[{}]},"truncated":true}`),
		"deep":         raw(`{"Plan":` + deepPlan + `}`),
		"text":         raw(`{"format":"text","plan":"Seq Scan on a  (cost=0.00..1.00 rows=1"}`),
		"none":         raw(`{}`),
		"of no nodes":  raw(`{"Plan":[]}`),
		"negative":     raw(`{"Plan":{"Node Type":"Sort","Plan Rows":-9223372036854775808,"Actual Rows":9223372036854775807,"Actual Loops":-1,"Actual Total Time":-5}}`),
		"large figure": raw(`{"Plan":{"Node Type":"Sort","Plan Rows":1e308,"Actual Rows":1e308,"Actual Loops":1e308,"Actual Total Time":1e308}}`),
	}
	now := time.Now()
	records, names := []fields{}, []string{}
	for name, profile := range profiles {
		records = append(records, fields{}.with("project", "shop", "correlation_id", id(len(names)), "timestamp", now.Unix()-600, "duration_ms", 12.5, "request_uri", "/"+name, "profiling_data", profile))
		names = append(names, name)
	}
	for name, plan := range plans {
		records = append(records, fields{}.with("project", "shop", "correlation_id", id(len(names)), "timestamp", now.Unix()-600, "duration_ms", 12.5, "query", "SELECT 1", "profiling_data", plan))
		names = append(names, name)
	}
	l := start(t)
	send(t, l, records)
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.login("/traces/shop")
	for i, name := range names {
		look := "/traces/shop/" + id(i)
		b.harmless(name, look)
		if i < len(profiles) {
			b.harmless(name, look+"/profile")
		} else {
			b.harmless(name, look+"/plan/1")
		}
	}
}
