package pgagent

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/bitville/listener/shared/record"
)

// plan is what auto_explain logged behind "plan:".
type plan struct {
	json     []byte // the plan without white space and Query Text; nil when it is no whole JSON
	text     string // the plan as it was logged, when json is nil
	isCut    bool   // text is JSON that was cut off
	query    string // Query Text
	queryCut bool   // it goes on behind what was logged
}

// costs ends the statement in a plan of the format text.
var costs = regexp.MustCompile(`(?m)^\s*\S.*\(cost=`)

// readPlan splices a plan: white space between tokens goes, values stay as they were logged.
func readPlan(logged string) (p plan) {
	logged = strings.TrimRight(logged, " \t\r\n")
	if !strings.HasPrefix(logged, "{") {
		p.text = logged
		if query, ok := strings.CutPrefix(logged, "Query Text: "); ok {
			if at := costs.FindStringIndex(query); at != nil {
				query = query[:at[0]]
			}
			p.query = query
		}
		return p
	}
	var whole bytes.Buffer
	whole.Grow(len(logged))
	if json.Compact(&whole, []byte(logged)) == nil && depth(whole.Bytes()) <= record.MaxDepth {
		p.json = whole.Bytes()
		const first = `{"Query Text":` // auto_explain writes it first
		if rest, ok := bytes.CutPrefix(p.json, []byte(first)); ok {
			n := stringEnd(rest)
			_ = json.Unmarshal(rest[:n], &p.query)
			rest = bytes.TrimPrefix(rest[n:], []byte(","))
			p.json = append([]byte("{"), rest...)
		}
		return p
	}
	p.text, p.isCut = logged, true
	p.query, p.queryCut = cutQuery(logged)
	return p
}

// stringEnd returns the length of the JSON string that b begins with, with its quotes; all of b when it is cut off.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// depth is how deep JSON nests.
func depth(b []byte) (deepest int) {
	at := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			at++
			deepest = max(deepest, at)
		case '}', ']':
			at--
		}
	}
	return deepest
}

// cutQuery finds Query Text in a plan that was cut off.
func cutQuery(logged string) (query string, isCut bool) {
	_, rest, ok := strings.Cut(logged, `"Query Text": `)
	if !ok || !strings.HasPrefix(rest, `"`) {
		return "", false
	}
	text := rest[:stringEnd([]byte(rest))]
	if json.Unmarshal([]byte(text), &query) == nil {
		return query, false
	}
	for n := len(text); n > 0 && n > len(text)-7; n-- { // an escape may be cut
		if json.Unmarshal([]byte(text[:n]+`"`), &query) == nil {
			return query, true
		}
	}
	return "", true
}
