package contracttest

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	maxWire         = 4 << 20 // bytes of a body as it is sent
	maxDecompressed = 32 << 20
	maxRecord       = 4 << 20 // bytes of a record's JSON
	maxRecords      = 5000
)

func limits() []Case {
	const (
		overWire    = "The body is over 4194304 bytes; send fewer records at a time, or compress it"
		overPlain   = "The body is over 33554432 bytes when decompressed; send fewer records at a time"
		overRecords = "The body holds more than 5000 records; send fewer at a time"
	)
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	of := func(name, body string, encode func([]byte) []byte, status int, answer string) Case {
		return Case{Name: name, Body: body, Encode: encode, Status: status, Answer: answer}
	}
	refused := func(name, body string, encode func([]byte) []byte, why string) Case {
		return of(name, body, encode, 413, failure(why))
	}
	under := func(encoding string, c Case) Case {
		c.Header = map[string]string{"Content-Encoding": encoding}
		return c
	}
	with := func(header map[string]string, c Case) Case {
		c.Header = header
		return c
	}
	chunked := func(c Case) Case {
		c.Chunked = true
		return c
	}
	but := func(reason string, status int, header map[string]string) Case {
		return with(header, of("over 4 MiB, but "+reason, php(), padded(maxWire+1), status, ""))
	}
	tooLong := func(bytes int) string {
		return fmt.Sprintf("is %d bytes long; a record holds at most 4194304: leave out part of profiling_data", bytes)
	}
	allBad := strings.TrimSuffix(strings.Repeat("{},", maxRecords+1), ",")
	return []Case{
		of("4 MiB on the wire", php(), padded(maxWire), 200, accepted(1)),
		refused("over 4 MiB", php(), padded(maxWire+1), overWire),
		chunked(of("4 MiB in chunks", php(), padded(maxWire), 200, accepted(1))),
		chunked(refused("over 4 MiB in chunks", php(), padded(maxWire+1), overWire)),
		refused("over 4 MiB that are not JSON", "{]", padded(maxWire+1), overWire),
		refused("twice 4 MiB", php(), padded(2*maxWire), overWire),
		refused("over 4 MiB of statements", postgres(), padded(maxWire+1), overWire).to(postgresRoute),
		but("no key", 401, noKey),
		but("of an unknown type", 415, map[string]string{"Content-Type": "text/plain"}),
		but("of an unknown encoding", 415, map[string]string{"Content-Encoding": "br"}),

		under("gzip", of("32 MiB under gzip", php(), decompressing(gzipped, maxDecompressed), 200, accepted(1))),
		under("gzip", refused("over 32 MiB under gzip", php(), decompressing(gzipped, maxDecompressed+1), overPlain)),
		under("zstd", of("32 MiB under zstd", php(), decompressing(zstandard, maxDecompressed), 200, accepted(1))),
		under("zstd", refused("over 32 MiB under zstd", php(), decompressing(zstandard, maxDecompressed+1), overPlain)),
		under("gzip", refused("a gzip bomb", "", bomb(gzipped), overPlain)),
		under("zstd", refused("a zstd bomb", "", bomb(zstandard), overPlain)),

		with(ndjson, of("5,000 records", strings.Repeat(php()+"\n", maxRecords), nil, 200, accepted(maxRecords))),
		of("5,000 records with six problems each", array(strings.TrimSuffix(strings.Repeat("{},", maxRecords), ",")), nil, 400, invalidBatch(sixEach(maxRecords)...)),
		refused("5,001 records", array(allBad), nil, overRecords),
		with(ndjson, refused("5,001 lines", strings.Repeat(php()+"\n", maxRecords+1), nil, overRecords)),
		with(ndjson, refused("5,001 bad lines", strings.Repeat("{\n", maxRecords+1), nil, overRecords)),
		with(ndjson, of("5,001 lines, one of them blank", strings.Repeat("0\n", maxRecords-1)+"\n"+php(), nil, 200, "")),

		under("gzip", of("a record of 4 MiB", php("trace", `""`), then(gzipped, grown(maxRecord)), 200, accepted(1))),
		under("gzip", of("a record over 4 MiB", php("trace", `""`), then(gzipped, grown(maxRecord+1)), 400,
			invalid("", tooLong(maxRecord+1)))),
		under("zstd", of("a record over 4 MiB among good ones", array(php(), php("trace", `""`), php()), then(zstandard, grown(maxRecord+1)), 200,
			stored(2, 0, rejected(1, "", "{any}; a record holds at most 4194304: leave out part of profiling_data")))),
		under("gzip", of("a profile over 4 MiB", postgres("profiling_data", `{"trace":""}`), then(gzipped, grown(maxRecord+1)), 400,
			invalid("", tooLong(maxRecord+1)))).to(postgresRoute),
	}
}

// sixEach is what is wrong with so many empty records: 500 problems are told, and then the first path of each record.
func sixEach(records int) (all []string) {
	for i := range records {
		if i < 500/6 {
			all = append(all, rejected(i, nothingThere("request_uri")...))
		} else {
			all = append(all, rejected(i, "project", "is wrong"))
		}
	}
	return all
}

// to returns the case for another route.
func (c Case) to(route string) Case {
	c.Route = route
	return c
}

// padded adds blanks to a body until it has the given length.
func padded(length int) func([]byte) []byte {
	return func(body []byte) []byte {
		return append(body, bytes.Repeat([]byte(" "), length-len(body))...)
	}
}

// grown makes the empty text of the member trace so long that the body has the given length, or, when it is
// one record of several, a little more than that.
func grown(length int) func([]byte) []byte {
	return func(body []byte) []byte {
		member := []byte(`"trace":"`)
		missing := length - len(body)
		if body[0] == '[' {
			missing = length
		}
		return bytes.Replace(body, member, append(member, bytes.Repeat([]byte("x"), missing)...), 1)
	}
}

// decompressing makes a body of one encoding that has the given length when it is decompressed, most of it
// blanks. It is not one stream, which would take long to make, but many: both formats allow that.
func decompressing(encode func([]byte) []byte, length int) func([]byte) []byte {
	return func(body []byte) []byte {
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		missing := length - len(body)
		out := encode(append(body, blanks[:missing%len(blanks)]...))
		return append(out, bytes.Repeat(encode(blanks), missing/len(blanks))...)
	}
}

// bomb makes a body that fits the wire and is many times the limit when it is decompressed.
func bomb(encode func([]byte) []byte) func([]byte) []byte {
	part := len(encode(make([]byte, 1<<20)))
	return decompressing(encode, maxWire/part*9/10<<20)
}

func then(encode, first func([]byte) []byte) func([]byte) []byte {
	return func(body []byte) []byte { return encode(first(body)) }
}
