package contracttest

import (
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
		as("application/json; charset=iso-8859-1"),
		as("application/vnd.shop.profile+json"),
		as("application/vnd.shop.profile+JSON; charset=utf-8"),
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
		refused("application/ndjson"),
		refused("application/x-json-stream"),
		refused("application/json-seq"),
		refused("text/x+json"),
		refused("application/x+json, text/csv"),
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
	invalid := func(name, encoding, why string, encode func([]byte) []byte) Case {
		c := as(encoding+", "+name, encoding, encode)
		c.Status = http.StatusBadRequest
		c.Answer = failure("Invalid " + encoding + ": " + why)
		return c
	}
	damaged := func(name, encoding string, encode func([]byte) []byte) Case {
		return invalid(name, encoding, "the body is damaged, ends early, or has something behind its end", encode)
	}
	const isPlain = "the body is plain JSON; compress it, or leave the header Content-Encoding out"
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
	offset.Body, offset.Status, offset.Answer = strings.Repeat(" ", 1000)+"{]", 400, invalidJSON(1001, notThere)
	tooWide := as("zstd with a window of 16 MiB", "zstd", zstdWithWindow(14))
	tooWide.Status, tooWide.Answer = 400, failure("Invalid zstd: the frame asks for a window above 8388608 bytes; compress without --long or --ultra")
	twice := as("gzip of gzip", "gzip", func(body []byte) []byte { return gzipped(gzipped(body)) })
	twice.Status, twice.Answer = 400, invalidJSON(0, isGzip)
	return []Case{
		as("none", "", plain),
		as("identity", "identity", plain),
		as("gzip", "gzip", gzipped),
		as("GZIP", "GZIP", gzipped),
		as("x-gzip", "X-GZIP", gzipped),
		as("gzip and an empty member", ",\tgzip ,", gzipped),
		twice,
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
		invalid("that is plain JSON", "gzip", isPlain, plain),
		invalid("that is zstd", "gzip", isZstd, zstandard),
		damaged("something behind it", "gzip", func(body []byte) []byte { return append(gzipped(body), "{}"...) }),
		invalid("that is empty", "gzip", "the body is empty", nothing),
		damaged("ends early", "zstd", cut(zstandard, 20)),
		damaged("wrong checksum", "zstd", flip(zstandard, 1)),
		invalid("that is plain JSON", "zstd", isPlain, plain),
		invalid("that is gzip", "zstd", isGzip, gzipped),
		invalid("that is zlib", "gzip", isZlib, zlibbed),
		invalid("that is bare deflate", "gzip", "the body does not begin as gzip does; PHP's gzencode makes gzip, and gzdeflate and gzcompress do not", func(body []byte) []byte { return zlibbed(body)[2:] }),
		unsupported("br"),
		unsupported("deflate"),
		unsupported("compress"),
		unsupported("gzip, gzip"),
		unsupported("identity, zstd"),
	}
}

// notRecord is what is wrong with a value of some type that stands where a record should; the string holds JSON.
func notRecord(kind string) string {
	remedy := "send the record itself"
	switch kind {
	case "an array":
		remedy = "an array of records is the whole of an application/json body"
	case "a string":
		remedy = "it was encoded twice: encode it once"
	}
	return "must be a JSON object, not " + kind + "; " + remedy
}

// notRecords are bodies of JSON that hold something else than objects.
func notRecords() []Case {
	one := func(body, kind string) Case {
		return Case{Name: body, Body: body, Status: 400, Answer: invalid("", kind)}
	}
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	all := Case{
		Name:   "one of each in an array",
		Body:   array("null", "[]", `"{}"`, "1", "true", deep),
		Status: 400,
		Answer: invalidBatch(
			rejected(0, "", notRecord("null")),
			rejected(1, "", notRecord("an array")),
			rejected(2, "", notRecord("a string")),
			rejected(3, "", notRecord("a number")),
			rejected(4, "", "must be a JSON object, not a boolean; send the record itself"),
			rejected(5, "", notRecord("an array")),
		),
	}
	return []Case{
		one("null", notRecord("null")),
		one(`"{}"`, notRecord("a string")),
		one(`" [{\"project\":1}]"`, notRecord("a string")),
		one(`""`, "must be a JSON object, not a string; send the record itself"),
		one("-1.5e3", notRecord("a number")),
		one("false", "must be a JSON object, not a boolean; false is what PHP's json_encode returns when it fails: json_last_error_msg() says why"),
		all,
	}
}
