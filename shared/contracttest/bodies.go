package contracttest

import (
	"fmt"
	"net/http"
	"strings"
)

func contentTypes() []Case {
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	as := func(contentType string) Case {
		return Case{Name: contentType, Header: map[string]string{"Content-Type": contentType}, Body: php(), Status: 200, Answer: accepted(1)}
	}
	refused := func(contentType string) Case {
		c := as(contentType)
		c.Status, c.Returns = http.StatusUnsupportedMediaType, map[string]string{"Accept": "application/json, application/x-ndjson"}
		c.Answer = failure("Unsupported Content-Type: send application/json (an object or an array) or application/x-ndjson (an object a line)")
		return c
	}
	before := func(name string, c Case) Case {
		c.Name, c.Body = name, "{"
		return c
	}
	return []Case{
		{Name: "none", Body: php(), Status: 200, Answer: accepted(1)},
		as("application/json"),
		as("application/json; charset=utf-8"),
		as("application/json;charset=utf-8"),
		as("Application/JSON"),
		as("application/x-ndjson"),
		as("application/x-ndjson; charset=utf-8"),
		{Name: "NDJSON for Postgres", Route: postgresRoute, Header: ndjson, Body: postgres() + "\n" + postgres(), Status: 200, Answer: accepted(2)},
		refused("application/x-www-form-urlencoded"), // what curl -d says
		refused("multipart/form-data; boundary=x"),
		refused("text/plain"),
		refused("text/json"),
		refused("application/xml"),
		refused("application/jsonl"),
		refused("application/octet-stream"),
		refused("application/jsonx"),
		refused("json"),
		refused("text/sql").to(postgresRoute),
		before("before the body's JSON", refused("text/csv")),
	}
}

func contentEncodings() []Case {
	as := func(name, encoding string, encode func([]byte) []byte) Case {
		return Case{
			Name: name, Header: map[string]string{"Content-Encoding": encoding}, Body: php(), Encode: encode,
			Status: 200, Answer: accepted(1),
		}
	}
	unsupported := func(encoding string) Case {
		c := as(encoding, encoding, nil)
		c.Status, c.Returns = http.StatusUnsupportedMediaType, map[string]string{"Accept-Encoding": "gzip, zstd"}
		c.Answer = failure("Unsupported Content-Encoding: send gzip, zstd, or none")
		return c
	}
	damaged := func(name, encoding string, encode func([]byte) []byte) Case {
		c := as(encoding+", "+name, encoding, encode)
		c.Status = http.StatusBadRequest
		c.Answer = failure(fmt.Sprintf("Invalid %s: the body is damaged, ends early, or is not %[1]s at all", encoding))
		return c
	}
	plain := func(body []byte) []byte { return body }
	nothing := func([]byte) []byte { return nil }
	cut := func(encode func([]byte) []byte, bytes int) func([]byte) []byte {
		return func(body []byte) []byte {
			encoded := encode(body)
			return encoded[:len(encoded)-bytes]
		}
	}
	flip := func(encode func([]byte) []byte, fromEnd int) func([]byte) []byte {
		return func(body []byte) []byte {
			encoded := encode(body)
			encoded[len(encoded)-fromEnd] ^= 0x55
			return encoded
		}
	}
	halves := func(encode func([]byte) []byte) func([]byte) []byte {
		return func(body []byte) []byte {
			middle := len(body) / 2
			return append(encode(body[:middle]), encode(body[middle:])...)
		}
	}
	offset := as("the offset of what is not JSON", "gzip", gzipped)
	offset.Body, offset.Status, offset.Answer = strings.Repeat(" ", 1000)+"{]", 400, `{"error":"Invalid JSON","offset":1001}`
	tooWide := as("zstd with a window of 16 MiB", "zstd", zstdWithWindow(14))
	tooWide.Status, tooWide.Answer = 400, failure("Invalid zstd: the frame asks for a window above 8388608 bytes; compress without --long or --ultra")
	return []Case{
		as("none", "", plain),
		as("identity", "identity", plain),
		as("gzip", "gzip", gzipped),
		as("GZIP", "GZIP", gzipped),
		as("gzip of two members", "gzip", halves(gzipped)),
		as("zstd", "zstd", zstandard),
		as("zstd of two frames", "zstd", halves(zstandard)),
		as("zstd with a window of 8 MiB", "zstd", zstdWithWindow(13)),
		tooWide,
		offset,
		damaged("ends early", "gzip", cut(gzipped, 20)),
		damaged("without its last byte", "gzip", cut(gzipped, 1)),
		damaged("wrong checksum", "gzip", flip(gzipped, 8)),
		damaged("wrong inside", "gzip", flip(gzipped, 40)),
		damaged("that is plain JSON", "gzip", plain),
		damaged("that is zstd", "gzip", zstandard),
		damaged("something behind it", "gzip", func(body []byte) []byte { return append(gzipped(body), "{}"...) }),
		damaged("that is empty", "gzip", nothing),
		damaged("ends early", "zstd", cut(zstandard, 20)),
		damaged("wrong checksum", "zstd", flip(zstandard, 1)),
		damaged("that is plain JSON", "zstd", plain),
		damaged("that is gzip", "zstd", gzipped),
		unsupported("br"),
		unsupported("deflate"),
		unsupported("compress"),
		unsupported("gzip, gzip"),
		unsupported("identity, zstd"),
	}
}

// notJSON are bodies that are refused as a whole, each with the offset of the first byte that cannot be
// right.
func notJSON() []Case {
	good := php("project", `"shop"`, "correlation_id", `"d37cc455-87f5-457f-b02d-86776b296414"`, "timestamp", "1")
	var cases []Case
	for _, c := range []struct {
		name   string
		body   string
		offset int
	}{
		{"nothing", "", 0},
		{"blanks", " \r\n\t", 4},
		{"a byte order mark", "\ufeff{}", 0},
		{"UTF-16", "\xff\xfe{\x00}\x00", 0},
		{"an object that ends early", `{"project"`, 10},
		{"a string that ends early", `{"project":"sh`, 14},
		{"an array that ends early", `[{}`, 3},
		{"an array that ends in its comma", `[{},`, 4},
		{"10,000 brackets that open", strings.Repeat("[", 10_000), 10_000},
		{"a comma behind the last member", `{"a":1,}`, 7},
		{"a comma behind the last record", `[{},]`, 4},
		{"no comma between two records", `[{} {}]`, 4},
		{"no colon", `{"a" 1}`, 5},
		{"the wrong bracket", `{"a":[1}`, 7},
		{"something behind the object", `{} x`, 3},
		{"something behind the array", `[{}]]`, 4},
		{"lines without their Content-Type", "{}\n{}", 3},
		{"a NUL behind the object", "{}\x00", 2},
		{"single quotes", `{'a':1}`, 1},
		{"a name without quotes", `{a:1}`, 1},
		{"a comment", `{/* */}`, 1},
		{"a form", "project=shop", 0},
		{"NaN", `{"timestamp":NaN}`, 13},
		{"-Infinity", `{"timestamp":-Infinity}`, 14},
		{"True", `{"a":True}`, 5},
		{"a word that ends early", `{"a":tru}`, 8},
		{"a zero in front", `{"a":01}`, 6},
		{"a plus in front", `{"a":+1}`, 5},
		{"no digit before the point", `{"a":.5}`, 5},
		{"no digit behind the point", `{"a":1.}`, 7},
		{"no digit in the exponent", `{"a":1e}`, 7},
		{"a hexadecimal number", `{"a":0x10}`, 6},
		{"a tab in a string", "{\"a\":\"\t\"}", 6},
		{"a line end in a string", "{\"a\":\"\n\"}", 6},
		{"a NUL in a string", "{\"a\":\"\x00\"}", 6},
		{"an unknown escape", `{"a":"\x41"}`, 7},
		{"an escape that ends early", `{"a":"\u12"}`, 10},
		{"Latin-1", "{\"a\":\"caf\xe9\"}", 9},
		{"half a character", "{\"a\":\"\xc3\"}", 6},
		{"a slash in two bytes", "{\"a\":\"\xc0\xaf\"}", 6},
		{"half a surrogate pair in three bytes", "{\"a\":\"\xed\xa0\x80\"}", 6},
		{"a character beyond U+10FFFF", "{\"a\":\"\xf4\x90\x80\x80\"}", 6},
		{"bytes that are not UTF-8 behind an earlier error", "{\"a\" \"\xff\"}", 5},
		{"a good record before the error", array(good, "{"), len("[" + good + ",{")},
	} {
		cases = append(cases, Case{
			Name: c.name, Header: map[string]string{"Content-Type": "application/json"}, Body: c.body,
			Status: 400, Answer: fmt.Sprintf(`{"error":"Invalid JSON","offset":%d}`, c.offset),
		})
	}
	return cases
}

// notRecords are bodies of JSON that hold something else than objects.
func notRecords() []Case {
	one := func(body, kind string) Case {
		return Case{Name: body, Body: body, Status: 400, Answer: invalid("", "must be a JSON object, not "+kind)}
	}
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	all := Case{
		Name:   "one of each in an array",
		Body:   array("null", "[]", `"{}"`, "1", "true", deep),
		Status: 400,
		Answer: invalidBatch(
			rejected(0, "", "must be a JSON object, not null"),
			rejected(1, "", "must be a JSON object, not an array"),
			rejected(2, "", "must be a JSON object, not a string"),
			rejected(3, "", "must be a JSON object, not a number"),
			rejected(4, "", "must be a JSON object, not a boolean"),
			rejected(5, "", "must be a JSON object, not an array"),
		),
	}
	return []Case{one("null", "null"), one(`"{}"`, "a string"), one("-1.5e3", "a number"), one("false", "a boolean"), all}
}
