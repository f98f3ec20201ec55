package pgagent

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/bitville/listener/localdev/agent/pgrecord"
	shapes "github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
)

const (
	maxPlan  = record.MaxBytes / 2  // of one that is sent as JSON
	maxText  = record.MaxBytes / 32 // of one that is sent as text, where each byte may need six
	maxError = 8 << 10
)

// place tells a statement apart from every other: its session and its line, or where the log has none, its offset.
func (x *executed) place() []string {
	line := x.Line
	if line == "" {
		line = "at " + strconv.FormatInt(x.Offset, 10)
	}
	return []string{x.Session, line, pgrecord.Seconds(x.Time)}
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
		id = pgrecord.Derived(append([]string{project}, from.place()...)...)
	}
	query := x.text
	if redact {
		query = statement.Mask(query)
	}
	query, isCut := pgrecord.Clip(query, pgrecord.MaxQuery)
	var f pgrecord.Fields
	f.Text("project", project)
	f.Text("correlation_id", id)
	f.Number("timestamp", pgrecord.Seconds(x.begin()))
	if x.kind == failed {
		f.Number("duration_ms", "null")
	} else {
		f.Number("duration_ms", x.took)
	}
	f.Text("query", query)
	f.Is("query_truncated", x.cut || isCut)
	f.Number("server_ms", x.serverMS)
	f.Text("session_id", x.Session)
	if x.Line != "" {
		f.Number("line_num", x.Line)
	} else {
		f.Number("log_offset", strconv.FormatInt(x.Offset, 10))
	}
	f.Number("query_id", x.QueryID)
	f.Text("database", x.Database)
	f.Text("user", x.User)
	f.Is("nested", x.nested)
	if isDerived {
		f.Text("correlation", "derived")
	}
	if x.kind == failed {
		f.Text("error", errorText(x.Message, x.Context, redact))
		f.Text("sql_error_code", x.State)
	}
	if parameters, ok := strings.CutPrefix(x.Detail, "parameters: "); ok && !redact {
		parameters, _ = pgrecord.Clip(parameters, pgrecord.MaxQuery)
		f.Text("parameters", parameters)
	}
	x.addPlan(&f, redact)
	return f.End()
}

func (x *executed) addPlan(f *pgrecord.Fields, redact bool) {
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
		text, clipped = pgrecord.Clip(text, maxText)
		isCut = isCut || clipped
		if redact {
			text = shapes.Mask(text)
		}
		var inner pgrecord.Fields
		inner.Text("text", text)
		json = inner.End()
	}
	f.Is("plan_truncated", isCut)
	f.Raw("profiling_data", json)
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

var (
	raised = regexp.MustCompile(` at RAISE|PL/(?:Python|Perl|Tcl|v8|R)`) // the context of a message that a function wrote
	quoted = regexp.MustCompile(`"[^"]*"?`)
)

// errorText is the message of an error. Redacted it holds no values: the server puts them in quotes, and what a function
// raises may have them anywhere.
func errorText(message, context string, redact bool) string {
	if redact {
		if raised.MatchString(context) {
			return "?"
		}
		message = statement.Mask(quoted.ReplaceAllString(message, "'?'"))
	}
	message, _ = pgrecord.Clip(message, maxError)
	return message
}
