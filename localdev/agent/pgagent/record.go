package pgagent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	shapes "github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
)

const (
	maxQuery = 64 << 10             // bytes, the listener's limit
	maxPlan  = record.MaxBytes / 2  // of one that is sent as JSON
	maxText  = record.MaxBytes / 32 // of one that is sent as text, where each byte may need six
	maxError = 8 << 10
)

// fields writes one JSON object.
type fields struct{ b []byte }

func (f *fields) raw(name string, value []byte) {
	if len(f.b) == 0 {
		f.b = append(f.b, '{')
	} else {
		f.b = append(f.b, ',')
	}
	f.b = append(append(append(f.b, '"'), name...), '"', ':')
	f.b = append(f.b, value...)
}

func (f *fields) text(name, value string) {
	if value != "" {
		f.raw(name, quote(value))
	}
}

func (f *fields) number(name, value string) {
	if value != "" {
		f.raw(name, []byte(value))
	}
}

func (f *fields) is(name string, value bool) {
	if value {
		f.raw(name, []byte("true"))
	}
}

func (f *fields) end() []byte { return append(f.b, '}') }

// quote writes a JSON string. What is not UTF-8 is replaced, and no character is escaped that need not be.
func quote(text string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always can be
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// seconds writes a time as Unix seconds with six places.
func seconds(at time.Time) string {
	us := at.UnixMicro()
	return strconv.FormatInt(us/1e6, 10) + "." + strconv.FormatInt(1e6+us%1e6, 10)[1:]
}

// clip cuts a text at a character.
func clip(text string, most int) (clipped string, isCut bool) {
	if len(text) <= most {
		return text, false
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}

// derived makes an id of what tells a statement apart: a UUID of version 8.
func derived(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// place tells a statement apart from every other: its session and its line, or where the log has none, its offset.
func (x *executed) place() []string {
	line := x.Line
	if line == "" {
		line = "at " + strconv.FormatInt(x.Offset, 10)
	}
	return []string{x.Session, line, seconds(x.Time)}
}

// record writes the statement in the listener's wire format.
func (x *executed) record(project string, redact bool) []byte {
	id, isDerived := x.id, false
	if id == "" {
		isDerived = true
		from := x
		if x.caller != nil {
			from = x.caller
		}
		id = derived(append([]string{project}, from.place()...)...)
	}
	query := x.text
	if redact {
		query = statement.Mask(query)
	}
	query, isCut := clip(query, maxQuery)
	var f fields
	f.text("project", project)
	f.text("correlation_id", id)
	f.number("timestamp", seconds(x.begin()))
	if x.kind == failed {
		f.number("duration_ms", "null")
	} else {
		f.number("duration_ms", x.took)
	}
	f.text("query", query)
	f.is("query_truncated", x.cut || isCut)
	f.number("server_ms", x.serverMS)
	f.text("session_id", x.Session)
	if x.Line != "" {
		f.number("line_num", x.Line)
	} else {
		f.number("log_offset", strconv.FormatInt(x.Offset, 10))
	}
	f.number("query_id", x.QueryID)
	f.text("database", x.Database)
	f.text("user", x.User)
	f.is("nested", x.nested)
	if isDerived {
		f.text("correlation", "derived")
	}
	if x.kind == failed {
		f.text("error", errorText(x.Message, x.Context, redact))
		f.text("sql_error_code", x.State)
	}
	if parameters, ok := strings.CutPrefix(x.Detail, "parameters: "); ok && !redact {
		parameters, _ = clip(parameters, maxQuery)
		f.text("parameters", parameters)
	}
	x.addPlan(&f, redact)
	return f.end()
}

func (x *executed) addPlan(f *fields, redact bool) {
	json, text, isCut := x.plan.json, x.plan.text, x.plan.isCut
	if len(json) > maxPlan {
		json, text, isCut = nil, string(json), true
	}
	switch {
	case json != nil && redact:
		json = []byte(shapes.Mask(string(withoutParameters(json))))
	case json == nil && text == "":
		json = []byte("{}")
	case json == nil:
		clipped := false
		text, clipped = clip(text, maxText)
		isCut = isCut || clipped
		if redact {
			text = shapes.Mask(text)
		}
		var inner fields
		inner.text("text", text)
		json = inner.end()
	}
	f.is("plan_truncated", isCut)
	f.raw("profiling_data", json)
}

// withoutParameters drops the member Query Parameters, which PostgreSQL 16 writes behind Query Text: bind values.
func withoutParameters(json []byte) []byte {
	const member = `{"Query Parameters":`
	if rest, ok := strings.CutPrefix(string(json), member); ok {
		rest = rest[stringEnd([]byte(rest)):]
		return []byte("{" + strings.TrimPrefix(rest, ","))
	}
	return json
}

var quoted = regexp.MustCompile(`"[^"]*"?`)

// errorText is the message of an error. Redacted it holds no values: the server puts them in quotes, and what a function
// raises may have them anywhere.
func errorText(message, context string, redact bool) string {
	if redact {
		if strings.Contains(context, " at RAISE") {
			return "?"
		}
		message = statement.Mask(quoted.ReplaceAllString(message, "'?'"))
	}
	message, _ = clip(message, maxError)
	return message
}
