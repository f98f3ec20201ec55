package contracttest

import (
	"fmt"
	"strings"
)

const lowTimestamp = "must be positive Unix seconds"

func arrays() []Case {
	bad := php("timestamp", "0")
	deep := php("profiling_data", nested(10_000))
	return []Case{
		{Name: "empty", Body: "[]", Status: 200, Answer: accepted(0)},
		{Name: "empty, with blanks", Body: " [\r\n] ", Status: 200, Answer: accepted(0)},
		{Name: "one record", Body: array(php()), Status: 200, Answer: accepted(1)},
		{Name: "with line ends and tabs", Body: "\n[\n\t" + php() + " ,\r\n\t" + php() + "\n]\n", Status: 200, Answer: accepted(2)},
		{Name: "one bad record", Body: array(bad), Status: 400, Answer: invalidBatch(rejected(0, "timestamp", lowTimestamp))},
		{
			Name: "two bad records, each for its own faults", Route: postgresRoute,
			Body: array(postgres("query", ""), postgres("query", `""`, "timestamp", "0")), Status: 400,
			Answer: invalidBatch(
				rejected(0, "query", "is required"),
				rejected(1, "timestamp", lowTimestamp, "query", "is empty; 1 to 65536 bytes")),
		},
		{
			Name: "bad records among good ones", Body: array(php(), bad, php(), "null", php(), "{}"), Status: 200,
			Answer: stored(3, 0,
				rejected(1, "timestamp", lowTimestamp),
				rejected(3, "", notRecord("null")),
				rejected(5,
					"project", "is required",
					"correlation_id", "is required",
					"timestamp", "is required"+seconds,
					"duration_ms", "is required; null when it is not known",
					"request_uri", "is required",
					"profiling_data", "is required; {} when there is nothing")),
		},
		{
			Name: "one that is too deep among good ones", Body: array(php(), deep, php()), Status: 200, BeyondSchema: true,
			Answer: stored(2, 0, rejected(1, "profiling_data", "is nested 10000 deep; at most 512")),
		},
		{
			Name: "an array in an array", Body: array(array(php()), php()), Status: 200,
			Answer: stored(1, 0, rejected(0, "", notRecord("an array"))),
		},
	}
}

func lines() []Case {
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	of := func(name, body string, status int, answer string) Case {
		return Case{Name: name, Header: ndjson, Body: body, Status: status, Answer: answer}
	}
	wrongAt := func(index int, offset any, message string) string {
		return rejected(index, "", fmt.Sprintf("is not JSON: byte %v of the line, counted from 0, cannot be right: %s", offset, message))
	}
	const commaBehind = "a comma stands behind the object; NDJSON has none, and an array is sent as application/json"
	good, bad := php(), php("timestamp", "0")
	return []Case{
		of("nothing", "", 200, accepted(0)),
		of("blank lines", "\n\r\n \t\r\n\n", 200, accepted(0)),
		of("one line", good, 200, accepted(1)),
		of("one line with its end", good+"\n", 200, accepted(1)),
		of("three lines", good+"\n"+good+"\n"+good, 200, accepted(3)),
		of("CRLF", good+"\r\n"+good+"\r\n", 200, accepted(2)),
		of("blank lines between", "\n\r\n"+good+"\n\n \t\r\n"+good+"\n\n", 200, accepted(2)),
		of("blanks around", "  "+good+"\t \n\t"+good+" ", 200, accepted(2)),
		of("a bad line in the middle", good+"\n\n{\"project\":\n"+good+"\n", 200, stored(2, 0, wrongAt(1, 11, lineEnds))),
		of("a bad record in the middle", good+"\r\n\r\n"+bad+"\r\n"+good, 200, stored(2, 0, rejected(1, "timestamp", lowTimestamp))),
		of("a line that is not UTF-8", good+"\n{\"a\":\"caf\xe9\"}\n"+good, 200, stored(2, 0, wrongAt(1, 9, notUTF8))),
		of("a line with a NUL behind it", good+"\n{}\x00\n", 200, stored(1, 0, wrongAt(1, 2, nulBehind))),
		of("two records in a line", good+"\n{} {}\n", 200, stored(1, 0, wrongAt(1, 3, oneLine))),
		of("a byte order mark", "\ufeff"+good+"\n"+good, 200, accepted(2)),
		of("files behind each other, with a byte order mark each", "\ufeff"+good+"\n\ufeff"+good+"\n\ufeff\n", 200, accepted(2)),
		of("a JSON text sequence", "\x1e"+good+"\n"+good, 200, stored(1, 0, wrongAt(0, 0, isSequence))),
		of("Python's record", good+"\n{'project': 'shop'}", 200, stored(1, 0, wrongAt(1, 1, singles))),
		of("an array over several lines", "[\n"+good+",\n"+good+"\n]", 200, stored(1, 0, wrongAt(0, 1, lineEnds), wrongAt(1, "{any}", commaBehind), wrongAt(3, 0, notBegun))),
		of("a comma behind the line", good+"\n{},\n", 200, stored(1, 0, wrongAt(1, 2, commaBehind))),
		of("lines that are no objects", "1\n\"{}\"\nnull\n"+good, 200, stored(1, 0,
			rejected(0, "", notRecord("a number")),
			rejected(1, "", notRecord("a string")),
			rejected(2, "", notRecord("null")))),
		of("an array in a line", array(good)+"\n"+good, 200, stored(1, 0, rejected(0, "", notRecord("an array")))),
		of("one bad line", bad, 400, invalidBatch(rejected(0, "timestamp", lowTimestamp))),
		of("bad lines alone", "{\n"+bad+"\n}", 400, invalidBatch(wrongAt(0, 1, lineEnds), rejected(1, "timestamp", lowTimestamp), wrongAt(2, 0, notBegun))),
		of("a record over several lines", strings.Replace(good, ",", ",\n", 1), 400, invalidBatch(wrongAt(0, "{any}", lineEnds), wrongAt(1, 16, something))),
		of("carriage returns alone", good+"\r"+good, 400, invalidBatch(wrongAt(0, "{any}", oneLine))),
	}
}

// duplicates are sent in this order: the first record of an id is stored, and again no more.
func duplicates() []Case {
	id := func(name string) string { return `"{uuid:` + name + `}"` }
	first := php("correlation_id", id("retry"), "tag", "1")
	statement := postgres("correlation_id", id("retry"), "log_line", "7")
	reordered := `{"tag":1,"profiling_data":{"main()":{"ct":1,"wt":17880}},"request_uri":"\/product\/42?ref=newsletter",` +
		`"duration_ms":17.880916595458984,"timestamp":{now}.0,"correlation_id":"{uuid:retry}","project":"{project:upper}"}`
	again := func(name, body string) Case { return Case{Name: name, Body: body, Status: 200, Answer: stored(0, 1)} }
	differs := func(name string, changes ...string) Case {
		changes = append([]string{"correlation_id", id("retry"), "tag", "1"}, changes...)
		return Case{Name: name, Body: php(changes...), Status: 200, Answer: accepted(1)}
	}
	return []Case{
		{Name: "the first time", Body: first, Status: 200, Answer: accepted(1)},
		again("again", first),
		again("again in an array", array(first)),
		again("again, compressed", first).encoded("gzip", gzipped),
		again("again, spelled otherwise", reordered),
		differs("another time", "timestamp", "{now}.000001"),
		differs("another duration", "duration_ms", "17.881"),
		differs("no duration", "duration_ms", "null"),
		differs("another page", "request_uri", `"/"`),
		differs("another profile", "profiling_data", `{"main()":{"ct":1,"wt":17881}}`),
		differs("another extra field", "tag", "2"),
		differs("one extra field more", "tags", "1"),
		differs("an extra number in other digits", "tag", "1.0"),
		again("again, after all those", first),
		{Name: "a statement of the same request", Route: postgresRoute, Body: statement, Status: 200, Answer: accepted(1)},
		{Name: "the statement again", Route: postgresRoute, Body: statement, Status: 200, Answer: stored(0, 1)},
		{Name: "twice in one body", Body: array(php("correlation_id", id("twice")), php("correlation_id", id("twice"))), Status: 200, Answer: stored(1, 1)},
		{
			Name: "old, new and bad ones", Body: array(first, php(), php("timestamp", "0"), first), Status: 200,
			Answer: stored(1, 2, rejected(2, "timestamp", lowTimestamp)),
		},
	}
}

// encoded returns the case with its body under a Content-Encoding.
func (c Case) encoded(encoding string, encode func([]byte) []byte) Case {
	c.Header = map[string]string{"Content-Encoding": encoding}
	c.Encode = encode
	return c
}
