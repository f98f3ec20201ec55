package contracttest

import "strings"

// rule is one value of a field, and what is wrong with it.
type rule struct {
	name    string
	value   string // JSON; empty for a record without the field
	message string // empty for a value that is taken
	beyond  bool   // JSON Schema cannot tell: see Case.BeyondSchema
}

// on makes a case of each rule: a record that is valid but for one field.
func on(route string, record func(changes ...string) string, field string, rules []rule) []Case {
	var cases []Case
	for _, r := range rules {
		c := Case{Name: r.name, Route: route, Body: record(field, r.value), Status: 200, Answer: accepted(1)}
		if r.message != "" {
			c.Status, c.Answer, c.BeyondSchema = 400, invalid(field, r.message), r.beyond
		}
		cases = append(cases, c)
	}
	return cases
}

// onBoth is for fields that both sources have.
func onBoth(field string, rules []rule) []Case {
	cases := on(phpRoute, php, field, rules)
	for _, c := range on(postgresRoute, postgres, field, rules) {
		c.Name += ", Postgres"
		cases = append(cases, c)
	}
	return cases
}

const halfPair = `holds half of a surrogate pair (\ud800 to \udfff), which is no character; send \ufffd for it`

func projectField() []Case {
	rules := []rule{
		{name: "the key's", value: `"{project}"`},
		{name: "in upper case", value: `"{project:upper}"`},
		{name: "with dashes", value: `"{project:dashes}"`},
		{name: "with dots", value: `"{project:dots}"`},
		{name: "left out", value: "", message: "is required"},
		{name: "null", value: "null", message: "must be a string, not null"},
		{name: "a number", value: "1", message: "must be a string, not a number; put it in quotes"},
		{name: "an array", value: `["{project}"]`, message: "must be a string, not an array"},
		{name: "empty", value: `""`, message: "is 0 characters long; 1 to 50: send the project that the key is for"},
		{name: "51 characters", value: quote(strings.Repeat("x", 51)), message: "is 51 characters long; 1 to 50: send the project that the key is for"},
		{name: "51 characters of two bytes", value: quote(strings.Repeat("ü", 51)), message: "is 51 characters long; 1 to 50: send the project that the key is for"},
		{name: "half a surrogate pair", value: `"\ud800"`, message: halfPair, beyond: true},
	}
	cases := onBoth("project", rules)
	for _, c := range []struct{ name, value string }{
		{"of another key", `"another-project"`},
		{"50 characters of two bytes", quote(strings.Repeat("ü", 50))},
		{"with a letter more", `"{project}x"`},
		{"with a blank", `"{project} "`},
		{"with a NUL", `"{project}\u0000"`},
		{"a look-alike", `"{project:look-alike}"`},
	} {
		cases = append(cases, foreign(c.name, 0, php("project", c.value)))
	}
	bad := php("timestamp", "0", "duration_ms", "")
	other := php("project", `"another-project"`)
	worse := php("project", `"another-project"`, "correlation_id", "1", "timestamp", "0")
	ndjson := foreign("in the second line", 1, php()+"\n"+other)
	ndjson.Header = map[string]string{"Content-Type": "application/x-ndjson"}
	query := foreign("of a statement", 0, postgres("project", `"another-project"`))
	query.Route = postgresRoute
	return append(cases, ndjson, query,
		foreign("of a bad record", 0, worse),
		foreign("behind a good record", 1, array(php(), other)),
		foreign("before a bad record", 0, array(other, bad)),
		foreign("behind a bad record", 2, array(bad, "null", other, php())),
	)
}

// foreign is refused because a record names another project than the key's.
func foreign(name string, index int, body string) Case {
	return Case{Name: "403, " + name, Body: body, Status: 403, Answer: failure(
		"The key is for project {project}, and record " + string(rune('0'+index)) + " names another; nothing was stored")}
}

const badID = "must be a UUID (d37cc455-87f5-457f-b02d-86776b296414, its dashes may be left out) or a trace id of 32 hexadecimal digits"

const (
	aroundID = "; send it without what stands around it"
	allZeros = "is all zeros, which stands for no id (the nil UUID of RFC 9562, no W3C trace id either); send the request's own, or make one"
	allOnes  = "is all ones, which stands for no id (the max UUID of RFC 9562); send the request's own, or make one"
)

var correlationIDRules = []rule{
	{name: "a UUID", value: `"{uuid}"`},
	{name: "a UUID in upper case", value: `"D37CC455-87F5-457F-B02D-86776B296414"`},
	{name: "a UUID without dashes", value: `"0b754875c279400dbe9055d899c33ce6"`},
	{name: "a UUID of another version", value: `"01932c07-209c-7b1e-8a5d-3f2d1c0b9a87"`},
	{name: "a trace id", value: `"4bf92f3577b34da6a3ce929d0e0e4736"`},
	{name: "a trace id in upper case", value: `"4BF92F3577B34DA6A3CE929D0E0E4737"`},
	{name: "with an escaped digit", value: `"\u0034885beed-83e7-4a5d-8f3d-285bfe828ecc"`},
	{name: "left out", value: "", message: "is required"},
	{name: "null", value: "null", message: "must be a string, not null"},
	{name: "a number", value: "42", message: "must be a string, not a number; put it in quotes"},
	{name: "empty", value: `""`, message: badID},
	{name: "31 digits", value: `"4bf92f3577b34da6a3ce929d0e0e473"`, message: badID},
	{name: "33 digits", value: `"4bf92f3577b34da6a3ce929d0e0e47361"`, message: badID},
	{name: "not hexadecimal", value: `"4bf92f3577b34da6a3ce929d0e0e473g"`, message: badID},
	{name: "full-width digits", value: `"４４４４４４４４４４"`, message: badID},
	{name: "braces", value: `"{d37cc455-87f5-457f-b02d-86776b296414}"`, message: badID + aroundID},
	{name: "urn:uuid:", value: `"urn:uuid:d37cc455-87f5-457f-b02d-86776b296414"`, message: badID + aroundID},
	{name: "blanks around", value: `" d37cc455-87f5-457f-b02d-86776b296414 "`, message: badID + aroundID},
	{name: "a UUID inside of 38 characters", value: `"xd37cc455-87f5-457f-b02d-86776b296414x"`, message: badID},
	{name: "a dash elsewhere", value: `"d37cc45-587f5-457f-b02d-86776b296414"`, message: badID},
	{name: "some dashes", value: `"d37cc455-87f5457fb02d86776b296414"`, message: badID},
	{name: "other dashes", value: `"d37cc455_87f5_457f_b02d_86776b296414"`, message: badID},
	{name: "a NUL at the end", value: `"4bf92f3577b34da6a3ce929d0e0e473\u0000"`, message: badID},
	{name: "a traceparent", value: `"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`, message: badID + "; it is a whole traceparent: send its second part"},
	{name: "a trace id with a span id", value: `"4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"`, message: badID + "; it is a trace id with more behind it: send its first part"},
	{name: "a span id", value: `"00f067aa0ba902b7"`, message: badID + "; it is a span id, or half a trace id: send the whole trace id"},
	{name: "the nil UUID", value: `"00000000-0000-0000-0000-000000000000"`, message: allZeros},
	{name: "a trace id of zeros", value: quote(strings.Repeat("0", 32)), message: allZeros},
	{name: "the max UUID", value: `"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"`, message: allOnes},
	{name: "the max UUID without dashes", value: quote(strings.Repeat("f", 32)), message: allOnes},
	{name: "half a trace id, filled up", value: `"000000000000000000f067aa0ba902b7"`},
	{name: "half a surrogate pair", value: `"\udc00"`, message: halfPair},
}

const (
	tooOld   = "is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"
	seconds  = "; send Unix seconds, such as 1763843023.96: microtime(true) in PHP, time.time() in Python, date +%s in a shell, extract(epoch FROM now()) in Postgres"
	tooNew   = "is more than an hour ahead of the listener's clock, which says {any}; set the sender's clock"
	tooLarge = "is too large a number"
)

var timestampRules = []rule{
	{name: "seconds", value: "{now}"},
	{name: "with a fraction", value: "{now}.959753"},
	{name: "with more than microseconds", value: "{now}.123456789012345"},
	{name: "with an exponent", value: "{now}00e-2"},
	{name: "nearly an hour ahead", value: "{now+3500}"},
	{name: "nearly a week old", value: "{now-604700}"},
	{name: "left out", value: "", message: "is required" + seconds},
	{name: "null", value: "null", message: "must be a number, not null" + seconds},
	{name: "a string", value: `"{now}"`, message: "must be a number, not a string" + seconds},
	{name: "an ISO 8601 time", value: `"2026-01-02T15:04:05Z"`, message: "must be a number, not a string" + seconds},
	{name: "true", value: "true", message: "must be a number, not a boolean" + seconds},
	{name: "an object", value: "{}", message: "must be a number, not an object" + seconds},
	{name: "a DateTime of PHP", value: `{"date":"2026-01-02 15:04:05.000000","timezone_type":3,"timezone":"UTC"}`, message: "must be a number, not an object" + seconds},
	{name: "milliseconds in a string", value: `"{now}000"`, message: "must be a number, not a string" + seconds},
	{name: "a date in digits", value: "20260102150405", message: "is no Unix time" + seconds},
	{name: "zero", value: "0", message: "must be positive Unix seconds"},
	{name: "minus zero", value: "-0.0", message: "must be positive Unix seconds"},
	{name: "negative", value: "-{now}", message: "must be positive Unix seconds"},
	{name: "the smallest number", value: "1e-400", message: "must be positive Unix seconds", beyond: true},
	{name: "1970", value: "1", message: tooOld, beyond: true},
	{name: "over a week old", value: "{now-604900}", message: tooOld, beyond: true},
	{name: "over an hour ahead", value: "{now+3700}", message: tooNew, beyond: true},
	{name: "far ahead", value: "99999999999", message: tooNew, beyond: true},
	{name: "milliseconds", value: "{now}000", message: "seems to be in milliseconds; send Unix seconds, fractions allowed: divide it by 1,000"},
	{name: "microseconds", value: "{now}000000", message: "seems to be in microseconds; send Unix seconds, fractions allowed: divide it by 1,000,000"},
	{name: "nanoseconds", value: "{now}000000000", message: "seems to be in nanoseconds; send Unix seconds, fractions allowed: divide it by 1,000,000,000"},
	{name: "1e400", value: "1e400", message: tooLarge},
}

var durationRules = []rule{
	{name: "milliseconds", value: "12"},
	{name: "with a fraction", value: "17.880916595458984"},
	{name: "zero", value: "0.000"},
	{name: "minus zero", value: "-0.0"},
	{name: "unknown", value: "null"},
	{name: "with an exponent", value: "1E+3"},
	{name: "the largest number", value: "1.7976931348623157e308"},
	{name: "left out", value: "", message: "is required; null when it is not known"},
	{name: "negative", value: "-0.001", message: "must not be negative; measure it with a clock that is not set, such as PHP's hrtime"},
	{name: "a string", value: `"12"`, message: "must be a number or null, not a string; leave its quotes out"},
	{name: "with its unit", value: `"1ms"`, message: notANumber},
	{name: "an empty string", value: `""`, message: notANumber},
	{name: "a decimal comma", value: `"1,5"`, message: notANumber},
	{name: "false", value: "false", message: "must be a number or null, not a boolean; send milliseconds, or null when they are not known"},
	{name: "1e400", value: "1e400", message: tooLarge},
}

const notANumber = "must be a number or null, not a string; send a number of milliseconds, or null when they are not known"

const mayBeCut = ", and a longer one may be cut, between two characters"

// nameRules are those of the field that says what was profiled.
func nameRules(maxBytes int) []rule {
	tooLong := func(bytes int) string {
		return "is " + decimal(bytes) + " bytes long; at most " + decimal(maxBytes) + mayBeCut
	}
	x, umlauts := strings.Repeat("x", maxBytes), strings.Repeat("ü", maxBytes/2)
	return []rule{
		{name: "one byte", value: `"/"`},
		{name: "any language", value: `"/märz/日本?q=😀"`},
		{name: "a surrogate pair", value: `"/\ud83d\ude00"`},
		{name: "escapes", value: `"\/caf\u00e9\\\"\n\t"`},
		{name: "a character before NUL's successor", value: `"\u0001"`},
		{name: "the longest", value: quote(x)},
		{name: "the longest, of two bytes a character", value: quote(umlauts)},
		{name: "the longest, all escaped", value: `"` + strings.Repeat(`\u0041`, maxBytes) + `"`},
		{name: "left out", value: "", message: "is required"},
		{name: "null", value: "null", message: "must be a string, not null"},
		{name: "an object", value: "{}", message: "must be a string, not an object"},
		{name: "empty", value: `""`, message: "is empty; 1 to " + decimal(maxBytes) + " bytes"},
		{name: "a byte too long", value: quote(x + "x"), message: tooLong(maxBytes + 1)},
		{name: "two bytes too long", value: quote(umlauts + "ü"), message: tooLong(maxBytes + 2), beyond: true},
		{name: "a NUL", value: `"/\u0000"`, message: `holds a NUL character (\u0000); leave it out`},
		{name: "the first half of a surrogate pair", value: `"/\ud83d"`, message: halfPair, beyond: true},
		{name: "the second half of a surrogate pair", value: `"/\ude00"`, message: halfPair, beyond: true},
		{name: "two first halves", value: `"\ud83d\ud83d"`, message: halfPair, beyond: true},
		{name: "the halves the wrong way round", value: `"\ude00\ud83d"`, message: halfPair, beyond: true},
	}
}
