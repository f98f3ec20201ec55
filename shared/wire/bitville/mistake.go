package bitville

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
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
	endsEarly  = "the text ends early; send all of it (over HTTP count its Content-Length in bytes: strlen, not mb_strlen)"
	lineEnds   = "the line ends early; NDJSON has a whole object in each line, and one that goes over several is sent as application/json"
)

// mistake says what a text looks like that stops being JSON at a byte, and what to send in its place.
func mistake(b []byte, at int, where place, contentType string) string {
	start := skipSpace(b, skipBOM(b))
	rest := b[start:min(len(b), start+512)]
	switch {
	case len(rest) == 0:
		return emptyBody
	case where == behind && isOpening(b[start]):
		return mistakeBehind(b, at, contentType)
	case at-start <= 5 || where == behind:
		if hint := beginning(rest); hint != "" {
			return hint
		}
	}
	if where == behind {
		return notBegun // a number or a word, as a line of a log or a chunk's length begins
	}
	if at >= len(b) {
		if contentType == NDJSON {
			return lineEnds
		}
		return endsEarly
	}
	return mistakeInside(b, at, start)
}

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
	case c < ' ':
		return fmt.Sprintf("a control character (0x%02x) stands behind the JSON; leave it out", c)
	case strings.IndexByte("}];)'`", c) >= 0:
		return fmt.Sprintf("a %c too many stands behind the JSON; leave it out", c)
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
	case shortEscape.Match(b[max(start, at-5):at]):
		return `\u takes four hexadecimal digits; ` + useEncoder
	case isDate(b, at, start):
		return "a date stands there, without quotes; send Unix seconds, such as " + now
	case c == '\'' && at == start:
		return "the JSON stands in single quotes; leave them out"
	case c == '\'' && b[at-1] != '\\':
		return "single quotes are not JSON's, they are Python's or JavaScript's; " + useEncoder
	case c == '\\':
		return "a quote stands behind a backslash; encode once, and let the shell's quotes be single ones"
	case at > 0 && b[at-1] == '\\':
		return `a backslash stands before what is no escape; a backslash itself is written \\: ` + useEncoder
	case at > start && b[at-1] == '.':
		return "a digit must stand behind a number's point; write 5.0 or 5"
	case at > start+1 && isDigit(b[at-2]) && b[at-1]|0x20 == 'e', at > start+2 && isDigit(b[at-3]) && b[at-2]|0x20 == 'e' && (b[at-1] == '+' || b[at-1] == '-'):
		return "a digit must stand behind a number's e; " + useEncoder
	case c == ',' && (last == ',' || last == '[' || last == '{'):
		return "a comma stands there with nothing before it; leave it out"
	case c == '&':
		return "the text is escaped for HTML (&quot;), as htmlspecialchars does it; send what json_encode returns"
	case c == ':' && last == '{':
		return "a name stands behind its colon, as in a hash of Ruby's; send what to_json returns"
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
	case (isLetter(c) || c == '_') && isDigit(b[max(start, at-1)]):
		return "a number holds digits alone, and neither _ nor a unit or type behind it (1n, 10ms); leave it out"
	case isLetter(c) && b[max(start, at-1)] == '"':
		return `a text ends before it: a quote inside of a text is written \": ` + useEncoder
	case (isDigit(c) || c == '-' || isOpening(c) || isLetter(c) && last == '"') && last != 0 && last != '{' && last != ',' && last != '[' && last != ':':
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

// shortEscape is the end of a text that stops inside of the escape of a character.
var shortEscape = regexp.MustCompile(`\\u[0-9A-Fa-f]{0,3}$`)

// date is a date or a time of day at the beginning of a text.
var date = regexp.MustCompile(`^([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}|[0-9]{4}-[0-9]{2}\b|[0-9]{8}T[0-9]|[0-9]{1,2}:[0-9]{2})`)

// isDate tells whether the number that stops at a byte is one of a date's.
func isDate(b []byte, at, start int) bool {
	from := at
	for from > start && at-from < 16 && (isDigit(b[from-1]) || b[from-1] == '.') {
		from--
	}
	return from < at && date.Match(b[from:min(len(b), from+16)])
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
