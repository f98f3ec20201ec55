package plan

import (
	"encoding/json"
	"strings"
)

// node writes a node of a plan and its children: node("Seq Scan on=t est=10 act=20 x=1 ms=5", …). Words without "=" are
// its type, the others its members, by their short names; "_" in a value is a space.
func node(text string, children ...string) string {
	members := map[string]any{}
	var kind []string
	for _, word := range strings.Fields(text) {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			kind = append(kind, word)
			continue
		}
		if long, ok := shortNames[key]; ok {
			key = long
		}
		value = strings.ReplaceAll(value, "_", " ")
		if json.Valid([]byte(value)) {
			members[key] = json.RawMessage(value)
		} else {
			members[key] = value
		}
	}
	members["Node Type"] = strings.Join(kind, " ")
	for _, c := range children {
		plans, _ := members["Plans"].([]json.RawMessage)
		members["Plans"] = append(plans, json.RawMessage(c))
	}
	out, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// shortNames are the short names of members.
var shortNames = map[string]string{
	"on": "Relation Name", "as": "Parent Relationship", "est": "Plan Rows", "act": "Actual Rows", "x": "Actual Loops", "ms": "Actual Total Time",
	"filter": "Filter", "removed": "Rows Removed by Filter", "index": "Index Name", "join": "Join Type", "unique": "Inner Unique", "how": "Strategy",
	"planned": "Workers Planned", "launched": "Workers Launched", "temp": "Temp Written Blocks", "batches": "Hash Batches", "sub": "Subplan Name", "cte": "CTE Name", "out": "Output",
}

// parse parses a plan of this tree; more are members beside it.
func parse(tree string, more ...string) *Plan {
	return Parse([]byte(`{"Plan":` + tree + strings.Join(append([]string{""}, more...), ",") + `}`))
}
