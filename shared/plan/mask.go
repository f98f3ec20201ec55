package plan

import (
	"encoding/json"
	"strings"

	"github.com/bitville/listener/shared/statement"
)

func masked(expression string) string { return statement.Mask(expression) }

// Mask returns a plan's JSON with its literals as question marks, to copy it into pev2 or depesz: each string is
// masked like a statement, but for names and settings, which hold no literals. White space and figures stay as they
// were sent. A plan that was cut off may be given too. A plan in another format than JSON loses its figures and its
// double quotes, since they cannot be told from literals.
func Mask(plan string) string {
	if !strings.HasPrefix(strings.TrimLeft(plan, " \t\r\n"), "{") {
		return masked(strings.ReplaceAll(plan, `"`, ""))
	}
	var b strings.Builder
	b.Grow(len(plan))
	key, settings := "", false // settings: inside the object of that name
	for r := (reader{text: plan}); r.at < len(plan); {
		c := plan[r.at]
		if c != '"' {
			settings = settings && c != '}'
			b.WriteByte(c)
			r.at++
			continue
		}
		raw := r.raw()
		end := r.at
		if isKey := strings.HasPrefix(strings.TrimLeft(plan[end:], " \t\r\n"), ":"); isKey {
			key, _ = unquote(raw)
			settings = settings || key == "Settings"
			b.WriteString(raw)
		} else if settings || holdsName(key) {
			b.WriteString(raw)
		} else {
			b.WriteString(maskString(raw, key))
		}
	}
	return b.String()
}

// holdsName tells the members whose strings are names: pev2 joins a CTE and its readers by them.
func holdsName(key string) bool {
	return strings.HasSuffix(key, " Name") || key == "Alias" || key == "Schema" || key == "Node Type"
}

// maskString masks a JSON string, which the end of the text may have cut.
func maskString(raw, key string) string {
	text, ok := unquote(raw)
	if !ok {
		return `"?"`
	}
	mask := masked(text)
	if key == "text" { // a plan that the log cut off
		mask = Mask(text)
	}
	if mask == text {
		return raw
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(mask) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}
