package contracttest

import (
	"fmt"
	"strings"
)

// What the answers to bodies that are not JSON say, beside the offset.
const (
	notThere    = "what stands there is not JSON; " + useEncoder
	notBegun    = "JSON begins with { or [, and this does not; " + useEncoder
	useEncoder  = "build it with a JSON encoder: json_encode in PHP, json.dumps in Python, jq in a shell"
	empty       = "the body is empty; PHP's json_encode returns false for what it cannot encode (NAN, text that is not UTF-8), and json_last_error_msg() says why"
	endsEarly   = "the text ends early; send all of it (over HTTP count its Content-Length in bytes: strlen, not mb_strlen)"
	lineEnds    = "the line ends early; NDJSON has a whole object in each line, and one that goes over several is sent as application/json"
	lastComma   = "a comma stands before the closing bracket; leave it out"
	notUTF8     = "the text is not UTF-8 there, or ends inside of a character; encode it as UTF-8 (PHP: mb_convert_encoding, or the flag JSON_INVALID_UTF8_SUBSTITUTE)"
	severals    = "several values stand behind each other; send them as application/x-ndjson, an object a line, or in an array"
	something   = "something stands behind the JSON; send the JSON alone"
	oneLine     = "several values stand in one line; put a line end between them (curl -d takes them out, --data-binary keeps them)"
	nulBehind   = "a NUL byte stands behind the JSON; leave it out"
	noWord      = "a text needs double quotes; " + useEncoder
	noName      = "a name needs double quotes; " + useEncoder
	lowerCase   = "JSON's words are true, false and null, in lower case"
	noNothing   = "JSON's word for nothing is null; " + useEncoder
	missing     = "a comma or a colon is missing before it"
	noValue     = "a value is missing behind the colon, as when a shell's variable is empty; null when it is not known"
	badNumber   = "a number begins with a digit or -, and not with +, a point or more zeros; hexadecimal ones are none of JSON's"
	rawLineEnd  = `a line end or a tab stands in a string as it is; write it as \n, \r or \t: ` + useEncoder
	control     = `a control character stands there; write it as \u and four hexadecimal digits: ` + useEncoder
	backslash   = `a backslash stands before what is no escape; a backslash itself is written \\: ` + useEncoder
	singles     = "single quotes are not JSON's, they are Python's or JavaScript's; " + useEncoder
	noComments  = "a comment stands there; JSON has none"
	isForm      = "it is a form; send the JSON alone as the body (curl: --data-binary, and neither -F nor --data-urlencode)"
	isHTML      = "it begins as HTML or XML, which is how PHP prints a warning; switch display_errors off, and send what json_encode returns alone"
	isWarning   = "it begins with a message of PHP's; switch display_errors off, and send what json_encode returns alone"
	isPrinted   = "it begins as what PHP prints, not as JSON; send what json_encode returns, without var_export, print_r or serialize"
	isFile      = "it is a file's name; curl reads the file after --data-binary @file, not after --data-raw, and in PHP file_get_contents() does"
	isGzip      = "it is gzip; send the header Content-Encoding: gzip, and compress once"
	isZstd      = "it is zstd; send the header Content-Encoding: zstd, and compress once"
	isZlib      = "it is zlib (deflate), as PHP's gzcompress makes it; use gzencode, and send the header Content-Encoding: gzip"
	isBinary    = "it is binary: compressed (brotli, bare deflate), or MessagePack, or CBOR; send JSON, and compress it with gzip or zstd, with its Content-Encoding"
	isUTF16     = "it is UTF-16; send UTF-8"
	isUTF16or32 = "it is UTF-16 or UTF-32; send UTF-8"
	shortEscape = `\u takes four hexadecimal digits; ` + useEncoder
	isDate      = "a date stands there, without quotes; send Unix seconds, such as 1763843023.96: microtime(true) in PHP, time.time() in Python, date +%s in a shell, extract(epoch FROM now()) in Postgres"
	isLog       = "it begins as a line of a log; send the JSON alone"
	isBytea     = "it is a bytea as Postgres prints it, bytes in hexadecimal; send the text (convert_from(…, 'UTF8'))"
	isCopyNull  = `it is \N, as COPY writes NULL; send the JSON of a row that has one`
	hexGzip     = "it is gzip in hexadecimal; send the bytes of gzip (over HTTP with the header Content-Encoding: gzip)"
	hexJSON     = "it is hexadecimal; send the JSON itself"
	noPoint     = "a digit must stand behind a number's point; write 5.0 or 5"
	noExponent  = "a digit must stand behind a number's e; " + useEncoder
	digitsAlone = "a number holds digits alone, and neither _ nor a unit or type behind it (1n, 10ms); leave it out"
	commaAlone  = "a comma stands there with nothing before it; leave it out"
	htmlEscaped = "the text is escaped for HTML (&quot;), as htmlspecialchars does it; send what json_encode returns"
	rubyHash    = "a name stands behind its colon, as in a hash of Ruby's; send what to_json returns"
	quoteInside = `a text ends before it: a quote inside of a text is written \": ` + useEncoder
	isSequence  = "it is a JSON text sequence (RFC 7464); leave the record separators (0x1e) out, and send application/x-ndjson"
)

// invalidJSON is the answer to a body that is not JSON.
func invalidJSON(offset int, message string) string {
	return fmt.Sprintf(`{"error":"Invalid JSON","offset":%d,"message":%s}`, offset, quote(message))
}

func notJSON() []Case {
	// Not of the run's project, key or time: the offset must stay.
	good := php("project", `"shop"`, "correlation_id", `"d37cc455-87f5-457f-b02d-86776b296414"`, "timestamp", "1")
	of := func(name, body string, offset int, message string) Case {
		return Case{Name: name, Header: map[string]string{"Content-Type": "application/json"}, Body: body, Status: 400, Answer: invalidJSON(offset, message)}
	}
	with := func(c Case, encode func([]byte) []byte) Case {
		c.Encode = encode
		return c
	}
	return []Case{
		of("nothing", "", 0, empty),
		of("blanks", " \r\n\t", 4, empty),
		of("a byte order mark alone", "\ufeff", 3, empty),
		{Name: "a byte order mark", Body: "\ufeff" + php(), Status: 200, Answer: accepted(1)},
		of("two byte order marks", "\ufeff\ufeff{}", 3, "a byte order mark stands inside of the text; leave it out"),
		of("UTF-16", "\xff\xfe{\x00}\x00", 0, isUTF16or32),
		of("UTF-16, the other way round", "\xfe\xff\x00{\x00}", 0, isUTF16),
		of("UTF-16 without its mark", "{\x00}\x00", 1, isUTF16or32),
		of("UTF-16 without its mark, the other way round", "\x00{\x00}", 0, isUTF16),
		with(of("gzip without its header", good, 0, isGzip), gzipped),
		with(of("zstd without its header", good, 0, isZstd), zstandard),
		with(of("zlib without its header", good, 0, isZlib), zlibbed),
		of("bzip2", "BZh91AY&SY", 0, "it is bzip2; send gzip or zstd, with its Content-Encoding"),
		of("brotli", "\x1b\x0e\x00\xf8\x8d\x94", 0, isBinary),
		of("MessagePack", "\x86\xa7project", 0, isBinary),
		of("gzip in base64", "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==", 0, "it is gzip in base64; send the bytes of gzip (over HTTP with the header Content-Encoding: gzip)"),
		of("base64", "eyJwcm9qZWN0Ijoic2hvcCJ9", 0, "it is base64; send the JSON itself"),
		of("an object that ends early", `{"project"`, 10, endsEarly),
		of("a string that ends early", `{"project":"sh`, 14, endsEarly),
		of("an array that ends early", `[{}`, 3, endsEarly),
		of("an array that ends in its comma", `[{},`, 4, endsEarly),
		of("10,000 brackets that open", strings.Repeat("[", 10_000), 10_000, endsEarly),
		of("a comma behind the last member", `{"a":1,}`, 7, lastComma),
		of("a comma behind the last record", `[{},]`, 4, lastComma),
		of("no comma between two records", `[{} {}]`, 4, missing),
		of("no colon", `{"timestamp" 1}`, 13, missing),
		of("no colon before a word", `{"a" true}`, 5, missing),
		of("no comma between two numbers", `[1 -2]`, 3, missing),
		of("no value", `{"timestamp":,"a":1}`, 13, noValue),
		of("no value at the end", `{"timestamp": }`, 14, noValue),
		of("a variable of the shell", `{"timestamp":$(date +%s)}`, 13, "a shell's variable stands there unexpanded: single quotes keep it so; "+useEncoder),
		of("the wrong bracket", `{"a":[1}`, 7, notThere),
		of("something behind the object", `{} x`, 3, something),
		of("a bracket too many", `[{}]]`, 4, "a ] too many stands behind the JSON; leave it out"),
		of("a brace too many", `{}}`, 2, "a } too many stands behind the JSON; leave it out"),
		of("a semicolon behind the object", "{};\n", 2, "a ; too many stands behind the JSON; leave it out"),
		of("the end of a file of DOS", "{}\r\n\x1a", 4, "a control character (0x1a) stands behind the JSON; leave it out"),
		of("lines without their Content-Type", "{}\n{}", 3, severals),
		of("arrays behind each other", "[]\n[]", 3, severals),
		of("a comma behind the object", "{},{}", 2, "a comma stands behind the object; put several into an array, or send them as application/x-ndjson, an object a line"),
		of("a JSON text sequence", "\x1e{}\n\x1e{}\n", 0, isSequence),
		of("a NUL behind the object", "{}\x00", 2, nulBehind),
		of("a warning behind the object", "{}\n<br />\n<b>Warning</b>", 3, something),
		of("single quotes", `{'a':1}`, 1, singles),
		of("Python's list", `[{'a': None}]`, 2, singles),
		of("typographic quotes", `{“a”:1}`, 1, `a typographic quote stands there; use "`),
		of("a no-break space", "{\u00a0\"a\":1}", 1, "a no-break space stands there; use a space"),
		of("quotes behind backslashes", `{\"a\":1}`, 1, "a quote stands behind a backslash; encode once, and let the shell's quotes be single ones"),
		of("quotes of a shell", `'{"a":1}'`, 0, "the JSON stands in single quotes; leave them out"),
		of("words", "hello world", 0, notBegun),
		of("YAML", "project: shop\n", 0, notBegun),
		of("a line of a log", "2026-11-28 05:18:24 UTC LOG:  duration: 1 ms", 4, notBegun),
		of("a line of PHP's log", "[28-Nov-2026 05:18:24 UTC] PHP Warning:  Undefined variable $a", 3, isLog),
		of("a line of Monolog's log", "[2026-11-28T05:18:24+00:00] app.INFO: {}", 5, isLog),
		of("a chunk's length", "5\r\nhello", 3, notBegun),
		of("a word and more", "null {}", 5, notBegun),
		of("gzip in hexadecimal", "1f8b0800000000000003", 1, hexGzip),
		of("zstd in hexadecimal", "28b52ffd", 2, "it is zstd in hexadecimal; send the bytes of zstd (over HTTP with the header Content-Encoding: zstd)"),
		of("JSON in hexadecimal", "7b2270", 1, hexJSON),
		of("a bytea of Postgres", `\x7b2270726f6a656374`, 0, isBytea),
		of("NULL of COPY", "\\N\n", 0, isCopyNull),
		of("NULL of COPY in a row", "\\N\tshop", 0, isCopyNull),
		of("var_export of a class that begins with N", `\Namespace\A::__set_state(array())`, 0, isPrinted),
		of("a date", `{"timestamp":2026-11-28}`, 17, isDate),
		of("a time", `{"timestamp":2026-11-28T06:00:00Z}`, 17, isDate),
		of("a time behind a blank", `{"timestamp": 2026-11-28 06:00:00}`, 18, isDate),
		of("a date with slashes", `{"timestamp":2026/11/28}`, 17, isDate),
		of("a date with points", `{"timestamp":28.11.2026}`, 18, isDate),
		of("a time without dashes", `{"timestamp":20261128T060000Z}`, 21, isDate),
		of("the time zero", `{"timestamp":0001-01-01T00:00:00Z}`, 14, isDate),
		of("a time of day", `{"timestamp":06:00:00}`, 14, isDate),
		of("a name without quotes", `{a:1}`, 1, noName),
		of("a text without quotes", `{"a":shop}`, 5, noWord),
		of("a comment", `{/* */}`, 1, noComments),
		of("a comment of a shell", "{\n# a\n}", 2, noComments),
		of("a form", "project=shop", 0, isForm),
		of("JSON in a form", "json=%7B%22project%22%3A1%7D", 0, isForm),
		of("JSON under %", "%7B%22project%22%3A1%7D", 0, isForm),
		of("fields of a form", "timestamp=1&project[0]=shop", 1, isForm),
		of("multipart", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n--x--\r\n", 1, isForm),
		of("a file's name", "@record.json", 0, isFile),
		of("PHP's warning as HTML", "<br />\n<b>Warning</b>:  Undefined variable\n{}", 0, isHTML),
		of("PHP's warning", "\nWarning: Undefined variable $a in /srv/a.php on line 3\n{}", 1, isWarning),
		of("PHP's warning in its log", "PHP Warning:  Undefined variable $a", 0, isWarning),
		of("var_export", "array (\n  'project' => 'shop',\n)", 0, isPrinted),
		of("var_export of an object", `\stdClass::__set_state(array())`, 0, isPrinted),
		of("print_r", "Array\n(\n    [project] => shop\n)", 0, isPrinted),
		of("var_dump", "object(stdClass)#1 (1) {}", 0, isPrinted),
		of("serialize", `a:1:{s:7:"project";s:4:"shop";}`, 0, isPrinted),
		of("an array of PHP", `["project" => "shop"]`, 11, "JSON has a colon between name and value; "+useEncoder),
		of("an object of JavaScript", "[object Object]", 1, "it is what JavaScript makes of an object as text; send what JSON.stringify returns"),
		of("JSONP", "callback({})", 0, "it is a call, as JSONP has it; send the JSON alone"),
		of("psql's heading", " row_to_json \n-------------\n {}\n(1 row)\n", 1, "it begins with a heading, as psql prints it; use psql -At"),
		of("NaN", `{"timestamp":NaN}`, 13, "JSON has no NaN; send null"),
		of("nan", `{"timestamp":nan}`, 14, "JSON has no NaN; send null"),
		of("-Infinity", `{"timestamp":-Infinity}`, 14, "JSON has no infinity; send null"),
		of("INF", `{"timestamp":INF}`, 13, "JSON has no infinity; send null"),
		of("True", `{"a":True}`, 5, lowerCase),
		of("NULL", `{"a":NULL}`, 5, lowerCase),
		of("None", `{"a":None}`, 5, noNothing),
		of("undefined", `{"a":undefined}`, 5, noNothing),
		of("a word that ends early", `{"a":tru}`, 8, notThere),
		of("a zero in front", `{"a":01}`, 6, badNumber),
		of("a plus in front", `{"a":+1}`, 5, badNumber),
		of("no digit before the point", `{"a":.5}`, 5, badNumber),
		of("no digit behind the point", `{"a":5.}`, 7, noPoint),
		of("no digit between point and exponent", `{"a":1.e5}`, 7, noPoint),
		of("no digit in the exponent", `{"a":1e}`, 7, noExponent),
		of("no digit behind the exponent's sign", `{"a":1e+}`, 8, noExponent),
		of("digits in groups", `{"a":1_000}`, 6, digitsAlone),
		of("a BigInt of JavaScript", `{"a":1n}`, 6, digitsAlone),
		of("a unit", `{"a":17.8ms}`, 9, digitsAlone),
		of("an address", `{"a":10.0.0.1}`, 9, badNumber),
		of("two commas", `{"a":1,,"b":2}`, 7, commaAlone),
		of("two commas between records", `[{},,{}]`, 4, commaAlone),
		of("a comma in front", `[,{}]`, 1, commaAlone),
		of("HTML's quotes", `{&quot;a&quot;:1}`, 1, htmlEscaped),
		of("a hash of Ruby", `{:a=>1}`, 1, rubyHash),
		of("a quote in a text", `{"a":"say "hello""}`, 11, quoteInside),
		of("a hexadecimal number", `{"a":0x10}`, 6, badNumber),
		of("a decimal comma", `{"a":12,5}`, 8, "a name in double quotes must stand there; a number's decimal point is a point, whatever the locale says"),
		of("a tab in a string", "{\"a\":\"\t\"}", 6, rawLineEnd),
		of("a line end in a string", "{\"a\":\"\n\"}", 6, rawLineEnd),
		of("a NUL in a string", "{\"a\":\"\x00\"}", 6, control),
		of("an unknown escape", `{"a":"\x41"}`, 7, backslash),
		of("a class of PHP", `{"a":"Shop\Catalog"}`, 11, backslash),
		of("an escape that ends early", `{"a":"\u12"}`, 10, shortEscape),
		of("an escape with braces", `{"a":"\u{1f600}"}`, 8, shortEscape),
		of("Latin-1", "{\"a\":\"caf\xe9\"}", 9, notUTF8),
		of("half a character", "{\"a\":\"\xc3\"}", 6, notUTF8),
		of("a slash in two bytes", "{\"a\":\"\xc0\xaf\"}", 6, notUTF8),
		of("half a surrogate pair in three bytes", "{\"a\":\"\xed\xa0\x80\"}", 6, notUTF8),
		of("a character beyond U+10FFFF", "{\"a\":\"\xf4\x90\x80\x80\"}", 6, notUTF8),
		of("cut inside of a character", "{\"a\":\"\xc3", 6, notUTF8),
		of("bytes that are not UTF-8 behind an earlier error", "{\"a\" \"\xff\"}", 5, missing),
		of("a good record before the error", array(good, "{"), len("["+good+",{"), notThere),
	}
}
