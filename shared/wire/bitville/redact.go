package bitville

import (
	"cmp"
	"regexp"

	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/wire/jsonvalue"
)

// quoted is what PostgreSQL puts values into in the text of an error.
var quoted = regexp.MustCompile(`"[^"]*"?`)

// redact takes the literals out of a statement's record: out of its text and its plan, and out of what the Postgres agent
// sends beside these, as the agent does it itself.
func redact(rec *record.Record) {
	rec.Name = cmp.Or(statement.Mask(rec.Name), "?") // a comment alone leaves nothing
	rec.Payload = []byte(plan.Mask(string(rec.Payload)))
	if rec.Attributes == nil {
		return
	}
	var o jsonvalue.Object
	for name, value := range jsonvalue.Value(rec.Attributes).Members() {
		switch name := name.Text(); name {
		case "parameters":
		case "error":
			o.Text(name, statement.Mask(quoted.ReplaceAllString(value.Text(), "'?'")))
		default:
			o.Value(name, value)
		}
	}
	rec.Attributes = o.JSON()
}
