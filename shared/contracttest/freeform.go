package contracttest

import (
	"fmt"
	"strconv"
	"strings"
)

func decimal(n int) string { return strconv.Itoa(n) }

// nested is an object that nests to the given depth, arrays inside of it.
func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
}

const explainArray = "is an array of one object, as EXPLAIN (FORMAT JSON) prints it; send its element"

const intoOne = `; put it into one, such as {"data":…}`

var profilingDataRules = []rule{
	{name: "an object", value: `{"main()":{"ct":1,"wt":-3}}`},
	{name: "an empty object", value: `{}`},
	{name: "PHP's empty array", value: `[]`},
	{name: "PHP's empty array with a blank", value: "[ \n]"},
	{name: "integers beyond a float", value: `{"queryid":-4018182821935948930,"n":9007199254740993,"huge":123456789012345678901234567890}`},
	{name: "numbers beyond a float", value: `{"huge":1e400,"tiny":-1e-400}`},
	{name: "a NUL, half a surrogate pair", value: `{"\u0000":"\ud800"}`},
	{name: "a name that stands twice", value: `{"a":1,"a":2}`},
	{name: "names of PHP functions", value: `{"Shop\\Catalog::{closure}==>strlen@1":{"wt":1},"":{"wt":2}}`},
	{name: "512 deep", value: nested(512)},
	{name: "left out", value: "", message: "is required; {} when there is nothing"},
	{name: "null", value: "null", message: "must be an object, not null; send {} when there is nothing"},
	{name: "a string", value: `"{}"`, message: "must be an object, not a string; it was encoded twice: encode the record once"},
	{name: "a number", value: "0", message: "must be an object, not a number" + intoOne},
	{name: "what EXPLAIN prints", value: `[{"Plan":{"Node Type":"Result"}}]`, message: explainArray},
	{name: "what EXPLAIN prints, with line ends", value: "[\n  {\n    \"Plan\": {}\n  }\n]", message: explainArray},
	{name: "two plans", value: `[{"Plan":{}},{"Plan":{}}]`, message: "must be an object, not an array" + intoOne},
	{name: "an array of a number", value: `[0]`, message: "must be an object, not an array" + intoOne},
	{name: "an array of an empty array", value: `[[]]`, message: "must be an object, not an array" + intoOne},
	{name: "513 deep", value: nested(513), message: "is nested 513 deep; at most 512", beyond: true},
	{name: "10,000 deep", value: nested(10_000), message: "is nested 10000 deep; at most 512", beyond: true},
}

func extraFields() []Case {
	taken := func(name string, changes ...string) Case {
		return Case{Name: name, Body: php(changes...), Status: 200, Answer: accepted(1)}
	}
	refused := func(name, path, message string, changes ...string) Case {
		return Case{Name: name, Body: php(changes...), Status: 400, Answer: invalid(path, message), BeyondSchema: true}
	}
	many := func(n int) (changes []string) {
		for i := range n {
			changes = append(changes, fmt.Sprint("tag_", i), "0")
		}
		return changes
	}
	// A name that stands twice can't be written as a change.
	twice := func(name, value string) string {
		return strings.TrimSuffix(php(), "}") + fmt.Sprintf(`,"%s":%s}`, name, value)
	}
	tooMany := refused("1,001", "", "has 1001 fields beside the contract's; at most 1000: put some into one object", many(1001)...)
	tooMany.BeyondSchema = false
	long := strings.Repeat("n", 64)
	repeat := func(name, field, value string) Case {
		return Case{Name: name, Body: twice(field, value), Status: 400, Answer: invalid("request_uri", "stands more than once; send it once"), BeyondSchema: true}
	}
	return []Case{
		taken("any type", "status", "200", "tags", `["a",{"b":null}]`, "cached", "true", "user", "null"),
		taken("integers beyond a float", "query_id", "-4018182821935948930", "n", "9007199254740993"),
		taken("numbers beyond a float", "huge", "1e400"),
		taken("a NUL, half a surrogate pair", `\u0000`, `"\ud800\u0000"`),
		taken("columns of the table", "id", "7", "source", `"x"`, "digest", "0", "payload", "null", "attributes", `{"a":1}`),
		taken("the other source's name", "query", `""`),
		taken("almost a contract field", "Project", "1", "TIMESTAMP", "2", "reque\u017ft_uri", "3"),
		taken("an empty name", "", "1"),
		taken("1,000", many(1000)...),
		taken("512 deep", "trace", nested(512)),
		{Name: "one that stands twice", Body: php("tag", "1", `t\u0061g`, "2"), Status: 200, Answer: accepted(1)},
		tooMany,
		refused("513 deep", "trace", "is nested 513 deep; at most 512", "trace", nested(513)),
		refused("10,000 deep", "trace", "is nested 10000 deep; at most 512", "trace", nested(10_000)),
		refused("a name of 64 bytes", long, "is nested 513 deep; at most 512", long, nested(513)),
		refused("a name of 65 bytes", long+"…", "is nested 513 deep; at most 512", long+"n", nested(513)),

		// A contract field stands once, however its name is written.
		repeat("a contract field twice", "request_uri", `"/other"`),
		repeat("a contract field twice, the same", "request_uri", `"/product/42?ref=newsletter"`),
		repeat("a contract field twice, escaped", `request\u005furi`, `"/other"`),
		repeat("a contract field twice, null", "request_uri", "null"),
		{Name: "a contract field in capitals", Body: php("project", "", "Project", `"{project}"`), Status: 400, Answer: invalid("project", "is required")},
		{Name: "a contract field under case folding", Body: php("request_uri", "", "reque\u017ft_uri", `"/"`), Status: 400, Answer: invalid("request_uri", "is required")},
		{Name: "contract fields by escapes", Body: php("request_uri", "", `\u0072equest_uri`, `"/"`), Status: 200, Answer: accepted(1)},
	}
}

// nothingThere is what is wrong with an empty record.
func nothingThere(name string) []string {
	return []string{
		"project", "is required",
		"correlation_id", "is required",
		"timestamp", "is required" + seconds,
		"duration_ms", "is required; null when it is not known",
		name, "is required",
		"profiling_data", "is required; {} when there is nothing",
	}
}

const envelope = "is no record, but records stand in it; send their array alone (PHP: array_values makes one of an array with gaps), or one record alone"

// detailLists are records with more than one fault.
func detailLists() []Case {
	wrong := Case{
		Name:   "all fields wrong",
		Body:   `{"project":null,"correlation_id":"x","timestamp":"now","duration_ms":-1,"request_uri":"","profiling_data":[1]}`,
		Status: 400,
		Answer: invalid(
			"project", "must be a string, not null",
			"correlation_id", badID,
			"timestamp", "must be a number, not a string"+seconds,
			"duration_ms", "must not be negative; measure it with a clock that is not set, such as PHP's hrtime",
			"request_uri", "is empty; 1 to 8192 bytes",
			"profiling_data", "must be an object, not an array"+intoOne,
		),
	}
	both := Case{
		Name: "two faults in one field", Body: php("request_uri", `"\u0000`+strings.Repeat("x", 8192)+`"`), Status: 400,
		Answer: invalid("request_uri", "is 8193 bytes long; at most 8192"+mayBeCut, "request_uri", `holds a NUL character (\u0000); leave it out`),
	}
	var deep, first []string
	for i := range 30 {
		deep = append(deep, fmt.Sprint("tag_", i), nested(513))
		if i < 20 {
			first = append(first, fmt.Sprint("tag_", i), "is nested 513 deep; at most 512")
		}
	}
	return []Case{
		{Name: "no field", Body: "{}", Status: 400, Answer: invalid(nothingThere("request_uri")...)},
		{Name: "no field of a statement", Route: postgresRoute, Body: "{ }", Status: 400, Answer: invalid(nothingThere("query")...)},
		{Name: "records under their numbers", Body: `{"0":` + php() + `,"2":` + php() + `}`, Status: 400, Answer: invalid("", envelope)},
		{Name: "records in a field", Body: `{"records":` + array(php()) + `}`, Status: 400, Answer: invalid("", envelope)},
		{Name: "a statement in a field", Route: postgresRoute, Body: `{"data":` + postgres() + `}`, Status: 400, Answer: invalid("", envelope)},
		wrong,
		both,
		{Name: "20 of 30 are told", Body: php(deep...), Status: 400, Answer: invalid(first...), BeyondSchema: true},
	}
}
