package bitville

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/bitville/listener/shared/compression"
)

const (
	printed = "it begins as what PHP prints, not as JSON; send what json_encode returns, without var_export, print_r or serialize"
	warned  = "it begins with a message of PHP's; switch display_errors off, and send what json_encode returns alone"
	formed  = "it is a form; send the JSON alone as the body (curl: --data-binary, and neither -F nor --data-urlencode)"
	hexGzip = "it is gzip in hexadecimal; send the bytes of gzip (over HTTP with the header Content-Encoding: gzip)"
	hexZstd = "it is zstd in hexadecimal; send the bytes of zstd (over HTTP with the header Content-Encoding: zstd)"
	hexJSON = "it is hexadecimal; send the JSON itself"
)

// beginnings are those of texts that are something else than JSON.
var beginnings = []struct{ prefix, hint string }{
	{"\xff\xfe", "it is UTF-16 or UTF-32; send UTF-8"},
	{"\xfe\xff", "it is UTF-16; send UTF-8"},
	{"{\x00", "it is UTF-16 or UTF-32; send UTF-8"},
	{"[\x00", "it is UTF-16 or UTF-32; send UTF-8"},
	{"\x00{", "it is UTF-16; send UTF-8"},
	{"\x00[", "it is UTF-16; send UTF-8"},
	{"\x00\x00", "it is binary, perhaps UTF-32; send UTF-8"},
	{"\x1e", "it is a JSON text sequence (RFC 7464); leave the record separators (0x1e) out, and send application/x-ndjson"},
	{"<", "it begins as HTML or XML, which is how PHP prints a warning; switch display_errors off, and send what json_encode returns alone"},
	{"PHP ", warned}, {"Warning: ", warned}, {"Notice: ", warned}, {"Deprecated: ", warned}, {"Fatal error: ", warned}, {"Parse error: ", warned},
	{"array", printed}, {"Array", printed}, {"(object)", printed}, {"(array)", printed}, {"stdClass", printed}, {`\`, printed},
	{"object(", printed}, {"a:", printed}, {"O:", printed}, {"s:", printed}, {"i:", printed}, {"d:", printed}, {"b:", printed}, {"N;", printed},
	{"@", "it is a file's name; curl reads the file after --data-binary @file, not after --data-raw, and in PHP file_get_contents() does"},
	{"%7B", formed}, {"%7b", formed}, {"%5B", formed}, {"%5b", formed},
	{"[object ", "it is what JavaScript makes of an object as text; send what JSON.stringify returns"},
	{"eyJ", "it is base64; send the JSON itself"},
	{"W3s", "it is base64; send the JSON itself"},
	{"H4sI", "it is gzip in base64; send the bytes of gzip (over HTTP with the header Content-Encoding: gzip)"},
	{"KLUv", "it is zstd in base64; send the bytes of zstd (over HTTP with the header Content-Encoding: zstd)"},
	{"1f8b", hexGzip}, {"1F8B", hexGzip}, {"28b52ffd", hexZstd}, {"28B52FFD", hexZstd}, {"7b", hexJSON}, {"7B", hexJSON}, {"5b7b", hexJSON}, {"5B7B", hexJSON},
	{"data:", "it is an event stream; send the JSON alone"},
	{"HTTP/", "it begins with an HTTP header; send the JSON alone"},
	{"POST ", "it begins with an HTTP header; send the JSON alone"},
}

// What begins with a backslash or a bracket, and is neither a class of PHP's nor an array.
var (
	byteaText = regexp.MustCompile(`^\\x[0-9A-Fa-f]{4}`)
	copyNull  = regexp.MustCompile(`^\\N\s*(\t|\n|$)`)
	logLine   = regexp.MustCompile(`^\[[0-9]{1,4}-([0-9]{2}|[A-Z][a-z]{2})-[0-9]{2}`)
)

// beginning says what a text is that begins like b, "" when that shows nothing.
func beginning(b []byte) string {
	if name := compression.Name(b); name != "" {
		return compression.Remedy(name)
	}
	switch {
	case byteaText.Match(b):
		return "it is a bytea as Postgres prints it, bytes in hexadecimal; send the text (convert_from(…, 'UTF8'))"
	case copyNull.Match(b):
		return `it is \N, as COPY writes NULL; send the JSON of a row that has one`
	case logLine.Match(b):
		return "it begins as a line of a log; send the JSON alone"
	}
	for _, s := range beginnings {
		if bytes.HasPrefix(b, []byte(s.prefix)) {
			return s.hint
		}
	}
	name := 0
	for name < len(b) && (isLetter(b[name]) || isDigit(b[name]) || strings.IndexByte("_.-[]%", b[name]) >= 0) {
		name++
	}
	switch {
	case bytes.HasPrefix(b, []byte("--")) && bytes.Contains(bytes.ToLower(b), []byte("content-disposition")):
		return formed
	case bytes.Contains(b, []byte("\n---")):
		return "it begins with a heading, as psql prints it; use psql -At"
	case name > 0 && name < len(b) && b[name] == '=' && isLetter(b[0]):
		return formed
	case name > 0 && name < len(b) && b[name] == '(' && isLetter(b[0]):
		return "it is a call, as JSONP has it; send the JSON alone"
	}
	for i, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c >= 0x80 && i == invalidUTF8(b[:min(len(b), 64)]) {
			if isOpening(b[0]) {
				return ""
			}
			return "it is binary: compressed (brotli, bare deflate), or MessagePack, or CBOR; send JSON, and compress it with gzip or zstd, with its Content-Encoding"
		}
	}
	return ""
}

func isOpening(c byte) bool { return c == '{' || c == '[' || c == '"' }
