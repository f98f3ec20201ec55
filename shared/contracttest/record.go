package contracttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// php returns a valid PHP record. changes are names and the JSON values to put there, in turn; an empty
// value leaves the field out.
func php(changes ...string) string {
	return object([]string{
		"project", `"{project}"`,
		"correlation_id", `"{uuid}"`,
		"timestamp", `{now}`,
		"duration_ms", `17.880916595458984`,
		"request_uri", `"/product/42?ref=newsletter"`,
		"profiling_data", `{"main()":{"ct":1,"wt":17880}}`,
	}, changes)
}

// postgres returns a valid Postgres record; see php.
func postgres(changes ...string) string {
	return object([]string{
		"project", `"{project}"`,
		"correlation_id", `"{uuid}"`,
		"timestamp", `{now}`,
		"duration_ms", `0.033`,
		"query", `"SELECT id, name FROM categories ORDER BY name"`,
		"profiling_data", `{"Plan":{"Node Type":"Seq Scan","Total Cost":1.12}}`,
	}, changes)
}

func object(members, changes []string) string {
	for i := 0; i < len(changes); i += 2 {
		name, value := changes[i], changes[i+1]
		at := 0
		for at < len(members) && members[at] != name {
			at += 2
		}
		switch {
		case at == len(members):
			members = append(members, name, value)
		case value == "":
			members = slices.Delete(members, at, at+2)
		default:
			members[at+1] = value
		}
	}
	var b strings.Builder
	for i := 0; i < len(members); i += 2 {
		fmt.Fprintf(&b, `%c"%s":%s`, "{,"[min(i, 1)], members[i], members[i+1])
	}
	return b.String() + "}"
}

// array returns a JSON array of the records.
func array(records ...string) string { return "[" + strings.Join(records, ",") + "]" }

// accepted is the answer when n records were stored and nothing else was in the body.
func accepted(n int) string { return stored(n, 0) }

// stored is the answer to a body with records that were stored now, duplicates, and bad ones.
func stored(accepted, duplicates int, rejected ...string) string {
	return fmt.Sprintf(`{"accepted":%d,"duplicates":%d,"rejected":%s}`, accepted, duplicates, array(rejected...))
}

// rejected lists what is wrong with one record of a batch: paths and messages in turn.
func rejected(index int, details ...string) string {
	return fmt.Sprintf(`{"index":%d,"details":%s}`, index, list(details))
}

// invalid is the answer to one bad record: paths and messages in turn.
func invalid(details ...string) string {
	return fmt.Sprintf(`{"error":"Validation failed","details":%s}`, list(details))
}

// invalidBatch is the answer to an array or lines of which no record is valid.
func invalidBatch(rejected ...string) string {
	return fmt.Sprintf(`{"error":"Validation failed","rejected":%s}`, array(rejected...))
}

func list(details []string) string {
	var all []string
	for i := 0; i < len(details); i += 2 {
		all = append(all, fmt.Sprintf(`{"path":%s,"message":%s}`, quote(details[i]), quote(details[i+1])))
	}
	return array(all...)
}

// failure is the answer that holds an error's text alone.
func failure(text string) string { return fmt.Sprintf(`{"error":%s}`, quote(text)) }

func quote(text string) string {
	data, _ := json.Marshal(text) // of a string: never fails
	return string(data)
}
