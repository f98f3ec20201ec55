package bitville

import (
	"bytes"
	"strings"

	"github.com/bitville/listener/shared/compression"
)

// What agents send first is often no JSON yet. An offset alone teaches nothing, so a refusal also says what the text looks
// like and what to send. It repeats nothing of the text, which may hold secrets, and looks at a few bytes of it alone.

// place is where a text stops being JSON.
type place int

const (
	inside place = iota
	behind       // a value that is complete
)

const (
	notThere   = "what stands there is not JSON; " + useEncoder
	notBegun   = "JSON begins with { or [, and this does not; " + useEncoder
	useEncoder = "build it with a JSON encoder: json_encode in PHP, json.dumps in Python, jq in a shell"
	emptyBody  = "the body is empty; PHP's json_encode returns false for what it cannot encode (NAN, text that is not UTF-8), and json_last_error_msg() says why"
	endsEarly  = "the text ends early; send all of it, and count its Content-Length in bytes (strlen, not mb_strlen)"
	lineEnds   = "the line ends early; NDJSON has a whole object in each line, and one that goes over several is sent as application/json"
	printed    = "it begins as what PHP prints, not as JSON; send what json_encode returns, without var_export, print_r or serialize"
	warned     = "it begins with a message of PHP's; switch display_errors off, and send what json_encode returns alone"
	formed     = "it is a form; send the JSON alone as the body (curl: --data-binary, and neither -F nor --data-urlencode)"
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
	{"H4sI", "it is gzip in base64; send the bytes of gzip, with the header Content-Encoding: gzip"},
	{"KLUv", "it is zstd in base64; send the bytes of zstd, with the header Content-Encoding: zstd"},
	{"data:", "it is an event stream; send the JSON alone"},
	{"HTTP/", "it begins with an HTTP header; send the JSON alone"},
	{"POST ", "it begins with an HTTP header; send the JSON alone"},
}

// mistake says what a text looks like that stops being JSON at a byte, and what to send in its place.
func mistake(b []byte, at int, where place, contentType string) string {
	start := skipSpace(b, skipBOM(b))
	rest := b[start:min(len(b), start+512)]
	switch {
	case len(rest) == 0:
		return emptyBody
	case where == behind:
		return mistakeBehind(b, at, contentType)
	case at-start <= 4:
		if hint := beginning(rest); hint != "" {
			return hint
		}
	}
	if at >= len(b) {
		if contentType == NDJSON {
			return lineEnds
		}
		return endsEarly
	}
	return mistakeInside(b, at, start)
}

func beginning(b []byte) string {
	if name := compression.Name(b); name != "" {
		return compression.Remedy(name)
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

// mistakeBehind is about what follows a value that is complete.
func mistakeBehind(b []byte, at int, contentType string) string {
	switch c := b[at]; {
	case c == 0:
		return "a NUL byte stands behind the JSON; leave it out"
	case c == ',' && contentType == NDJSON:
		return "a comma stands behind the object; NDJSON has none, and an array is sent as application/json"
	case c == ',':
		return "a comma stands behind the object; put several into an array, or send them as application/x-ndjson, an object a line"
	case isOpening(c) && contentType == NDJSON:
		return "several values stand in one line; put a line end between them (curl -d takes them out, --data-binary keeps them)"
	case isOpening(c):
		return "several values stand behind each other; send them as application/x-ndjson, an object a line, or in an array"
	case c == 0x1e:
		return beginning(b[at:])
	}
	return "something stands behind the JSON; send the JSON alone"
}

// words are those that other languages have where JSON has its own.
var words = map[string]string{
	"true": "JSON's words are true, false and null, in lower case", "false": "JSON's words are true, false and null, in lower case",
	"null": "JSON's words are true, false and null, in lower case",
	"none": "JSON's word for nothing is null; " + useEncoder, "nil": "JSON's word for nothing is null; " + useEncoder, "undefined": "JSON's word for nothing is null; " + useEncoder,
	"nan": "JSON has no NaN; send null", "inf": "JSON has no infinity; send null", "infinity": "JSON has no infinity; send null",
}

// mistakeInside is about the byte at an offset that is inside of the text.
func mistakeInside(b []byte, at, start int) string {
	c, last := b[at], byte(0) // last is what stands before c, but for white space
	for i := at - 1; i >= start && last == 0; i-- {
		if b[i] != ' ' && b[i] != '\n' && b[i] != '\r' && b[i] != '\t' {
			last = b[i]
		}
	}
	has := func(prefix string) bool { return bytes.HasPrefix(b[at:], []byte(prefix)) }
	switch {
	case c == '\n' || c == '\r' || c == '\t':
		return `a line end or a tab stands in a string as it is; write it as \n, \r or \t: ` + useEncoder
	case c < ' ':
		return `a control character stands there; write it as \u and four hexadecimal digits: ` + useEncoder
	case has("\ufeff"):
		return "a byte order mark stands inside of the text; leave it out"
	case has("\u201c"), has("\u201d"), has("\u2018"), has("\u2019"):
		return `a typographic quote stands there; use "`
	case has("\u00a0"):
		return "a no-break space stands there; use a space"
	case c >= 0x80 && invalidUTF8(b[at:min(len(b), at+4)]) == 0:
		return "the text is not UTF-8 there, or ends inside of a character; encode it as UTF-8 (PHP: mb_convert_encoding, or the flag JSON_INVALID_UTF8_SUBSTITUTE)"
	case c == '\'' && at == start:
		return "the JSON stands in single quotes; leave them out"
	case c == '\'' && b[at-1] != '\\':
		return "single quotes are not JSON's, they are Python's or JavaScript's; " + useEncoder
	case c == '\\':
		return "a quote stands behind a backslash; encode once, and let the shell's quotes be single ones"
	case at > 0 && b[at-1] == '\\':
		return `a backslash stands before what is no escape; a backslash itself is written \\: ` + useEncoder
	case (c == '}' || c == ']') && last == ',':
		return "a comma stands before the closing bracket; leave it out"
	case (c == ',' || c == '}') && last == ':':
		return "a value is missing behind the colon, as when a shell's variable is empty; null when it is not known"
	case c == '$':
		return "a shell's variable stands there unexpanded: single quotes keep it so; " + useEncoder
	case c == '/' || c == '#':
		return "a comment stands there; JSON has none"
	case c == '=':
		return "JSON has a colon between name and value; " + useEncoder
	case c == ';':
		return "a semicolon stands there; JSON has none"
	case c == '+' || c == '.' || isDigit(c) && last == '0' || (c == 'x' || c == 'X') && last == '0':
		return "a number begins with a digit or -, and not with +, a point or more zeros; hexadecimal ones are none of JSON's"
	case isDigit(c) && last == ',':
		return "a name in double quotes must stand there; a number's decimal point is a point, whatever the locale says"
	case (c == '"' || isOpening(c)) && last != '{' && last != ',' && last != '[' && last != ':':
		return "a comma or a colon is missing before it"
	}
	if !isLetter(c) && c != '_' {
		return unknown(at, start)
	}
	from, to := at, at
	for from > start && isLetter(b[from-1]) && at-from < 16 {
		from--
	}
	for to < len(b) && isLetter(b[to]) && to-at < 16 {
		to++
	}
	if hint, ok := words[strings.ToLower(string(b[from:to]))]; ok {
		return hint
	}
	if last == '{' || last == ',' {
		return "a name needs double quotes; " + useEncoder
	}
	if last == ':' || last == '[' {
		return "a text needs double quotes; " + useEncoder
	}
	return unknown(at, start)
}

func unknown(at, start int) string {
	if at == start {
		return notBegun
	}
	return notThere
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// skipBOM passes over a byte order mark in front, which RFC 8259 lets a parser ignore (section 8.1).
func skipBOM(b []byte) int {
	if bytes.HasPrefix(b, []byte("\ufeff")) {
		return len("\ufeff")
	}
	return 0
}
